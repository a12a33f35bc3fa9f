"""Calling executions off: what becomes of them, who wanted it, and what happens in the same moment."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from cronjobs.database import read_clock
from cronjobs.exceptions import ExecutionNotFound
from cronjobs.manager import cron_manager
from cronjobs.models import JobExecution
from cronjobs.models.moves import Cancellation, Ending, cancel, claim, record
from cronjobs.states import FINAL, ExecutionStatus

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _noop(make_job):
    make_job("noop")


def request():
    return JobExecution.objects.request("noop")


def claimed():
    return [execution for execution, _ in claim(node="a", limit=10, now=read_clock("default")).executions]


def running():
    request()
    (execution,) = claimed()
    return execution


def ending(execution, status="succeeded", outcome=None):
    now = read_clock("default")
    return Ending(
        execution=execution,
        outcome=ExecutionStatus(outcome or status),
        status=ExecutionStatus(status),
        finished_at=now,
        duration_ms=5,
        run_after=now,
        claim_at=now,
    )


def every():
    return JobExecution.objects.all()


def test_what_waits_ends_at_once_and_says_who_and_why():
    execution = request()

    assert cancel(every(), reason="Wrong month.", by="ann") == Cancellation(cancelled=frozenset({execution.pk}))

    execution.refresh_from_db()
    assert (execution.status, execution.reason) == ("cancelled", "Wrong month.")
    assert (execution.cancel_requested_by, execution.cancel_reason) == ("ann", "Wrong month.")
    assert execution.queued_at <= execution.finished_at
    assert execution.cancel_requested_at is not None
    assert claimed() == []


def test_what_runs_is_asked_and_says_who_and_why():
    execution = running()

    assert cancel(every(), reason="Wrong month.", by="ann") == Cancellation(asked=frozenset({execution.pk}))

    execution.refresh_from_db()
    assert (execution.status, execution.reason, execution.finished_at) == ("running", "", None)
    assert (execution.cancel_requested_by, execution.cancel_reason) == ("ann", "Wrong month.")


def test_whoever_asks_second_changes_nothing():
    execution = running()
    cancel(every(), reason="First.", by="ann")

    assert cancel(every(), reason="Second.", by="bob") == Cancellation(asked_before=frozenset({execution.pk}))

    execution.refresh_from_db()
    assert (execution.cancel_requested_by, execution.cancel_reason) == ("ann", "First.")


@pytest.mark.parametrize("status", sorted(FINAL))
def test_what_has_ended_stays_as_it_is(status):
    execution = request()
    every().update(status=status)
    before = every().values().get()

    assert cancel(every(), reason="Late.", by="ann") == Cancellation()

    assert every().values().get(pk=execution.pk) == before


def test_text_that_no_database_takes_is_made_storable():
    execution = request()

    cancel(every(), reason="a\x00b\ud800" + "x" * 500, by="ann" * 100)

    execution.refresh_from_db()
    assert execution.cancel_reason == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}" + "x" * 196
    assert len(execution.cancel_requested_by) == 150


def test_in_code_it_is_the_managers_to_cancel():
    waiting, run = request(), None
    assert cron_manager.cancel(waiting.pk, reason="Enough.", by="ann").status == "cancelled"
    # Again is no error.
    assert cron_manager.cancel(waiting.pk).cancel_requested_by == "ann"

    run = running()
    assert cron_manager.cancel(run.pk, reason="Enough.").status == "running"
    with pytest.raises(ExecutionNotFound):
        cron_manager.cancel(0)


class Rival(threading.Thread):
    """Does `work` on a connection of its own, and keeps what came of it."""

    def __init__(self, work):
        super().__init__()
        self._work, self.result = work, None

    def run(self):
        try:
            self.result = self._work()
        finally:
            connection.close()


def meanwhile(first, second):
    """Begin `second` on another connection while the transaction in which `first` was done is open; return both results."""
    rival = Rival(second)
    with transaction.atomic():
        done = first()
        rival.start()
    rival.join(30)
    assert not rival.is_alive()
    return done, rival.result


@pytest.mark.django_db(transaction=True)
def test_an_end_that_is_being_written_wins_over_a_cancel():
    execution = running()

    lost, cancelled = meanwhile(lambda: record([], [ending(execution)]), lambda: cancel(every(), reason="x"))

    assert (lost, cancelled) == (set(), Cancellation())
    assert every().get().status == "succeeded"


@pytest.mark.django_db(transaction=True)
def test_a_cancel_that_is_being_written_lets_the_end_stand():
    execution = running()

    done, lost = meanwhile(lambda: cancel(every(), reason="x"), lambda: record([], [ending(execution)]))

    assert (done.asked, lost) == ({execution.pk}, set())
    stored = every().get()
    assert (stored.status, stored.cancel_reason) == ("succeeded", "x")


@pytest.mark.django_db(transaction=True)
def test_a_cancel_that_is_being_written_calls_the_next_attempt_off():
    execution = running()
    failure = ending(execution, status="queued", outcome="failed")

    _, lost = meanwhile(lambda: cancel(every(), reason="x", by="ann"), lambda: record([], [failure]))

    assert lost == set()
    stored = every().get()
    assert (stored.status, stored.reason) == ("cancelled", "x")
    assert claimed() == []


@pytest.mark.django_db(transaction=True)
def test_a_failure_that_is_being_written_is_cancelled_before_its_next_attempt():
    execution = running()
    failure = ending(execution, status="queued", outcome="failed")

    _, done = meanwhile(lambda: record([], [failure]), lambda: cancel(every(), reason="x", by="ann"))

    assert done.cancelled == {execution.pk}
    assert every().get().status == "cancelled"


@pytest.mark.django_db(transaction=True)
def test_what_is_being_claimed_is_asked_and_not_cancelled():
    execution = request()

    (claims, done) = meanwhile(claimed, lambda: cancel(every(), reason="x"))

    assert ([each.pk for each in claims], done.asked) == ([execution.pk], {execution.pk})
    assert every().get().status == "running"


@pytest.mark.django_db(transaction=True)
def test_what_is_being_cancelled_is_not_claimed():
    execution = request()

    (done, claims) = meanwhile(lambda: cancel(every(), reason="x"), claimed)

    assert (done.cancelled, claims) == ({execution.pk}, [])
    assert every().get().status == "cancelled"


@pytest.mark.django_db(transaction=True)
def test_many_cancels_and_ends_in_a_crowd_leave_one_truth():
    for _ in range(40):
        request()
    executions = claimed() + claimed()
    waiting = [request().pk for _ in range(20)]
    barrier = threading.Barrier(3)

    def crowd(work):
        def run():
            barrier.wait()
            return work()

        return Rival(run)

    def finish_each():
        return [record([], [ending(each)]) for each in executions]

    rivals = [
        crowd(finish_each),
        crowd(lambda: [cancel(every().filter(pk=each.pk), reason="x", by="ann") for each in reversed(executions)]),
        crowd(lambda: [cancel(every().filter(pk=pk), reason="y", by="bob") for pk in waiting]),
    ]
    for each in rivals:
        each.start()
    for each in rivals:
        each.join(60)

    finished, asked, cancelled = (each.result for each in rivals)
    assert finished == [set()] * len(executions)
    assert all(each.cancelled == each.asked_before == frozenset() for each in asked)
    assert {pk for each in cancelled for pk in each.cancelled} == set(waiting)
    assert set(every().filter(pk__in=waiting).values_list("status", "cancel_requested_by")) == {("cancelled", "bob")}
    ended = every().filter(pk__in=[each.pk for each in executions])
    assert set(ended.values_list("status", flat=True)) == {"succeeded"}
    told = {pk for each in asked for pk in each.asked}
    assert set(ended.filter(cancel_requested_by="ann").values_list("pk", flat=True)) == told
