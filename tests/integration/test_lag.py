"""The lag is how late due work is although nothing but the engine keeps it from starting."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs import health
from cronjobs.database import DatabaseNow, database_now_plus
from cronjobs.models import Job, JobExecution, Node, Queue
from cronjobs.models.queue import EVERYTHING
from cronjobs.scheduler.clock_rows import own_rows
from cronjobs.scheduler.plans import sync

pytestmark = pytest.mark.django_db


@pytest.fixture
def node(db):
    """The only node, which has two workers and nothing to do."""
    now = DatabaseNow()
    return Node.objects.create(name="a", pid=1, workers=2, started_at=now, heartbeat_at=now, last_tick_at=now)


@pytest.fixture(autouse=True)
def _nothing_scheduled(db):
    Job.objects.update(schedule="")


def waiting(name="noop", **span):
    """Return an execution that has been due for so long."""
    execution = JobExecution.objects.request(name)
    due = database_now_plus(-timedelta(**span))
    JobExecution.objects.filter(pk=execution.pk).update(run_after=due, claim_at=due)
    return execution


def test_without_anything_due_there_is_none(node):
    found = health.check_lag()

    assert (found.status, found.details["lagSeconds"]) == ("ok", 0.0)


def test_a_short_wait_is_told_and_no_fault(node):
    waiting(seconds=20)

    found = health.check_lag()

    assert found.status == "ok"
    assert 20 <= found.details["lagSeconds"] < 50


def test_what_waits_for_long_although_a_worker_is_free_is_a_warning(node):
    waiting(minutes=3)

    found = health.check_lag()

    assert found.status == "warning"
    assert 180 <= found.details["lagSeconds"] == found.details["waitSeconds"] < 210
    assert health.is_scheduling(health.check_scheduling())


def test_what_waits_for_a_worker_is_no_lag(node):
    waiting(minutes=3)
    Node.objects.update(running=2)

    assert health.check_lag().details["lagSeconds"] == 0.0


def test_what_a_limit_holds_back_is_no_lag(node, make_job):
    make_job("succeeds", overlap="queue")
    waiting("succeeds", minutes=5)
    JobExecution.objects.update(status="running")
    waiting("succeeds", minutes=3)

    assert health.check_lag().details["lagSeconds"] == 0.0


@pytest.mark.parametrize("queue", [EVERYTHING, "default"])
def test_what_a_pause_holds_back_is_no_lag(node, queue):
    waiting(minutes=3)
    Queue.objects.ensure([EVERYTHING, JobExecution.objects.get().queue])
    names = [EVERYTHING] if queue == EVERYTHING else [JobExecution.objects.get().queue]
    Queue.objects.filter(name__in=names).update(paused=True)

    assert health.check_lag().details["lagSeconds"] == 0.0


def test_a_due_time_that_nobody_decides_is_a_failure(node, make_job, database_now):
    make_job("noop", schedule="@every 1h")
    sync(database_now)
    own_rows().update(next_run_time=database_now - timedelta(seconds=90))

    found = health.check_lag()

    assert found.status == "failed"
    assert 90 <= found.details["undecidedSeconds"] < 120
    assert not health.is_scheduling(health.check_scheduling())


def test_without_a_node_nobody_is_late(make_job, database_now):
    waiting(minutes=3)

    found = health.check_lag()

    assert (found.status, found.details["lagSeconds"]) == ("not_configured", None)
