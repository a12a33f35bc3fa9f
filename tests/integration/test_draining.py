"""A node in this process that is asked to drain: what it still does, what it leaves, and how that is called off."""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import pairwise

import pytest

from cronjobs.database import SteadyClock, database_now_plus, read_clock
from cronjobs.exceptions import NodeNotAlive
from cronjobs.executors.thread import ThreadExecutor
from cronjobs.manager import CronManager, cron_manager
from cronjobs.models import Job, JobExecution, Node
from cronjobs.models.moves import cancel
from cronjobs.models.waiting import why_waiting
from cronjobs.scheduler import dispatcher as dispatchers
from cronjobs.scheduler.clock import Clock
from cronjobs.scheduler.dispatcher import Dispatcher
from cronjobs.scheduler.looks import Look, look
from cronjobs.scheduler.plans import sync
from cronjobs.scheduler.trends import MOST_POINTS, MemoryTrend
from cronjobs.scheduler.upkeep import NodeState, Upkeep
from tests.integration.conftest import holdings
from tests.servers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def patient(start_node):
    """A node that runs a job which ends only when it is asked to stop, and that job's execution."""
    node = start_node()
    execution = JobExecution.objects.request("patient")
    wait_for(lambda: status_of(execution) == "running")
    return node, execution


def status_of(execution):
    execution.refresh_from_db()
    return execution.status


def end(execution):
    cancel(JobExecution.objects.filter(pk=execution.pk), reason="Enough.")


def row_of(node):
    return Node.objects.with_state().get(name=node.name)


def test_a_node_that_runs_nothing_drains_at_once(start_node, caplog):
    caplog.set_level(logging.INFO, logger="cronjobs")
    node = start_node()

    cron_manager.drain_node(node.name, by="ann")

    wait_for(lambda: node.is_drained)
    assert row_of(node).state == "stopped"
    assert f"Node {node.name} was asked to drain by ann." in caplog.messages
    assert f"Node {node.name} has drained." in caplog.messages


def test_what_runs_can_be_cancelled_while_its_node_drains_and_then_it_ends(patient):
    node, execution = patient
    cron_manager.drain_node(node.name)
    waiting = JobExecution.objects.request("noop")

    end(execution)

    wait_for(lambda: node.is_drained)
    assert status_of(execution) == "cancelled"
    assert status_of(waiting) == "queued"


def test_a_node_that_is_asked_to_keep_working_starts_what_has_waited(patient, caplog):
    caplog.set_level(logging.INFO, logger="cronjobs")
    node, execution = patient
    cron_manager.drain_node(node.name)
    wait_for(lambda: any("claims nothing more" in message for message in caplog.messages))
    waiting = JobExecution.objects.request("noop")
    now = read_clock("default")
    assert why_waiting(waiting, now=now).startswith("Every node that is alive is draining")

    assert cron_manager.undrain_node(node.name).drain_requested_at is None

    wait_for(lambda: status_of(waiting) == "succeeded")
    assert not node.is_drained
    assert row_of(node).state == "alive"
    end(execution)


def test_once_it_has_taken_leave_nobody_can_call_it_off(start_node):
    node = start_node()
    cron_manager.drain_node(node.name)
    wait_for(lambda: node.is_drained)

    with pytest.raises(NodeNotAlive, match="has stopped"):
        cron_manager.undrain_node(node.name)


def test_a_drain_that_was_called_off_in_the_last_moment_ends_nothing():
    time = SteadyClock()
    upkeep = Upkeep(NodeState(name="a", workers=1, time=time, clock=Clock(time=time), running=lambda: 0))
    upkeep.introduce()
    cron_manager.drain_node("a")
    cron_manager.undrain_node("a")

    assert upkeep.leave() is False
    assert Node.objects.get().stopped_at is None

    cron_manager.drain_node("a")
    assert upkeep.leave() is True


def test_a_deadline_ends_a_node_whose_work_does_not(settings, patient):
    settings.CRONJOBS = {"DRAIN_GRACE": 0.2}
    node, execution = patient

    cron_manager.drain_node(node.name)

    wait_for(lambda: node.is_drained)
    assert node.running == 1
    assert node.stop(grace=timedelta(0)) is False
    assert status_of(execution) == "lost"


