"""The dashboard says whether all is well, what ran, what runs and what comes next."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.test import override_settings
from django.utils import timezone

from cronjobs import health
from cronjobs.admin.badges import Tone
from cronjobs.admin.dashboard.nodes import Nodes
from cronjobs.admin.dashboard.queues import Waiting
from cronjobs.admin.dashboard.state import Findings, matters
from cronjobs.admin.dashboard.timeline import MOST_LANES
from cronjobs.database import read_clock
from cronjobs.models import Calendar, Job, JobExecution, Queue
from cronjobs.models.queue import EVERYTHING
from tests.integration.admin.pages import DASHBOARD, change_url, get, text_of

ALL_IS_WELL = "All is well."


def panel(client, name):
    """Return the source of one panel."""
    source = get(client, DASHBOARD)
    found = re.search(rf'<(section|div) id="dashboard-{name}".*?</\1>', source, re.DOTALL)
    assert found, f"There is no panel {name}."
    return found.group()


def read(client, name):
    return text_of(panel(client, name))


@pytest.fixture(autouse=True)
def _no_other_jobs(db):
    """Only what a test makes is there."""
    Job.objects.all().delete()


@pytest.fixture
def now(db):
    return read_clock("default")


@pytest.fixture
def ended(make_execution, now):
    """Record an execution that ended so long ago."""

    def make(name="noop", ago=timedelta(minutes=5), took=timedelta(seconds=1), **columns):
        end = now - ago
        start = None if columns.get("status") in ("skipped", "missed") else end - took
        times = dict.fromkeys(("scheduled_for", "due_at", "run_after", "claim_at", "queued_at"), end - took)
        values = {
            "started_at": start,
            "first_started_at": start,
            "finished_at": end,
            "duration_ms": start and round(took / timedelta(milliseconds=1)),
            **times,
            **columns,
        }
        return make_execution(name, **values)

    return make


@pytest.fixture
def waits(make_execution, now):
    """Record an execution that has been due for so long."""

    def make(name="noop", ago=timedelta(seconds=3), **columns):
        times = dict.fromkeys(("scheduled_for", "due_at", "run_after", "claim_at", "queued_at"), now - ago)
        gone = dict.fromkeys(("started_at", "first_started_at", "finished_at", "duration_ms"))
        return make_execution(name, status="queued", attempt=0, **times, **gone, **columns)

    return make


@pytest.fixture
def runs(make_execution, now):
    """Record an execution that has been running for so long."""

    def make(name="noop", ago=timedelta(minutes=1), **columns):
        start = now - ago
        times = dict.fromkeys(("scheduled_for", "due_at", "run_after", "claim_at", "queued_at"), start)
        values = {"started_at": start, "first_started_at": start, "finished_at": None, "duration_ms": None}
        return make_execution(name, status="running", **times, **values, **columns)

    return make


# Where it is found


def test_it_is_in_the_index_and_on_the_page_of_the_app(viewer):
    for url in ("/admin/", "/admin/cronjobs/"):
        assert f'href="{DASHBOARD}"' in get(viewer, url)


def test_an_empty_site_has_one_too(superuser, make_node):
    make_node()

    page = text_of(get(superuser, DASHBOARD))

    assert ALL_IS_WELL in page
    assert "Nothing has ended within 24 hours." in page
    assert "Nothing is due within 24 hours." in page


# Whether all is well


def test_without_a_node_nothing_is_well(superuser):
    assert "No node is alive" in read(superuser, "headline")


def test_a_tick_that_is_too_old_is_told(superuser, make_node, now):
    node = make_node()
    type(node).objects.update(last_tick_at=now - timedelta(minutes=10))

    assert "the last tick was 10 min" in read(superuser, "headline")


def test_a_node_that_fell_silent_is_told_while_others_live(superuser, make_node):
    make_node("a:1")
    make_node("b:2", silent_for=timedelta(minutes=10))

    assert "A node fell silent without saying that it stops: b:2." in read(superuser, "headline")
    assert "1 alive 1 dead" in read(superuser, "state")


def test_one_that_fell_silent_long_ago_is_only_counted(superuser, make_node):
    make_node("a:1")
    make_node("b:2", silent_for=timedelta(hours=3))

    assert read(superuser, "headline") == ALL_IS_WELL


def test_a_broken_job_is_named(superuser, make_node, make_job):
    make_node()
    make_job("no-such-definition", name="orphan")

    assert "A job is broken and cannot run: orphan." in read(superuser, "headline")


def test_executions_that_ended_badly_are_counted(superuser, make_node, ended):
    make_node()
    for status in ("failed", "timed_out", "lost", "succeeded"):
        ended(status=status)

    assert "3 executions ended badly in the last hour." in read(superuser, "headline")


def test_a_long_wait_is_told_and_so_is_the_depth_of_each_queue(superuser, make_node, waits):
    make_node()
    waits(ago=timedelta(minutes=7), queue="heavy")
    waits(queue="heavy")
    waits()

    assert "the oldest for 7 min" in read(superuser, "headline")
    assert re.search(r"heavy 2 7 min \d\d s .*default 1", read(superuser, "state"))


def test_what_a_paused_queue_holds_back_is_not_called_waiting(superuser, make_node, waits):
    make_node()
    Queue.objects.create(name="heavy", paused=True)
    waits(ago=timedelta(hours=1), queue="heavy")

    assert "1 execution waits in a queue that is paused." in read(superuser, "headline")
    assert "Waiting for a worker 0 1 more is paused" in read(superuser, "state")


@pytest.mark.parametrize("by", ["operator", "settings"])
def test_a_pause_of_everything_is_told_and_nothing_comes_next(superuser, make_node, make_job, settings, by):
    make_node()
    make_job("noop", schedule="* * * * *")
    if by == "operator":
        Queue.objects.update_or_create(name=EVERYTHING, defaults={"paused": True})
    else:
        settings.CRONJOBS = {**settings.CRONJOBS, "PAUSED": True}

    assert "Everything is paused" in read(superuser, "headline")
    assert "Everything is paused" in read(superuser, "upcoming")
    assert "noop" not in read(superuser, "upcoming")


@override_settings(CRONJOBS={"MONGODB_URI": ""})
def test_no_mongodb_is_no_fault(superuser, make_node):
    make_node()

    assert "MongoDB Not configured" in read(superuser, "state")
    assert read(superuser, "headline") == ALL_IS_WELL


# What runs and ran


def test_a_lane_has_bars_by_outcome_with_words(superuser, make_job, ended, runs):
    make_job("noop")
    failed, running = ended(status="failed", ago=timedelta(minutes=20)), runs()
    ended(ago=timedelta(minutes=40))

    lane = panel(superuser, "timeline")

    assert re.search(rf'href="{change_url(failed)}"[^>]*><rect class="cron-bad"', lane)
    assert re.search(rf'href="{change_url(running)}"[^>]*><rect class="cron-busy"', lane)
    assert '<rect class="cron-good"' in lane
    assert 'aria-label="noop: 3 executions in the past hour, 1 of them ended badly, 1 runs"' in lane


def test_bars_on_the_same_spot_are_one_and_the_worst_gives_the_colour(superuser, ended):
    for status in ("succeeded", "failed", "succeeded"):
        ended(status=status)

    lane = panel(superuser, "timeline")

    assert lane.count("<title>") == 1
    assert "2 × Succeeded, 1 × Failed" in lane
    assert '<rect class="cron-bad"' in lane


def test_what_ended_longer_ago_is_not_in_the_timeline(superuser, ended):
    ended(ago=timedelta(minutes=61))

    assert "Nothing ran within the past hour" in read(superuser, "timeline")


def test_lanes_are_for_what_runs_or_failed_before_what_ran_last(superuser, ended, runs):
    for number in range(MOST_LANES):
        ended(f"calm-{number:02}")
    runs("busy", ago=timedelta(hours=3))
    ended("failing", status="failed", ago=timedelta(minutes=50))

    timeline = read(superuser, "timeline")

    assert "busy" in timeline
    assert "failing" in timeline
    assert timeline.count("calm-") == MOST_LANES - 2
    assert "2 more jobs ran within the hour." in timeline


def test_due_times_are_ticks_and_a_job_that_is_only_due_has_a_lane(superuser, make_job):
    make_job("noop", schedule="* * * * *")

    timeline = panel(superuser, "timeline")

    assert 29 <= timeline.count('class="cron-tick"') <= 31
    assert re.search(r"next start at \d\d:\d\d:00", timeline)


# The last 24 hours


def test_hours_are_counted_by_outcome(superuser, ended):
    for status in ("succeeded", "succeeded", "failed", "skipped"):
        ended(status=status, took=timedelta(seconds=2), ago=timedelta(seconds=1))

    hours = read(superuser, "hours")

    assert "4 in all" in hours
    assert "33.3 % on the whole" in hours
    assert re.search(r"\d\d:00 4 2 1 1 33\.3 % 2\.0 s 2\.0 s", hours)


def test_an_hour_that_is_over_is_counted_once_and_the_present_one_each_time(superuser, ended):
    ended(ago=timedelta(hours=5))
    assert "1 in all" in read(superuser, "hours")

    ended(ago=timedelta(seconds=1))
    assert "2 in all" in read(superuser, "hours")

    JobExecution.objects.all().delete()
    assert "1 in all" in read(superuser, "hours")


def test_times_are_in_the_viewers_zone_with_utc_at_hand(superuser, ended, now):
    ended(ago=timedelta(hours=2))

    hours = panel(superuser, "hours")

    # Berlin is an hour ahead of UTC, or two.
    pairs = re.findall(r'title="\d{4}-\d\d-\d\d (\d\d):00:00 UTC">(\d\d):00<', hours)
    assert {(int(local) - int(utc)) % 24 for utc, local in pairs} <= {1, 2}
    assert pairs
    assert "Times are in Europe/Berlin" in text_of(get(superuser, DASHBOARD))


def test_the_slowest_and_the_most_failing_jobs_lead_to_their_executions(superuser, make_job, ended):
    job = make_job("noop")
    ended("noop", took=timedelta(seconds=2))
    ended("noop", took=timedelta(seconds=4), status="failed")
    ended("gone", took=timedelta(seconds=90))

    ranking = panel(superuser, "ranking")

    assert "noop 1 2 50.0 %" in text_of(ranking)
    assert re.search(r"gone 1 min 30 s 1 min 30 s 1 .*noop 3\.0 s 4\.0 s 2", text_of(ranking))
    assert f"?job={job.pk}&amp;recorded=day" in ranking


def test_what_ended_badly_last_says_why(superuser, ended):
    ended("noop", status="failed", error_type="ValueError", error_message="first line\nno such customer")
    ended("noop", status="lost", reason="Its node fell silent.")
    ended("noop", error_message="nothing that matters")

    failures = read(superuser, "failures")

    assert "no such customer" in failures
    assert "Its node fell silent." in failures
    assert "first line" not in failures
    assert "nothing that matters" not in failures


def test_advice_is_no_matter_for_the_top_and_comes_after_what_went_wrong():
    advice = health.Probe(name="mongodb", status=health.Status.WARNING, message="An index would help.")
    waiting = Waiting(queues=[], is_cut=False, is_everything_paused=False, paused=frozenset())
    found = Findings(nodes=Nodes(now=timezone.now(), nodes=[]), waiting=waiting, mongodb=advice, broken=[], failed=1)

    assert [each.tone for each in matters(found)] == [Tone.BAD, Tone.ODD, Tone.QUIET]


def test_clean_ups_say_how_many_documents_a_run_modifies(superuser, ended):
    for number in (10, 0, 5):
        ended("cleanup", result={"modifiedCount": number})
    ended("other", result={"rows": 3})

    cleanup = read(superuser, "cleanup")

    assert "cleanup 5.0" in cleanup
    assert "15 3" in cleanup
    assert "other" not in cleanup


# What comes next


def due_soon(now: datetime) -> datetime:
    """Return a full minute well within the next 24 hours, however long the test takes."""
    return (now + timedelta(hours=2)).replace(second=0, microsecond=0)


def at(when: datetime) -> str:
    return f"@at {when:%Y-%m-%dT%H:%M:%SZ}"


def test_jobs_on_the_same_minute_are_a_warning(superuser, make_job, now):
    when = due_soon(now)
    for number in range(4):
        make_job("noop", name=f"together-{number}", schedule=at(when + timedelta(seconds=number)))
    make_job("noop", name="often", schedule="* * * * *")

    upcoming = read(superuser, "upcoming")

    # The fifth is the one that starts every minute.
    assert "5 jobs start in the same minute." in upcoming
    assert "together-0 , together-1 , together-2 , together-3 Piles up" in upcoming
    assert "Every minute (UTC): often" in upcoming


def test_frequent_jobs_are_counted_one_by_one_though_alike(superuser, make_job, now):
    when = due_soon(now)
    for number in range(2):
        make_job("noop", name=f"together-{number}", schedule=at(when))
    for number in range(3):
        make_job("noop", name=f"often-{number}", schedule="* * * * *")
    make_job("noop", name="often-no-more", schedule="* * * * *", ends_at=when - timedelta(minutes=1))

    assert "5 jobs start in the same minute." in read(superuser, "upcoming")


def test_as_many_as_there_are_workers_are_none(superuser, make_job, make_node, now):
    make_node(workers=8)
    for number in range(8):
        make_job("noop", name=f"together-{number}", schedule=at(due_soon(now)))

    assert "same minute" not in read(superuser, "upcoming")


def test_jitter_takes_a_pile_apart(superuser, make_job, now):
    for number in range(5):
        make_job("noop", name=f"spread-{number}", schedule=at(due_soon(now)), jitter=timedelta(hours=5))

    assert "same minute" not in read(superuser, "upcoming")


def test_what_does_not_run_is_not_upcoming(superuser, make_job, now):
    when = due_soon(now)
    make_job("noop", name="disabled", schedule=at(when), enabled=False)
    make_job("noop", name="paused", schedule=at(when), paused=True)
    make_job("noop", name="paused-longer", schedule=at(when), paused=True, paused_until=when + timedelta(hours=1))
    make_job("noop", name="not-yet", schedule=at(when), starts_at=when + timedelta(hours=1))
    make_job("noop", name="no-more", schedule=at(when), ends_at=when - timedelta(hours=1))
    day = Calendar.objects.create(name="all", dates=[f"{when:%Y-%m-%d}"])
    make_job("noop", name="excluded", schedule=at(when), calendar=day)
    skipped = make_job("noop", name="skipped", schedule=at(when))
    JobExecution.objects.bulk_create(
        [JobExecution.closed(skipped, status="skipped", scheduled_for=when, now=now, dedupe_key="x")]
    )
    make_job("no-such-definition", name="broken", schedule=at(when))
    make_job("noop", name="it-runs", schedule=at(when))
    make_job("noop", name="again", schedule=at(when), paused=True, paused_until=when - timedelta(hours=1))

    upcoming = read(superuser, "upcoming")

    assert re.search(r"in 1 h 5\d min again , it-runs|in 2 h 00 min again , it-runs", upcoming)
    for name in ("disabled", "paused", "not-yet", "no-more", "excluded", "skipped", "broken"):
        assert name not in upcoming


def test_a_paused_queue_is_mentioned_where_something_is_due_in_it(superuser, make_job, now):
    for name in ("mail", "other"):
        Queue.objects.create(name=name, paused=True)
    make_job("noop", schedule=at(due_soon(now)), queue="mail")

    assert "waits until the queue is resumed: mail." in read(superuser, "upcoming")


# Nothing from the data becomes part of the page


def test_names_are_escaped(superuser, ended, make_node):
    make_node("<b>node</b>")
    ended("<script>alert(1)</script>", status="failed", result={"modifiedCount": 1})
    ended("<script>alert(1)</script>", result={"modifiedCount": 1})

    source = get(superuser, DASHBOARD)

    assert "<script>alert" not in source
    assert "<b>node" not in source


def test_it_complains_about_settings_as_other_pages_do(superuser, settings):
    settings.CRONJOBS = {"NO_SUCH_SETTING": 1}

    assert superuser.get(DASHBOARD).status_code == 500


def test_the_memory_of_a_node_is_a_line_where_it_tells_one(superuser, make_node):
    make_node("web-1:4711", rss_bytes=80 * 2**20)
    make_node("web-2:4711", rss_bytes=90 * 2**20, memory_trend=[[60 * n, (80 + n) * 2**20] for n in range(11)])

    memory = read(superuser, "memory")

    assert "web-1:4711 80 MiB" in memory
    assert "web-2:4711 90 MiB" in memory
    (line,) = re.findall(r'points="([^"]*)"', panel(superuser, "memory"))
    assert len(line.split()) == 11


@pytest.mark.parametrize("garbage", [3, "text", [[1]], [["a", "b"]], [[10**30, 1]], {"a": 1}])
def test_what_is_no_trend_is_passed_over(superuser, make_node, garbage):
    make_node(rss_bytes=80 * 2**20, memory_trend=garbage)

    assert "web-1:4711 80 MiB" in read(superuser, "memory")
