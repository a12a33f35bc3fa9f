"""What a node has performed leaves nothing behind in its process; ten thousand executions: bench/leaks."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import NamedTuple

import psutil
import pytest
from django.db import connection

from cronjobs.database import read_clock
from cronjobs.models import AlertRound, Job, JobExecution, Node
from cronjobs.models.moves import cancel
from cronjobs.scheduler.node import NodeProcess
from tests.servers import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

WORKERS = 4


class Possessions(NamedTuple):
    """What this process has, apart from memory."""

    threads: int
    files: int
    handlers: int

    @classmethod
    def now(cls):
        return cls(threading.active_count(), psutil.Process().num_fds(), len(logging.getLogger().handlers))

    def is_grown_since(self, earlier):
        # SQLite keeps a file that was closed open while another connection of the process holds a lock.
        closing = WORKERS if connection.vendor == "sqlite" else 0
        return any(
            [self.threads > earlier.threads, self.files > earlier.files + closing, self.handlers > earlier.handlers]
        )


def wait_until_not_grown_since(earlier):
    wait_for(lambda: not Possessions.now().is_grown_since(earlier))


def perform(count):
    for number in range(count):
        JobExecution.objects.request(("counts", "logs", "fails")[number % 3])
    wait_for(lambda: not JobExecution.objects.open().exists())


def keep_every_worker_busy():
    """A pool starts a thread only when it has none that is idle."""
    patient = [JobExecution.objects.request("patient") for _ in range(WORKERS)]
    wait_for(lambda: JobExecution.objects.running().count() == WORKERS)
    cancel(JobExecution.objects.filter(pk__in=[each.pk for each in patient]), reason="All of them are there.")
    wait_for(lambda: not JobExecution.objects.open().exists())


def let_a_node_come_and_go():
    node = NodeProcess(workers=WORKERS)
    node.start()
    perform(12)
    assert node.stop(grace=timedelta(seconds=10))


@pytest.fixture
def at_rest(transactional_db):
    """What the process has when a first node has come and gone."""
    Job.objects.update(schedule="")
    Job.objects.filter(name__in=("counts", "logs", "fails", "patient")).update(overlap="allow")
    let_a_node_come_and_go()
    wait_for(lambda: not [each for each in threading.enumerate() if each.name.startswith("cronjobs")])
    return Possessions.now()


def test_executions_leave_no_threads_files_or_handlers(at_rest):
    node = NodeProcess(workers=WORKERS)
    node.start()
    try:
        perform(60)
        keep_every_worker_busy()
        # Every thread has had its turn, and has a connection.
        wait_for(lambda: Node.objects.filter(name=node.name, last_tick_at__isnull=False).exists())
        begun = read_clock("default")
        wait_for(lambda: AlertRound.objects.filter(looked_at__gt=begun).exists())
        early = Possessions.now()
        perform(200)
        wait_until_not_grown_since(early)
    finally:
        assert node.stop(grace=timedelta(seconds=10))

    wait_until_not_grown_since(at_rest)


def test_nodes_that_come_and_go_leave_nothing_either(at_rest):
    for _ in range(3):
        let_a_node_come_and_go()

    wait_until_not_grown_since(at_rest)
