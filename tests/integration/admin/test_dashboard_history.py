"""The dashboard says what runs and what ran: within the hour, and within a day."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from cronjobs.admin.dashboard.timeline import MOST_LANES
from cronjobs.models import JobExecution
from tests.integration.admin.pages import DASHBOARD, change_url, get, text_of
from tests.integration.admin.panels import panel, read

pytestmark = pytest.mark.usefixtures("no_other_jobs")

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


def test_clean_ups_say_how_many_documents_a_run_modifies(superuser, ended):
    for number in (10, 0, 5):
        ended("cleanup", result={"modifiedCount": number})
    ended("other", result={"rows": 3})

    cleanup = read(superuser, "cleanup")

    assert "cleanup 5.0" in cleanup
    assert "15 3" in cleanup
    assert "other" not in cleanup
