"""When jobs start within a day: as their previews say, and in a few words what would be too much."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cronjobs.scheduler.coming import MOST_STARTS, coming_starts, minutes_of, next_starts, starts_in_minute
from cronjobs.scheduler.previews import preview_job

# In the hour before the clocks of Berlin go forward.
NOW = datetime(2026, 3, 28, 23, 40, 13, 500_000, tzinfo=UTC)
DAY = {"now": NOW, "until": NOW + timedelta(hours=24)}


@pytest.mark.parametrize(
    "columns",
    [
        {"schedule": "30 2 * * *", "time_zone": "Europe/Berlin"},
        {"schedule": "*/45 * * * *"},
        {"schedule": "@every 31m from 2026-01-01T00:00:00Z"},
        {"schedule": "0 * * * *", "jitter": timedelta(minutes=20)},
        {"schedule": "0 * * * *", "starts_at": NOW + timedelta(hours=5)},
        {"schedule": "0 * * * *", "ends_at": NOW + timedelta(hours=5)},
        {"schedule": "0 * * * *", "paused": True, "paused_until": NOW + timedelta(hours=20)},
        {"schedule": "* 3 * * *", "ends_at": NOW + timedelta(hours=3, minutes=40)},
        {"schedule": "0 0 1 1 *"},
        {"schedule": ""},
    ],
)
def test_starts_are_those_of_the_preview(make_job, columns):
    job = make_job("noop", **columns)
    shown = preview_job(job, after=NOW, until=NOW + timedelta(hours=24))

    found = coming_starts(job.resolve(), **DAY)

    assert found.starts == tuple(each.start or each.at for each in shown.fires if each.runs)
    assert not found.is_frequent


@pytest.mark.parametrize("columns", [{"enabled": False}, {"paused": True}])
def test_what_does_not_run_has_no_starts(make_job, columns):
    job = make_job("noop", schedule="0 * * * *", **columns).resolve()

    assert coming_starts(job, **DAY).starts == ()
    assert next_starts(job, **DAY, most=3) == []
    assert not starts_in_minute(job, datetime(2026, 3, 29, 1, tzinfo=UTC), **DAY)


@pytest.mark.parametrize("schedule", ["* * * * * *", "* * * * *", "*/29 * * * *", "* 3 * * *"])
def test_too_many_are_frequent(make_job, schedule):
    found = coming_starts(make_job("noop", schedule=schedule).resolve(), **DAY)

    assert found.is_frequent
    assert found.starts == ()


def test_as_many_as_are_told_are_not_frequent(make_job):
    found = coming_starts(make_job("noop", schedule="*/30 * * * *").resolve(), **DAY)

    assert len(found.starts) == MOST_STARTS


def test_skipped_due_times_are_left_out(make_job):
    job = make_job("noop", schedule="0 * * * *").resolve()
    skipped = datetime(2026, 3, 29, 1, tzinfo=UTC)

    assert skipped not in coming_starts(job, **DAY, skipped=[skipped]).starts
    assert skipped not in next_starts(job, **DAY, most=5, skipped=[skipped])
    assert not starts_in_minute(job, skipped, **DAY, skipped=[skipped])


def test_the_first_starts_of_a_frequent_job(make_job):
    job = make_job("noop", schedule="* * * * *").resolve()

    assert next_starts(job, **DAY, most=2) == [
        datetime(2026, 3, 28, 23, 41, tzinfo=UTC),
        datetime(2026, 3, 28, 23, 42, tzinfo=UTC),
    ]


@pytest.mark.parametrize("jitter", [None, timedelta(minutes=25), timedelta(hours=3)])
def test_whether_a_job_starts_in_a_minute_is_what_its_starts_say(make_job, jitter):
    job = make_job("noop", schedule="*/37 * * * *", jitter=jitter).resolve()
    shown = minutes_of(coming_starts(job, **DAY).starts)
    first = NOW.replace(second=0, microsecond=0)

    found = {minute for n in range(24 * 60) if starts_in_minute(job, minute := first + n * timedelta(minutes=1), **DAY)}

    assert found == {each for each in shown if each < first + timedelta(hours=24)}


def test_a_frequent_job_is_counted_however_long_its_jitter(make_job):
    job = make_job("noop", schedule="* * * * *", jitter=timedelta(hours=3)).resolve()

    # Each starts before the next one is due.
    assert starts_in_minute(job, datetime(2026, 3, 29, 1, tzinfo=UTC), **DAY)
