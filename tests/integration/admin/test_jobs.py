"""The list of jobs."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from cronjobs.database import read_clock
from cronjobs.models import Calendar, Job, Queue
from cronjobs.scheduler.plans import sync
from cronjobs.scheduler.requests import skip_next
from tests.integration.admin.pages import EXECUTIONS, JOBS, NODES, change_url, get, text_of


def row_of(source, name):
    """Return what a person reads in the row of a job."""
    rows = [text_of(row.split("</tr>")[0]) for row in source.split("<tr")[2:]]
    return next(row for row in rows if f" {name} " in f" {row} ")


@pytest.fixture
def listed(viewer):
    return lambda name, **params: row_of(get(viewer, JOBS, **params), name)


def test_a_row_shows_the_schedule_in_words_and_when_it_is_due(listed, make_job):
    make_job("noop", schedule="*/5 * * * *", time_zone="Europe/Berlin")
    sync(read_clock("default"))

    row = listed("noop")

    assert "Every 5 minutes (Europe/Berlin) */5 * * * *" in row
    assert " in " in row
    assert "Enabled" in row


def test_a_job_without_a_schedule_runs_on_demand(listed, make_job):
    make_job("noop", schedule="")

    assert "On demand" in listed("noop")


def test_the_last_execution_is_the_newest_one(listed, make_execution):
    make_execution("noop", status="failed")
    make_execution("noop", status="running")
    make_execution("fails", status="lost")

    assert "Running" in listed("noop")
    assert "Lost" in listed("fails")


def test_a_time_that_has_passed_is_called_overdue(listed, make_job):
    make_job("noop", schedule="* * * * *")
    sync(read_clock("default") - timedelta(minutes=10))

    assert "overdue" in listed("noop")


@pytest.mark.parametrize(
    ("columns", "words", "absent"),
    [
        pytest.param({"enabled": False}, ["Disabled"], ["Enabled"], id="disabled"),
        pytest.param({"paused": True}, ["Paused"], ["Enabled", "until"], id="paused"),
        pytest.param({"enabled": False, "paused": True}, ["Disabled", "Paused"], [], id="both"),
    ],
)
def test_what_keeps_a_job_from_running_is_shown(listed, make_job, columns, words, absent):
    make_job("noop", **columns)

    row = listed("noop")

    assert all(word in row for word in words)
    assert not any(word in row for word in absent)


def test_a_window_that_has_not_opened_or_has_closed_is_shown(listed, make_job):
    now = timezone.now()
    make_job("noop", starts_at=now + timedelta(days=400))
    make_job("fails", ends_at=now - timedelta(days=2))
    make_job("skips", starts_at=now - timedelta(days=2), ends_at=now + timedelta(days=2))

    assert "Not begun on 20" in listed("noop")
    assert "Ended" in listed("fails")
    assert "Enabled" in listed("skips")


def test_a_pause_shows_its_end_until_that_has_passed(listed, make_job):
    now = timezone.now()
    make_job("noop", paused=True, paused_until=now + timedelta(days=2))
    make_job("fails", paused=True, paused_until=now - timedelta(days=2))

    assert "Paused until 20" in listed("noop")
    assert "Enabled" in listed("fails")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        pytest.param({"definition": "gone"}, "'gone'", id="definition"),
        pytest.param({"schedule": "61 * * * *"}, "61", id="schedule"),
        pytest.param({"time_zone": "Mars/Base"}, "Mars/Base", id="zone"),
        pytest.param({"params": [1]}, "JSON object", id="parameters"),
    ],
)
def test_a_broken_job_shows_why_and_breaks_nothing_else(listed, make_job, columns, reason):
    job = make_job("noop")
    Job.objects.filter(pk=job.pk).update(**columns)

    row = listed("noop")

    assert "Broken" in row
    assert reason in row
    assert "Enabled" in listed("fails")


def test_what_a_node_found_out_is_shown_until_the_job_is_edited(listed, make_job):
    job = make_job("noop")
    sync(read_clock("default"))
    Job.objects.filter(pk=job.pk).update(broken_reason="The database refused it.")
    assert "The database refused it." in listed("noop")

    Job.objects.filter(pk=job.pk).update(schedule="@daily")

    assert "Broken" not in listed("noop")


@pytest.mark.parametrize(
    ("params", "found"),
    [
        pytest.param({"enabled__exact": "0"}, {"disabled"}, id="disabled"),
        pytest.param({"paused__exact": "1"}, {"paused"}, id="paused"),
        pytest.param({"broken": "yes"}, {"broken", "unregistered"}, id="broken"),
        pytest.param({"broken": "no"}, {"disabled", "paused"}, id="not broken"),
        pytest.param({"q": "broken"}, {"broken"}, id="name"),
        pytest.param({"definition": "gone"}, {"unregistered"}, id="definition"),
        pytest.param({"owner": "chat-operations"}, {"paused"}, id="by owner"),
        pytest.param({"queue": "slow"}, {"disabled"}, id="queue"),
        pytest.param({"queue": "default"}, {"paused", "broken"}, id="inherited queue"),
        pytest.param({"outcome": "failed"}, {"paused"}, id="last execution"),
        pytest.param({"outcome": "never"}, {"disabled", "broken", "unregistered"}, id="no execution"),
        pytest.param({"q": "chat-operations"}, {"paused"}, id="owner"),
    ],
)
def test_the_list_can_be_narrowed(viewer, make_job, make_execution, params, found):
    Job.objects.all().delete()
    make_job("noop", name="disabled", enabled=False, queue="slow")
    make_job("noop", name="paused", paused=True, owner="chat-operations")
    make_job("noop", name="broken")
    make_job("gone", name="unregistered")
    sync(read_clock("default"))
    Job.objects.filter(name="broken").update(broken_reason="It is.")
    for status in ("succeeded", "failed"):
        make_execution("paused", status=status)

    source = get(viewer, JOBS, **params)

    assert {job.name for job in Job.objects.all() if change_url(job) in source} == found


@pytest.mark.parametrize("params", [{"broken": "perhaps"}, {"outcome": "odd"}, {"queue": "x"}, {"owner": "\x00"}])
def test_an_address_that_makes_no_sense_is_answered(viewer, params):
    assert viewer.get(JOBS, params, follow=True).status_code == 200


def test_the_choices_of_a_filter_are_those_that_there_are(viewer, make_job):
    Job.objects.all().delete()
    make_job("noop", owner="ann", queue="slow")
    make_job("fails", owner="bob")

    links = re.findall(r'href="\?(definition|queue|owner)=([\w-]+)"', get(viewer, JOBS))

    assert links == [
        ("definition", "fails"), ("definition", "noop"), ("queue", "default"), ("queue", "slow"),
        ("owner", "ann"), ("owner", "bob"),
    ]  # fmt: skip


def times_in(client, job):
    """Return the times in UTC at which the row of a job says that it runs."""
    row = get(client, JOBS).partition(f'value="{job.pk}"')[2].partition("</tr>")[0]
    cell = row.partition("field-shown_next_run")[2].partition("</td>")[0]
    return [datetime.fromisoformat(at) for at in re.findall(r'datetime="(.*?)"', cell)]


def test_the_next_three_runs_are_shown(operator, make_job):
    job = make_job("noop", schedule="*/5 * * * *")
    sync(read_clock("default"))

    first, second, third = times_in(operator, job)

    assert first > timezone.now() - timedelta(minutes=1)
    assert (second - first, third - second) == (timedelta(minutes=5), timedelta(minutes=5))


def test_days_of_a_calendar_and_skipped_runs_are_passed_over(operator, make_job):
    now = read_clock("default")
    days = [f"{now + timedelta(days=number):%Y-%m-%d}" for number in range(1, 4)]
    calendar = Calendar.objects.create(name="holidays", dates=days)
    job = make_job("noop", schedule="0 12 * * *", time_zone="UTC", calendar=calendar)
    sync(now)
    before = times_in(operator, job)
    skipped = skip_next(Job.objects.named("noop"), by="ann").scheduled_for

    after = times_in(operator, job)

    assert skipped == before[0]
    assert after[:2] == before[1:]
    assert not {f"{at:%Y-%m-%d}" for at in [*before, *after]} & set(days)


@pytest.mark.parametrize("planned", [True, False], ids=["seen by a node", "seen by none"])
@pytest.mark.parametrize("columns", [{"enabled": False}, {"paused": True}, {"definition": "gone"}])
def test_a_job_that_does_not_run_shows_no_run(operator, make_job, columns, planned):
    job = make_job("noop", schedule="*/5 * * * *")
    sync(read_clock("default"))
    Job.objects.filter(pk=job.pk).update(**columns)
    if planned:
        sync(read_clock("default"))

    assert times_in(operator, job) == []


def test_an_edited_job_shows_its_new_runs_before_a_node_has_seen_it(operator, make_job):
    job = make_job("noop", schedule="*/5 * * * *")
    sync(read_clock("default"))
    Job.objects.filter(pk=job.pk).update(schedule="0 3 * * *", time_zone="UTC")

    assert {f"{at:%H:%M}" for at in times_in(operator, job)} == {"03:00"}


def test_a_pause_that_ends_is_waited_for(operator, make_job):
    ends = timezone.now() + timedelta(days=3)
    job = make_job("noop", schedule="* * * * *", paused=True, paused_until=ends)

    for _ in ("before a node has seen it", "afterwards"):
        assert min(times_in(operator, job)) > ends
        sync(read_clock("default"))


def test_a_job_that_ends_shows_no_run_beyond(operator, make_job):
    now = timezone.now()
    job = make_job("noop", schedule="@every 1h", ends_at=now + timedelta(minutes=100))
    sync(now)

    assert len(times_in(operator, job)) in {1, 2}


def test_everything_paused_is_said_above_the_list(viewer, make_job):
    said = "Everything is paused: nothing is due"
    assert said not in text_of(get(viewer, JOBS))

    Queue.objects.update_or_create(name="*", defaults={"paused": True})

    assert said in text_of(get(viewer, JOBS))


def test_the_last_runs_are_a_picture_and_a_rate(listed, viewer, make_execution):
    for ms in (10, 20, 30):
        make_execution("noop", duration_ms=ms)
    make_execution("noop", status="failed", duration_ms=4000)
    make_execution("noop", status="cancelled", duration_ms=1)
    make_execution("noop", status="skipped", duration_ms=None, started_at=None)

    row, source = listed("noop"), get(viewer, JOBS)

    assert "75 % of 4" in row
    assert "Durations of the last 5 runs, oldest first: 1 ms to 4.0 s, half of them up to 20 ms." in row
    assert source.count('<rect class="cron-good"') == 3
    assert source.count('<rect class="cron-bad"') == 1
    assert "3 of the last 4 runs succeeded." in source


def test_no_more_than_the_last_thirty_runs_count(listed, make_execution):
    make_execution("noop", status="failed")
    for _ in range(30):
        make_execution("noop")

    assert "100 %" in listed("noop")
    assert "of 30" not in listed("noop")


def test_what_has_never_run_has_no_rate(listed, make_job):
    make_job("noop")

    assert "%" not in listed("noop")


def test_one_failure_of_many_is_not_rounded_away(listed, make_execution):
    make_execution("noop", status="failed")
    for _ in range(28):
        make_execution("noop")

    assert "96 % of 29" in listed("noop")


def test_the_switch_says_whether_the_job_is_enabled(operator, make_job):
    for enabled in (True, False):
        job = make_job("noop", enabled=enabled)
        button = get(operator, JOBS).partition(f'id="cron-switch-{job.pk}"')[2].partition("</button>")[0]

        assert f'aria-checked="{str(enabled).lower()}"' in button
        assert 'aria-label="noop is enabled"' in button
        assert button.endswith("Enabled" if enabled else "Disabled")


@pytest.mark.parametrize("lookup", ["params__token__startswith", "executions__params__contains", "schedule"])
def test_columns_cannot_be_asked_for_what_is_masked_in_them(viewer, lookup):
    assert viewer.get(JOBS, {lookup: "s"}).status_code == 400


def test_text_of_users_is_escaped(viewer, make_job):
    job = make_job("noop", name="evil")
    evil = "<b>evil</b>"
    Job.objects.filter(pk=job.pk).update(name=evil, definition=evil, schedule=evil, description=evil)

    for url in (JOBS, change_url(job)):
        source = get(viewer, url)
        assert evil not in source
        assert "&lt;b&gt;evil&lt;/b&gt;" in source


def test_looking_changes_nothing(viewer, make_job):
    make_job("noop", schedule="* * * * *")
    before = list(Job.objects.order_by("pk").values())

    get(viewer, JOBS)

    assert list(Job.objects.order_by("pk").values()) == before


@pytest.mark.parametrize("url", [JOBS, JOBS + "add/", EXECUTIONS, NODES, pytest.param("", id="a-job")])
def test_settings_that_cannot_be_understood_are_a_sentence(superuser, make_job, settings, url):
    job = make_job("noop", schedule=None)
    settings.CRONJOBS = {"PAUSE": True}

    response = superuser.get(url or change_url(job))

    assert response.status_code == 500
    assert "CRONJOBS has no key 'PAUSE'. Did you mean 'PAUSED'?" in text_of(response.content.decode())


def test_settings_are_not_told_to_those_who_may_see_nothing(client, django_user_model, settings):
    client.force_login(django_user_model.objects.create_user("staff", is_staff=True))
    settings.CRONJOBS = {"PAUSE": True}

    assert client.get(JOBS).status_code == 403


def test_that_a_name_cannot_be_changed_later_is_said_where_it_is_chosen(superuser, viewer, make_job):
    job, said = make_job("noop"), "It cannot be changed later."

    assert said in get(superuser, JOBS + "add/")
    assert said not in get(superuser, change_url(job))
    assert said not in get(viewer, change_url(job))
