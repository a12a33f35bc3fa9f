"""Observers are told of every end, once, and only of what the database has."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction

from cronjobs import events
from cronjobs.database import read_clock
from cronjobs.models import Calendar, Job, JobExecution
from cronjobs.models.moves import Ending, abandon, cancel, claim, record, rescue
from cronjobs.runner import announce
from cronjobs.scheduler.plans import sync
from cronjobs.scheduler.requests import skip_next
from cronjobs.scheduler.ticks import tick
from cronjobs.states import ExecutionStatus
from tests.integration.conftest import NOON
from tests.integration.listening import listening
from tests.integration.test_unreadable_rows import HUGE, write

# Without it nothing is ever committed.
pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)
FINISHED, LOST, RETRIED = "execution_finished", "execution_lost", "execution_retried"


@pytest.fixture(autouse=True)
def _nothing_else_scheduled(db):
    Job.objects.all().delete()


@pytest.fixture
def heard():
    with listening(FINISHED, LOST, RETRIED) as found:
        yield found


def request(name="noop", **options):
    return JobExecution.objects.request(name, **options)


def running(make_job, **columns):
    make_job("noop", **columns)
    request()
    ((execution, _),) = claim(node="a", limit=1, now=read_clock("default")).executions
    return execution


def expire(execution):
    JobExecution.objects.filter(pk=execution.pk).update(lease_expires_at=read_clock("default") - MINUTE)


def one(**columns):
    return JobExecution.objects.get(**columns)


def test_what_is_cancelled_while_it_waits_is_final(make_job, heard):
    make_job("noop")
    execution = request()

    cancel(JobExecution.objects.all(), reason="enough")
    cancel(JobExecution.objects.all(), reason="again")

    assert heard == [(FINISHED, execution.pk, "cancelled")]


def test_what_is_only_asked_to_stop_is_not_final(make_job, heard):
    running(make_job)

    cancel(JobExecution.objects.all(), reason="enough")

    assert heard == []


def test_nobody_is_told_before_the_callers_commit(make_job, heard):
    make_job("noop")
    execution = request()

    with transaction.atomic():
        cancel(JobExecution.objects.all(), reason="enough")
        assert heard == []

    assert heard == [(FINISHED, execution.pk, "cancelled")]


def test_nobody_is_told_of_what_is_rolled_back(make_job, heard):
    make_job("noop")
    request()

    with transaction.atomic():
        cancel(JobExecution.objects.all(), reason="enough")
        transaction.set_rollback(True)

    assert heard == []
    assert one().status == "queued"


def test_what_would_be_tried_again_but_was_asked_to_stop_is_final(make_job, heard):
    execution = running(make_job)
    cancel(JobExecution.objects.all(), reason="Enough.", by="ann")
    now = read_clock("default")
    failure = Ending(
        execution=execution,
        outcome=ExecutionStatus.FAILED,
        status=ExecutionStatus.QUEUED,
        finished_at=now,
        duration_ms=5,
        run_after=now,
        claim_at=now,
    )

    record([], [failure])
    # As after a reply to COMMIT that was lost.
    record([], [failure])
    announce(failure)

    assert heard == [(FINISHED, execution.pk, "cancelled")]
    stored = one()
    for fact in ("status", "reason", "cancel_requested_by", "finished_at"):
        assert getattr(stored, fact) == getattr(execution, fact), fact
    assert (stored.status, stored.reason, stored.cancel_requested_by) == ("cancelled", "Enough.", "ann")


@pytest.mark.parametrize("way", ["rescue", "abandon"])
def test_a_loss_is_told_as_a_loss_and_as_an_end(make_job, heard, way):
    execution = running(make_job)
    expire(execution)

    rescue() if way == "rescue" else abandon([execution], reason="The node stopped.")

    assert heard == [(LOST, execution.pk, "lost"), (FINISHED, execution.pk, "lost")]


def test_a_loss_that_is_tried_again_is_not_the_end(make_job, heard):
    execution = running(make_job, rerun_lost=True)
    expire(execution)

    rescue()

    assert heard == [(LOST, execution.pk, "queued")]


def test_a_due_time_that_is_skipped_is_told_once(make_job, heard):
    make_job("succeeds", schedule="* * * * *")
    sync(NOON)
    tick(NOON + MINUTE)
    tick(NOON + 2 * MINUTE)

    assert heard == [(FINISHED, one(status="skipped").pk, "skipped")]


def test_due_times_that_were_missed_are_told(make_job, heard):
    make_job("noop", schedule="* * * * *", misfire_grace=timedelta(minutes=1))
    sync(NOON)
    tick(NOON + timedelta(hours=2))

    assert heard == [(FINISHED, one(status="missed").pk, "missed")]


def test_a_day_that_a_calendar_excludes_is_told_once(make_job, heard):
    calendar = Calendar.objects.create(name="holidays", dates=[f"{NOON:%Y-%m-%d}"])
    make_job("noop", schedule="* * * * *", calendar=calendar)
    sync(NOON)
    for minute in (1, 2, 3):
        tick(NOON + minute * MINUTE)

    assert heard == [(FINISHED, one(status="skipped").pk, "skipped")]


def test_an_occurrence_that_was_skipped_ahead_of_time_is_told_when_that_is_asked(make_job, heard, database_now):
    at = database_now.replace(second=0, microsecond=0) + timedelta(minutes=30)
    job = make_job("noop", schedule=f"@every 1h from {at:%Y-%m-%dT%H:%M:%SZ}")
    sync(database_now)

    skipped = skip_next(job, by="ann")
    tick(at + timedelta(seconds=1))

    assert heard == [(FINISHED, skipped.pk, "skipped")]


def test_what_is_replaced_while_it_waits_is_told(make_job, heard):
    make_job("succeeds", schedule="* * * * *", overlap="replace")
    sync(NOON)
    tick(NOON + MINUTE)
    tick(NOON + 2 * MINUTE)

    assert heard == [(FINISHED, one(status="cancelled").pk, "cancelled")]


def test_a_row_that_cannot_be_read_is_told_by_what_can(make_job, heard):
    make_job("noop")
    execution = request()
    column, value = ("scheduled_for", "infinity") if connection.vendor == "postgresql" else ("params", HUGE)
    write("cronjobs_jobexecution", column, value, execution.pk)

    claim(node="a", limit=1, now=read_clock("default"))

    assert heard == [(FINISHED, execution.pk, "skipped")]


def test_an_observer_may_use_the_engine(make_job):
    """Also where the commit that it is told of was the engine's own: nothing may be locked by then."""
    make_job("succeeds", schedule="* * * * *", overlap="replace")
    make_job("noop")
    wanted, answers = request(), []

    def cancel_another(*, execution, **_):
        if execution.pk != wanted.pk:
            answers.append(cancel(JobExecution.objects.filter(pk=wanted.pk), reason="Follows."))

    sync(NOON)
    tick(NOON + MINUTE)
    events.execution_finished.connect(cancel_another)
    try:
        tick(NOON + 2 * MINUTE)
    finally:
        events.execution_finished.disconnect(cancel_another)

    wanted.refresh_from_db()
    assert [each.cancelled for each in answers] == [{wanted.pk}]
    assert wanted.status == "cancelled"


def test_a_broken_observer_disturbs_neither_the_tick_nor_the_others(make_job, heard, caplog):
    def break_down(**_):
        raise RuntimeError("broken observer")

    make_job("succeeds", schedule="* * * * *")
    sync(NOON)
    tick(NOON + MINUTE)
    events.execution_finished.connect(break_down)
    try:
        assert tick(NOON + 2 * MINUTE) == 1
    finally:
        events.execution_finished.disconnect(break_down)

    assert [status for _, _, status in heard] == ["skipped"]
    assert "broken observer" in caplog.text
