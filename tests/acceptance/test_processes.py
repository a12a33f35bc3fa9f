"""Real nodes whose jobs run in processes: what is ended is ended entirely, and nothing outlives its node."""

from __future__ import annotations

import signal
from datetime import timedelta

import psutil
import pytest

from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import cancel
from tests.acceptance.conftest import status_of
from tests.servers import is_gone, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def request_helpers(path, **params):
    """Start a job with helpers that try to escape; return its execution and all of the processes."""
    execution = JobExecution.objects.request("limited", params={"path": str(path), **params})
    pids = wait_for(lambda: path.exists() and [int(each) for each in path.read_text().split()])
    # The node, its fork server, a guardian: whatever is above the job's own process.
    return execution, [*pids, *(each.pid for each in psutil.Process(pids[0]).parents() if is_ours(each))]


def is_ours(process):
    return "json.load(sys.stdin)" in " ".join(process.cmdline())


def test_a_killed_node_leaves_no_process_alive(start_node, tmp_path):
    node = start_node()
    _, pids = request_helpers(tmp_path / "helpers", stubborn=True)
    assert len(pids) == 6

    node.process.kill()

    wait_for(lambda: all(map(is_gone, pids)))


def test_a_cancelled_job_is_gone_with_all_it_started(start_node, tmp_path):
    start_node(KILL_GRACE=0.5)
    execution, pids = request_helpers(tmp_path / "helpers")

    cancel(JobExecution.objects.filter(pk=execution.pk), reason="Ann said so.")

    wait_for(lambda: status_of(execution) == "cancelled")
    assert all(map(is_gone, pids[:4]))
    assert execution.reason == "Ann said so."
    assert (tmp_path / "helpers.tidied").exists()


def test_a_hung_job_is_ended_and_the_next_due_time_runs(start_node):
    Job.objects.filter(name="limited").update(timeout=timedelta(seconds=2), schedule="* * * * * *")
    start_node()

    ended = JobExecution.objects.filter(job_name="limited", status="timed_out").order_by("id")
    wait_for(lambda: ended.count() >= 2)

    first, second = ended[:2]
    assert first.duration_ms < 10_000
    assert second.started_at >= first.finished_at
    # What fell due meanwhile was skipped, and nothing else happened to it.
    others = JobExecution.objects.filter(job_name="limited").exclude(status="timed_out")
    assert set(others.values_list("status", flat=True)) <= {"skipped", "running", "queued"}


def test_a_timeout_is_tried_again_by_the_policy(start_node):
    start_node()
    execution = JobExecution.objects.request("slow-twice")

    wait_for(lambda: status_of(execution) == "succeeded")

    assert (execution.attempt, execution.result) == (3, "in time")
    assert (
        list(execution.attempts.values_list("status", "error_type"))
        == [("timed_out", "cronjobs.exceptions.TimedOut")] * 2
    )


def test_lines_can_be_read_while_the_process_runs(start_node):
    start_node()
    execution = JobExecution.objects.request("limited")

    wait_for(lambda: execution.log_lines.filter(message="Settled").exists())

    assert status_of(execution) == "running"


def test_a_stopping_node_ends_its_children_before_their_rows_are_given_up(start_node, tmp_path):
    node = start_node("--grace", "0.5", KILL_GRACE=0.5)
    Job.objects.filter(name="limited").update(rerun_lost=True)
    execution, pids = request_helpers(tmp_path / "helpers", stubborn=True)

    node.process.send_signal(signal.SIGTERM)
    wait_for(lambda: status_of(execution) == "queued")

    assert all(map(is_gone, pids[:4]))
    assert node.process.wait(timeout=90) == 1
    wait_for(lambda: all(map(is_gone, pids)))


def test_a_thread_that_overruns_is_said_to_and_its_true_outcome_is_recorded(start_node):
    node = start_node()
    execution = JobExecution.objects.request("overruns", params={"seconds": 3})

    wait_for(lambda: execution.log_lines.filter(message__contains="longer than its timeout").exists())
    assert status_of(execution) == "running"
    wait_for(lambda: status_of(execution) == "succeeded")

    assert execution.result == "late"
    assert node.log.read_text().count("which cannot be stopped") == 1
    assert execution.log_lines.count() == 1
