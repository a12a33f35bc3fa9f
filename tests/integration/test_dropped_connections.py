"""The server drops idle connections, as MariaDB does after `wait_timeout`; nobody may notice."""

from __future__ import annotations

import gc
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from django.db import OperationalError, connection

from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.node import NodeProcess
from tests.servers import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

WORKERS = 2
# What a node opens beside one connection for each worker.
OF_THE_NODE = 4


@contextmanager
def connecting_with(**options):
    """Let connections that are opened meanwhile, by whatever thread, have these settings."""
    settings = connection.settings_dict
    before = {name: settings[name] for name in options}
    settings.update(options)
    try:
        yield
    finally:
        settings.update(before)


def dropping_idle_ones():
    """Return the options with which the server drops a connection that is idle for a second."""
    given = connection.settings_dict["OPTIONS"]
    if connection.vendor == "postgresql":
        return {**given, "options": "-c idle_session_timeout=1000"}
    return {**given, "init_command": f"{given['init_command']}, wait_timeout = 1"}


@pytest.fixture(params=[0, None], ids=["closed after each attempt", "kept for ever"])
def node(request, transactional_db):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no connections to drop")
    Job.objects.update(schedule="")
    with connecting_with(CONN_MAX_AGE=request.param, OPTIONS=dropping_idle_ones()):
        node = NodeProcess(workers=WORKERS)
        node.start()
        yield node
        node.stop(grace=timedelta(seconds=10))
    # An idle worker closes nothing by ending; psycopg would mention that, and so fail a test.
    gc.collect()


def count_connections():
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        else:
            cursor.execute("SELECT count(*) FROM information_schema.processlist WHERE db = database()")
        return cursor.fetchone()[0] - 1


def perform(name, **params):
    """Let the node perform a job, and return the execution when it has ended."""
    execution = JobExecution.objects.request(name, params=params)
    wait_for(lambda: JobExecution.objects.filter(pk=execution.pk, finished_at__isnull=False).exists())
    execution.refresh_from_db()
    return execution


def test_jobs_that_come_after_an_idle_time_succeed_and_leave_no_connections(node, caplog):
    # Every worker has had a connection of its own.
    for _ in range(WORKERS * 2):
        assert perform("counts").status == "succeeded"

    for _ in range(2):
        # Longer than the server's patience; so every connection is dropped between a claim and its ending, too.
        assert perform("naps", seconds=2.0).status == "succeeded"
        for _ in range(WORKERS * 2):
            execution = perform("counts")
            assert (execution.status, execution.attempt, execution.error_message) == ("succeeded", 1, "")

    assert count_connections() <= WORKERS + OF_THE_NODE
    assert node.failure is None
    assert [record.message for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


def test_log_lines_of_a_job_that_pauses_are_all_there(node):
    execution = perform("talks", seconds=2.5)

    assert execution.status == "succeeded"
    assert "Beginning" in execution.log_lines.values_list("message", flat=True)


def test_a_server_that_ends_every_connection_at_once_is_connected_to_again(node):
    assert perform("counts").status == "succeeded"
    running = JobExecution.objects.request("naps", params={"seconds": 1.0})
    wait_for(lambda: JobExecution.objects.running().filter(pk=running.pk).exists())

    end_all_connections_but_ours()

    wait_for(lambda: JobExecution.objects.filter(pk=running.pk, status="succeeded").exists())
    assert perform("counts").status == "succeeded"
    assert node.failure is None


def end_all_connections_but_ours():
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()")
        for (number,) in cursor.fetchall():
            # It may have gone by itself meanwhile.
            with suppress(OperationalError):
                cursor.execute("KILL CONNECTION %s", [number])
