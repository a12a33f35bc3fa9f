"""When a job is in force: beginnings, ends, pauses, calendars and jitter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError

from cronjobs.models import Calendar, Job, JobExecution
from cronjobs.scheduler.clock_rows import own_rows
from cronjobs.scheduler.plans import restore, sync
from cronjobs.scheduler.ticks import tick
from tests.integration.conftest import NOON, rows_of

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _nothing_else_scheduled(db):
    Job.objects.all().delete()


def run_clock(start, end):
    """Let the clock live from `start` to `end`, waking whenever something is due."""
    sync(start)
    while (due := own_rows().filter(next_run_time__lte=end).order_by("next_run_time").first()) is not None:
        tick(due.next_run_time)


def due_times(job, **conditions):
    rows = JobExecution.objects.filter(job=job, **conditions).order_by("scheduled_for")
    return list(rows.values_list("scheduled_for", flat=True))


def test_nothing_is_due_outside_the_window(make_job):
    job = make_job("noop", schedule="0 * * * *", starts_at=NOON + 2 * HOUR, ends_at=NOON + 4 * HOUR)

    run_clock(NOON, NOON + 10 * HOUR)

    assert due_times(job) == [NOON + n * HOUR for n in (2, 3, 4)]
    assert own_rows().get(id=f"cronjobs:{job.pk}").next_run_time is None


def test_a_one_off_runs_once_and_stays_in_history(make_job):
    job = make_job("noop", schedule="@at 2026-01-15T15:30:00Z")

    run_clock(NOON, NOON + DAY)
    run_clock(NOON + DAY, NOON + 2 * DAY)

    assert due_times(job) == [datetime(2026, 1, 15, 15, 30, tzinfo=UTC)]


def test_an_interval_does_not_drift(make_job):
    job = make_job("noop", schedule="@every 25m from 2026-01-15T12:10:00Z")

    run_clock(NOON, NOON + 2 * HOUR)

    assert [f"{at:%H:%M}" for at in due_times(job)] == ["12:10", "12:35", "13:00", "13:25", "13:50"]


def test_an_excluded_day_is_recorded_once_and_not_run(make_job):
    holidays = Calendar.objects.create(name="holidays", dates=["2026-01-16", "2026-01-18"])
    job = make_job("noop", schedule="0 */6 * * *", time_zone="America/New_York", calendar=holidays)

    run_clock(NOON, NOON + 4 * DAY)

    skipped = JobExecution.objects.filter(job=job, status="skipped").order_by("scheduled_for")
    # New York's 16th begins at 05:00 UTC.
    assert [each.scheduled_for for each in skipped] == [datetime(2026, 1, day, 5, tzinfo=UTC) for day in (16, 18)]
    assert skipped[0].reason == "Calendar holidays excludes 2026-01-16."
    ran = [at - 5 * HOUR for at in due_times(job, status="queued")]
    assert {at.day for at in ran} == {15, 17, 19}


def test_an_excluded_day_is_not_missed(make_job):
    holidays = Calendar.objects.create(name="holidays", dates=["2026-01-16"])
    job = make_job("noop", schedule="0 * * * *", calendar=holidays)
    sync(NOON)

    tick(datetime(2026, 1, 17, 10, 30, tzinfo=UTC))

    missed = JobExecution.objects.get(job=job, status="missed")
    # 13:00 to 23:00 on the 15th, 00:00 to 09:00 on the 17th; 10:00 is caught up.
    assert missed.missed_count == 11 + 10
    assert JobExecution.objects.get(job=job, status="skipped").dedupe_key == "excluded:2026-01-16"


def test_a_calendar_that_jobs_use_cannot_be_deleted(make_job):
    holidays = Calendar.objects.create(name="holidays", dates=["2026-01-16"])
    make_job("noop", calendar=holidays)

    with pytest.raises(Exception, match="protected"):
        holidays.delete()


@pytest.mark.parametrize("dates", [["2026-02-30"], ["tomorrow"], [20260101], {"a": 1}, "2026-01-01"])
def test_what_is_no_list_of_dates_is_refused_and_breaks_only_its_jobs(make_job, dates):
    calendar = Calendar(name="odd", dates=dates)
    with pytest.raises(ValidationError):
        calendar.full_clean()
    calendar.save()
    broken = make_job("noop", name="broken", schedule="* * * * *", calendar=calendar)
    whole = make_job("noop", name="whole", schedule="* * * * *")

    run_clock(NOON, NOON + timedelta(minutes=1))

    broken.refresh_from_db()
    assert broken.broken_reason.startswith("Calendar odd: ")
    assert len(rows_of(whole)) == 1


def test_jitter_puts_off_the_start_and_is_no_lateness(make_job):
    job = make_job("noop", schedule="0 * * * *", jitter=timedelta(minutes=10))

    run_clock(NOON, NOON + 3 * HOUR)

    rows = JobExecution.objects.filter(job=job)
    assert [each.scheduled_for.minute for each in rows] == [0, 0, 0]
    delays = [each.due_at - each.scheduled_for for each in rows]
    assert all(timedelta(0) <= delay < timedelta(minutes=10) for delay in delays)
    assert len(set(delays)) == 3
    assert [each.run_after for each in rows] == [each.due_at for each in rows]
    first = rows[0]
    first.first_started_at = first.due_at + timedelta(seconds=2)
    assert first.lateness == timedelta(seconds=2)


@pytest.mark.parametrize(
    "pause", [{"paused": True}, {"paused": True, "paused_until": NOON + DAY}], ids=["for good", "until"]
)
def test_a_pause_between_look_and_tick_counts(make_job, pause):
    job = make_job("noop", schedule="0 * * * *")
    sync(NOON)
    Job.objects.filter(pk=job.pk).update(**pause)

    tick(NOON + HOUR)

    assert rows_of(job) == []
    sync(NOON + HOUR)
    expected = NOON + DAY + HOUR if "paused_until" in pause else None
    assert own_rows().get(id=f"cronjobs:{job.pk}").next_run_time == expected


def test_a_lost_clock_row_does_not_bring_back_what_was_disabled(make_job):
    job = make_job("noop", schedule="0 * * * *")
    run_clock(NOON, NOON + HOUR)
    Job.objects.filter(pk=job.pk).update(enabled=False)
    sync(NOON + HOUR)
    Job.objects.filter(pk=job.pk).update(enabled=True)
    sync(NOON + 9 * HOUR)
    own_rows().delete()

    restore(NOON + 9 * HOUR)
    tick(NOON + 9 * HOUR)

    assert due_times(job) == [NOON + HOUR]
    assert own_rows().get(id=f"cronjobs:{job.pk}").next_run_time == NOON + 10 * HOUR
