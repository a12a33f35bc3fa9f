"""After a purge nothing that is past runs again: not by a clock row that was lost, not by one that stands still."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs.models import Job, JobExecution
from cronjobs.models.execution import occurrence_key
from cronjobs.scheduler.backfills import Backfill
from cronjobs.scheduler.clock_rows import own_rows
from cronjobs.scheduler.plans import reconcile, restore, sync
from cronjobs.scheduler.ticks import tick
from tests.integration.conftest import rows_of
from tests.integration.retention.conftest import DAY, left, purge

pytestmark = pytest.mark.django_db


@pytest.fixture
def daily(make_job, database_now):
    """A job that has been due each day for a year, and makes up for whatever it has missed."""
    Job.objects.all().delete()
    job = make_job("noop", schedule="0 12 * * *", misfire_grace=timedelta(days=300), catch_up="all")
    sync(database_now - 365 * DAY)
    return job


@pytest.fixture
def occurrence(daily, record, database_now):
    """Record that a due time, so many noons ago, was decided."""

    def make(days, status="succeeded", **columns):
        at = database_now.replace(hour=12, minute=0, second=0, microsecond=0) - days * DAY
        times = dict.fromkeys(("scheduled_for", "finished_at", "started_at"), at)
        return record(daily, days, status, **{"dedupe_key": occurrence_key(at), **times, **columns})

    return make


def lose_the_clock_row(now):
    own_rows().delete()
    assert restore(now) == 1
    tick(now)


def due_times(job):
    return {at for trigger, _, at in rows_of(job) if trigger in ("schedule", "catch_up")}


def test_a_lost_clock_row_goes_on_where_history_ended_although_that_was_purged(daily, occurrence, record, database_now):
    success = occurrence(120)
    for days in range(119, 100, -1):
        occurrence(days, "failed")
    last = occurrence(100, "failed")
    # Newer, but nobody's due time.
    newest = record(daily, 99, "failed", trigger="manual", dedupe_key=None)

    assert purge(database_now).executions == 19
    assert left() == [success.pk, last.pk, newest.pk]

    lose_the_clock_row(database_now)

    # What nobody has decided is made up for; nothing of what was purged is due again.
    again = due_times(daily) - {success.scheduled_for, last.scheduled_for}
    assert again
    assert min(again) == last.scheduled_for + DAY


def test_the_span_of_what_was_missed_may_end_later_than_what_ran(daily, occurrence, database_now):
    for days in (130, 129):
        occurrence(days)
    missed = occurrence(128, "missed", dedupe_key=None, missed_until=database_now - 100 * DAY)
    last = occurrence(127)

    purge(database_now)
    assert left() == [missed.pk, last.pk]
    lose_the_clock_row(database_now)

    assert min(due_times(daily) - {missed.scheduled_for, last.scheduled_for}) > database_now - 100 * DAY


def test_a_start_after_a_purge_makes_nothing_due(daily, occurrence, database_now):
    own_rows().update(next_run_time=database_now + DAY)
    for days in range(60, 40, -1):
        occurrence(days)

    assert purge(database_now).executions == 19
    reconcile(database_now)
    reconcile(database_now, rewind=True)
    assert tick(database_now) == 0

    assert JobExecution.objects.open().count() == 0


def test_a_back_fill_knows_how_little_is_kept_by_number(daily, database_now, settings):
    def objection(days):
        return Backfill(daily, start=database_now - days * DAY, end=database_now).objection

    assert objection(2) == ""
    settings.CRONJOBS = {**settings.CRONJOBS, "HISTORY_PER_JOB": 100}

    assert "longer ago than executions are kept" in objection(2)
    assert objection(0.9) == ""
