"""What one node leaves undone, another takes over, and nothing runs beside itself."""

from __future__ import annotations

import os
import signal
from collections import Counter
from itertools import pairwise

import pytest

from cronjobs.models import Job, JobExecution
from tests.acceptance.conftest import freeze, status_of
from tests.servers import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def performed(job):
    """Return the executions that began, in the order in which they did."""
    return JobExecution.objects.filter(job=job, first_started_at__isnull=False).order_by("first_started_at")


def test_a_job_longer_than_its_lease_never_overlaps_and_a_killed_owner_blocks_nothing(start_node, marks):
    nodes = {node.process.pid: node for node in (start_node(), start_node())}
    job = marks.job("long", seconds=8.0, schedule="* * * * * *", overlap="forbid")
    first = wait_for(performed(job).first)

    # Eight seconds are more than two leases, which are of three.
    wait_for(lambda: status_of(first) == "succeeded")
    running = wait_for(performed(job).running().first)
    owner = int(running.node.split(":")[-2])
    nodes[owner].process.kill()

    wait_for(lambda: status_of(running) == "lost")
    wait_for(performed(job).filter(pk__gt=running.pk, status="running").exists)
    Job.objects.filter(pk=job.pk).update(enabled=False)
    rows = list(performed(job))
    assert [row.attempt for row in rows] == [1] * len(rows)
    assert all(after.started_at >= before.finished_at for before, after in pairwise(rows))
    assert set(Counter(line[0] for line in marks.lines()).values()) == {1}
    skipped = JobExecution.objects.filter(job=job, status="skipped")
    assert skipped.filter(reason=f"Execution {first.pk} was still open.").count() >= 5


def test_a_deployment_finishes_what_runs_and_the_next_node_does_the_rest(start_node, marks):
    old = start_node("--workers", "1", "--grace", "30")
    marks.job(seconds=1.0)
    running = JobExecution.objects.request("marks")
    wait_for(lambda: status_of(running) == "running")
    waiting = [JobExecution.objects.request("marks") for _ in range(5)]

    old.process.send_signal(signal.SIGTERM)
    assert old.process.wait(timeout=90) == 0
    start_node()

    wait_for(lambda: not JobExecution.objects.open().exists())
    assert {(status_of(each), each.attempt) for each in (running, *waiting)} == {("succeeded", 1)}
    assert len(marks.lines()) == 6


def test_a_node_that_stood_still_learns_that_its_work_was_taken(start_node, marks):
    frozen = start_node()
    marks.job(seconds=4.0, rerun_lost=True)
    execution = JobExecution.objects.request("marks")
    wait_for(lambda: len(marks.lines()) == 1)
    freeze(frozen)
    try:
        start_node()
        wait_for(lambda: execution.attempts.filter(status="lost").exists())
        wait_for(lambda: status_of(execution) == "succeeded")
        execution.refresh_from_db()
        before = (execution.status, execution.attempt, execution.node, execution.finished_at, execution.result)
    finally:
        os.kill(frozen.process.pid, signal.SIGCONT)

    # It goes on with what it thinks is its own, and says that this counts for nothing.
    wait_for(lambda: "its claim was lost" in frozen.log.read_text())
    execution.refresh_from_db()
    assert (execution.status, execution.attempt, execution.node, execution.finished_at, execution.result) == before
    assert execution.attempt == 2
    frozen.check()
