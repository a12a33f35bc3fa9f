"""A thread of a node that really hangs is told of: in the log, in the node's row and by the probes; and forgotten when it goes on."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection

from cronjobs import events, health
from cronjobs.models import Job, JobExecution, Node
from cronjobs.scheduler.node import NodeProcess
from tests.locks import table_locked
from tests.servers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def node(transactional_db, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "STUCK_AFTER": 1, "LEASE": 3}
    Job.objects.update(schedule="")
    process = NodeProcess(workers=1)
    process.start()
    yield process
    process.stop(grace=timedelta(seconds=10))


@contextmanager
def hanging_observer():
    """An observer that does not come back before it is released; yield when it is called, and how that is done."""
    called, released = threading.Event(), threading.Event()

    def hang(**_: object) -> None:
        called.set()
        released.wait(90)

    events.execution_finished.connect(hang)
    try:
        yield called, released.set
    finally:
        released.set()
        events.execution_finished.disconnect(hang)


def told_of_recorder(caplog):
    return [each for each in caplog.records if getattr(each, "stuck_thread", "") == "recorder"]


def stuck_in_row():
    return Node.objects.get().stuck_threads


def test_a_recorder_that_an_observer_holds_up_is_told_of_and_forgotten(node, caplog):
    with caplog.at_level(logging.INFO, logger="cronjobs"), hanging_observer() as (called, released):
        JobExecution.objects.request("noop")
        assert called.wait(90)

        wait_for(lambda: stuck_in_row() == ["recorder"])
        wait_for(lambda: told_of_recorder(caplog))

        assert node.stuck == ("recorder",)
        found = {each.name: each for each in health.check_scheduling()}
        assert found["threads"].details["stuck"] == {node.name: ["recorder"]}
        assert found["threads"].problems == (f"Node {node.name} is stuck: recorder gave no sign of life for 1 s.",)
        assert not health.is_scheduling(list(found.values()))

        released()
        wait_for(lambda: stuck_in_row() == [])
        wait_for(lambda: len(told_of_recorder(caplog)) == 2)

    assert node.stuck == ()
    assert health.check_threads().status == "ok"
    told = told_of_recorder(caplog)
    assert [each.levelname for each in told] == ["ERROR", "WARNING"]
    assert ", in hang\n" in told[0].getMessage()
    assert told[1].getMessage().endswith("its thread recorder goes on.")


def test_threads_that_wait_for_a_lock_of_somebody_else_are_told_of_and_go_on(node):
    with table_locked():
        # On SQLite nobody can write that down; who is in the process knows it all the same.
        stuck = "leases" if connection.vendor == "sqlite" else "clock"
        wait_for(lambda: stuck in node.stuck)
        if connection.vendor != "sqlite":
            wait_for(lambda: "clock" in stuck_in_row())

    wait_for(lambda: not node.stuck)
    wait_for(lambda: stuck_in_row() == [])


def test_a_node_that_waits_for_work_is_not_stuck(node):
    started = JobExecution.objects.request("noop")
    wait_for(lambda: JobExecution.objects.get(pk=started.pk).is_final)
    beat = Node.objects.get().heartbeat_at

    # Eight renewals and more, in which nothing has been due.
    wait_for(lambda: Node.objects.get().heartbeat_at - beat > timedelta(seconds=4))

    assert node.stuck == ()
    assert stuck_in_row() == []


def test_a_job_that_runs_longer_than_it_may_is_not_a_stuck_thread(node, make_job):
    make_job("overruns", params={"seconds": 4})
    execution = JobExecution.objects.request("overruns")

    wait_for(lambda: health.check_threads().details["overrunning"])

    found = health.check_threads()
    assert (found.status, found.details["stuck"]) == ("ok", {})
    assert found.details["overrunning"] == [str(execution)]
    assert node.stuck == ()