def test_a_node_that_drains_leaves_due_times_to_others(make_job):
    job = make_job("noop", schedule="* * * * * *")
    sync(read_clock("default") - timedelta(seconds=3))
    due = look().next_due
    node = Node.objects.create(
        name="a",
        hostname="h",
        pid=1,
        version="1",
        workers=1,
        started_at=due,
        heartbeat_at=database_now_plus(timedelta(hours=1)),
    )
    cron_manager.drain_node("a")
    clock = Clock(time=SteadyClock(), node="a")

    seen = clock.tick_once()

    assert (seen.is_draining, look("a").is_draining, look("b").is_draining) == (True, True, False)
    assert clock.last_tick_at is None
    assert look().next_due == due
    assert not JobExecution.objects.filter(job=job).exists()
    # It does not look more often because something is due.
    assert clock._wait_until_next(seen) == clock._poll

    cron_manager.undrain_node(node.name)
    clock.tick_once()
    assert JobExecution.objects.filter(job=job).exists()


def test_a_look_takes_one_statement_whoever_looks(django_assert_num_queries):
    with django_assert_num_queries(1):
        look("a")


def test_a_claim_whose_reply_was_lost_is_still_run_by_a_node_that_drains(monkeypatch):
    steady = SteadyClock()
    now = read_clock("default")
    steady.set(now)
    execution = JobExecution.objects.request("noop")
    ended = []
    executor = ThreadExecutor(size=1, now=steady.now, done=lambda claim, ending: ended.append(claim.execution.pk))
    dispatcher = Dispatcher(node="a", time=steady, executor=executor, held=holdings(executor))
    real = dispatchers.claim

    def claim_and_lose_the_reply(**options):
        real(**options)
        raise ConnectionError("The reply was lost.")

    monkeypatch.setattr(dispatchers, "claim", claim_and_lose_the_reply)
    with pytest.raises(ConnectionError):
        dispatcher.claim_once()
    monkeypatch.undo()
    dispatcher.heed(_seen(now, is_draining=True))
    another = JobExecution.objects.request("noop")

    assert dispatcher.is_owed_an_answer
    assert dispatcher.claim_once() == 1
    assert not dispatcher.is_owed_an_answer
    assert dispatcher.claim_once() == 0

    wait_for(lambda: ended == [execution.pk])
    assert status_of(another) == "queued"
    executor.shutdown()


def _seen(now, *, is_draining):
    return Look(
        now=now,
        is_stale=False,
        is_broken=False,
        next_due=None,
        is_claimable=True,
        is_stopping=False,
        is_followup_due=False,
        next_claim=None,
        drain_requested_at=now if is_draining else None,
    )


def test_a_program_that_runs_a_node_learns_that_it_has_drained():
    Job.objects.update(schedule="")
    manager = CronManager()
    manager.start()
    name = Node.objects.get().name
    try:
        manager.drain_node(name)
        wait_for(lambda: not manager.is_running)
        # As after a failure: another one takes its place.
        assert manager.start() is True
        assert Node.objects.alive().exclude(name=name).count() == 1
    finally:
        manager.stop()


def test_the_memory_of_two_hours_is_kept_a_minute_apart():
    trend, start = MemoryTrend(), read_clock("default").replace(microsecond=0)
    added = [trend.add(start + timedelta(seconds=20 * n), n) for n in range(3 * (MOST_POINTS + 5))]

    points = trend.as_json()
    assert added[:4] == [True, False, False, True]
    assert len(points) == MOST_POINTS
    assert points[-1] == [int(start.timestamp()) + 60 * (MOST_POINTS + 4), 3 * (MOST_POINTS + 4)]
    assert {after[0] - before[0] for before, after in pairwise(points)} == {60}
    # A clock that is set back silences nobody.
    assert trend.add(start, 1)


def test_a_node_tells_its_memory_and_its_load_with_its_heartbeat(start_node, django_assert_num_queries):
    node = start_node()
    row = wait_for(lambda: Node.objects.filter(name=node.name, cpu_percent__isnull=False).first())

    ((at, size),) = row.memory_trend
    assert abs(at - row.started_at.timestamp()) <= 2
    assert size > 10_000_000
    with django_assert_num_queries(1):
        node._upkeep._report()


def test_a_job_that_can_step_aside_learns_that_its_node_drains(start_node):
    node = start_node()
    execution = JobExecution.objects.request("steps-aside")
    wait_for(lambda: status_of(execution) == "running")

    cron_manager.drain_node(node.name, by="ann")

    wait_for(lambda: node.is_drained)
    assert status_of(execution) == "succeeded"
    assert execution.result == {"nodeIsStopping": True}


def test_a_job_that_can_step_aside_learns_that_its_node_stops(start_node):
    node = start_node()
    execution = JobExecution.objects.request("steps-aside")
    wait_for(lambda: status_of(execution) == "running")

    assert node.stop(grace=timedelta(seconds=60))

    assert status_of(execution) == "succeeded"
