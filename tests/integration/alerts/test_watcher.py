"""The thread of a node that looks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from cronjobs.database import SteadyClock, read_clock
from cronjobs.models import AlertRound, Job, JobExecution, Node
from cronjobs.scheduler.node import NodeProcess
from cronjobs.scheduler.watcher import Watcher
from tests.integration.alerts.conftest import told
from tests.servers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def node(settings):
    """A node that looks often."""
    settings.CRONJOBS = {"ALERTS": {"INTERVAL": 0.1}}
    Job.objects.update(schedule="")
    node = NodeProcess(workers=2)
    yield node
    node.stop(grace=timedelta(seconds=10))


def test_a_node_tells_of_what_fails_while_it_runs(node):
    node.start()
    JobExecution.objects.request("fails")

    wait_for(lambda: told() == ["failing fails"])

    assert node.failure is None


def test_a_node_that_works_off_what_is_due_looks_before_it_ends(node):
    JobExecution.objects.request("fails")

    node.run_once()

    assert told() == ["failing fails"]


def test_tables_that_are_away_for_a_while_do_not_end_the_thread(node):
    with connection.schema_editor() as editor:
        editor.alter_db_table(AlertRound, "cronjobs_alertround", "cronjobs_away")
    try:
        node.start()
        JobExecution.objects.request("fails")
        wait_for(lambda: JobExecution.objects.filter(status="failed").exists())
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(AlertRound, "cronjobs_away", "cronjobs_alertround")

    wait_for(lambda: told() == ["failing fails"])
    assert node.failure is None


def test_a_node_that_has_just_started_tells_of_no_other_that_it_is_gone(node, settings):
    settings.CRONJOBS = {"ALERTS": {"INTERVAL": 0.1}, "LEASE": 60}
    long_ago = read_clock("default") - timedelta(hours=1)
    facts = {"hostname": "h", "pid": 1, "version": "1", "workers": 1, "started_at": long_ago}
    Node.objects.create(name="gone", heartbeat_at=long_ago, **facts)
    node.start()
    JobExecution.objects.request("fails")

    # So it has looked.
    wait_for(lambda: told() == ["failing fails"])

    assert told() == ["failing fails"]


def test_a_watcher_that_is_told_to_close_ends(transactional_db):
    clock = SteadyClock()
    clock.set(read_clock("default"))
    watcher = Watcher(time=clock)
    watcher.start()

    watcher.close(timeout=60.0)

    assert not watcher.is_alive()
