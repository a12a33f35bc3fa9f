"""Nothing hides lost work: not a node's name that is used again, not a row of a node that was removed."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction

from cronjobs.database import SteadyClock, read_clock
from cronjobs.models import ExecutionAttempt, JobExecution, Node
from cronjobs.models.moves import Cancellation, Ending, abandon, cancel, claim, claim_one, record, renew, rescue
from cronjobs.scheduler.clock import Clock
from cronjobs.scheduler.upkeep import NodeState, Upkeep
from cronjobs.states import MOVES, ExecutionStatus

pytestmark = pytest.mark.django_db

NAME = "host:1:aaaaaa"


def now():
    return read_clock("default")


@pytest.fixture
def upkeep():
    return make_upkeep()


def make_upkeep():
    """Return what looks after lost work in a node that has the name of the one that fell silent."""
    time = SteadyClock()
    time.set(now())
    upkeep = Upkeep(NodeState(name=NAME, workers=1, time=time, clock=Clock(time=time), running=lambda: 0))
    upkeep.introduce()
    return upkeep


def claimed(make_job, *, node=NAME, **columns):
    make_job("noop", **columns)
    JobExecution.objects.request("noop")
    ((execution, _),) = claim(node=node, limit=1, now=now()).executions
    return execution


def silent(execution):
    """Let the lease of an execution have run out."""
    JobExecution.objects.filter(pk=execution.pk).update(lease_expires_at=now() - timedelta(seconds=1))


def be_patient(upkeep):
    """Let the node have seen the database answer for long enough."""
    upkeep._calm_since -= upkeep._patience
    upkeep.beat()


@pytest.mark.parametrize("nodes", ["has the same name again", "was removed", "stopped politely", "none but others"])
def test_lost_work_is_found_whatever_became_of_its_node(upkeep, make_job, nodes):
    execution = claimed(make_job)
    silent(execution)
    match nodes:
        case "was removed":
            Node.objects.filter(name=NAME).delete()
        case "stopped politely":
            Node.objects.filter(name=NAME).update(stopped_at=now())
        case "none but others":
            Node.objects.filter(name=NAME).update(name="host:2:bbbbbb")

    be_patient(upkeep)

    execution.refresh_from_db()
    assert (execution.status, execution.claim_token) == ("lost", "")
    assert list(ExecutionAttempt.objects.values_list("status", "node")) == [("lost", NAME)]


def test_a_node_with_the_same_name_does_not_keep_anothers_claim_alive(make_job):
    first = claimed(make_job)
    silent(first)
    ours = claimed(make_job)

    assert renew([ours]) == []

    assert [each.pk for each in rescue()] == [first.pk]


def test_nothing_is_declared_lost_before_the_database_has_answered_for_long_enough(upkeep, make_job):
    execution = claimed(make_job)
    silent(execution)

    upkeep.beat()
    execution.refresh_from_db()
    assert execution.status == "running"

    # Each error begins the wait anew.
    upkeep._calm_since -= upkeep._patience
    upkeep.distrust()
    upkeep.beat()
    execution.refresh_from_db()
    assert execution.status == "running"

    be_patient(upkeep)
    execution.refresh_from_db()
    assert execution.status == "lost"


# Every way to leave "running" that an ending can take.
ENDINGS = sorted(MOVES[ExecutionStatus.RUNNING])


def ending_of(execution, status):
    outcome = ExecutionStatus.FAILED if status == ExecutionStatus.QUEUED else status
    return Ending(
        execution=execution,
        outcome=outcome,
        status=status,
        finished_at=now(),
        duration_ms=1,
        run_after=execution.run_after,
        claim_at=execution.claim_at,
        result={"by": "the stale one"},
    )


def everything_about(execution):
    (row,) = JobExecution.objects.filter(pk=execution.pk).values()
    return row, list(ExecutionAttempt.objects.filter(execution_id=execution.pk).values())


@pytest.fixture(params=["claimed by another", "final", "waiting again"])
def stale(request, make_job):
    """A claim that is no longer good, because its execution is somewhere else by now."""
    stale = claimed(make_job, rerun_lost=True)
    silent(stale)
    rescue()
    if request.param != "waiting again":
        fresh = claim_one(JobExecution.objects.get(pk=stale.pk), node="host:2:bbbbbb", now=now())
        if request.param == "final":
            assert record([], [ending_of(fresh, ExecutionStatus.SUCCEEDED)]) == set()
    return stale


@pytest.mark.parametrize("status", ENDINGS)
def test_an_ending_with_a_stale_token_changes_nothing(stale, status):
    before = everything_about(stale)

    assert record([], [ending_of(stale, status)]) == {stale.pk}

    assert everything_about(stale) == before


def test_giving_up_or_renewing_with_a_stale_token_changes_nothing(stale):
    before = everything_about(stale)

    assert abandon([stale], reason="The node stopped.") == []
    assert renew([stale]) == [stale]

    assert everything_about(stale) == before


def test_what_is_final_stays_as_it_is(make_job):
    execution = claimed(make_job)
    record([], [ending_of(execution, ExecutionStatus.SUCCEEDED)])
    before = everything_about(execution)

    assert rescue() == []
    assert cancel(JobExecution.objects.filter(pk=execution.pk), reason="Too late.") == Cancellation()
    # Its own token as well: the first ending is the one that counts.
    assert record([], [ending_of(execution, ExecutionStatus.FAILED)]) == set()

    (row, _), (was, _) = everything_about(execution), before
    assert row == was


def test_a_lease_that_ran_out_while_the_rescuer_had_to_wait_is_not_lost(make_job):
    execution = claimed(make_job)
    silent(execution)
    execution.refresh_from_db()

    assert rescue(until=execution.lease_expires_at) == []
    assert [each.pk for each in rescue(until=execution.lease_expires_at + timedelta(milliseconds=1))] == [execution.pk]


@pytest.mark.django_db(transaction=True)
def test_a_heartbeat_that_has_to_wait_begins_the_wait_anew(settings, make_job):
    settings.CRONJOBS = {"LEASE": 3}
    upkeep = make_upkeep()
    execution = claimed(make_job)
    upkeep._calm_since -= upkeep._patience
    assert upkeep.is_calm()

    with locked_node() as release:
        # Meanwhile nobody else can say that it lives either, and the lease runs out.
        threading.Timer(upkeep._patience + 1, release).start()
        upkeep.beat()

    silent(execution)
    upkeep.beat()
    execution.refresh_from_db()
    assert (execution.status, upkeep.is_calm()) == ("running", False)


@contextmanager
def locked_node():
    """Let another transaction hold the row of the node until what is yielded is called."""
    held, released = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            Node.objects.filter(name=NAME).update(running=1)
            held.set()
            released.wait(60)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    yield released.set
    released.set()
    thread.join()
