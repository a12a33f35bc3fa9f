"""Real nodes: they fire once, stop politely, and leave nothing half done when they are killed."""

from __future__ import annotations

import signal
from collections import Counter
from datetime import timedelta

import pytest
from django.db.models import Count

from cronjobs.database import read_clock
from cronjobs.models import Job, JobExecution, Node
from cronjobs.models.moves import cancel
from tests.acceptance.conftest import status_of
from tests.servers import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def wait_until_running(execution):
    wait_for(lambda: status_of(execution) == "running")


def test_three_nodes_find_each_second_exactly_once(start_node, marks):
    for _ in range(3):
        start_node()
    job = marks.job("every-second", schedule="* * * * * *")
    first = wait_for(lambda: JobExecution.objects.filter(job=job).order_by("scheduled_for").first()).scheduled_for
    last = first + timedelta(seconds=20)

    wait_for(lambda: read_clock("default") > last + timedelta(seconds=1))
    Job.objects.filter(pk=job.pk).update(enabled=False)
    wait_for(lambda: not JobExecution.objects.open().exists())

    rows = JobExecution.objects.filter(job=job, scheduled_for__lte=last)
    seconds = [first + timedelta(seconds=n) for n in range(21)]
    assert list(rows.order_by("scheduled_for").values_list("scheduled_for", flat=True)) == seconds
    assert set(rows.values_list("status", flat=True)) == {"succeeded"}
    marked = Counter(due for _, due, _, _ in marks.lines())
    assert [marked[f"{second:%Y-%m-%dT%H:%M:%SZ}"] for second in seconds] == [1] * 21
    assert Node.objects.alive().count() == 3


def test_a_terminated_node_finishes_what_runs_and_starts_nothing_new(start_node, marks):
    node = start_node("--workers", "1", "--grace", "30")
    marks.job(seconds=2.0)
    running = JobExecution.objects.request("marks")
    wait_until_running(running)
    waiting = [JobExecution.objects.request("marks") for _ in range(3)]

    node.process.send_signal(signal.SIGTERM)

    assert node.process.wait(timeout=90) == 0
    assert status_of(running) == "succeeded"
    assert [status_of(each) for each in waiting] == ["queued"] * 3
    assert len(marks.lines()) == 1
    assert Node.objects.get().stopped_at is not None


def test_a_second_signal_ends_at_once_and_closes_the_rows_honestly(start_node, marks):
    node = start_node("--grace", "30")
    marks.job(seconds=60)
    marks.job("again", seconds=60, rerun_lost=True)
    lost, again = JobExecution.objects.request("marks"), JobExecution.objects.request("again")
    wait_until_running(lost)
    wait_until_running(again)

    node.process.send_signal(signal.SIGINT)
    wait_for(lambda: "Scheduler has been shut down" in node.log.read_text())
    node.process.send_signal(signal.SIGINT)

    assert node.process.wait(timeout=90) == 1
    assert (status_of(lost), status_of(again)) == ("lost", "queued")
    assert "stopped before it ended" in lost.reason
    assert list(lost.attempts.values_list("status", flat=True)) == ["lost"]
    assert Node.objects.get().stopped_at is not None


def test_the_grace_ends_the_waiting_too(start_node, marks):
    node = start_node("--grace", "0.5")
    marks.job(seconds=60)
    execution = JobExecution.objects.request("marks")
    wait_until_running(execution)

    node.process.send_signal(signal.SIGTERM)

    assert node.process.wait(timeout=90) == 1
    assert status_of(execution) == "lost"


def test_what_a_killed_node_held_is_lost_and_the_rest_goes_on(start_node, marks):
    doomed = start_node()
    marks.job(seconds=60)
    marks.job("again", seconds=60, rerun_lost=True)
    lost, again = JobExecution.objects.request("marks"), JobExecution.objects.request("again")
    wait_until_running(lost)
    wait_until_running(again)
    start_node()

    doomed.process.kill()

    wait_for(lambda: status_of(lost) == "lost")
    wait_for(lambda: again.attempts.exists() and status_of(again) == "running")
    assert again.attempt == 2
    # The row runs before the function has been called.
    wait_for(lambda: len([line for line in marks.lines() if int(line[0]) == again.pk]) == 2)
    assert len([line for line in marks.lines() if int(line[0]) == lost.pk]) == 1


def test_a_lease_shorter_than_the_job_is_renewed(start_node, marks):
    start_node()
    start_node()
    marks.job(seconds=8)
    execution = JobExecution.objects.request("marks")

    wait_for(lambda: status_of(execution) == "succeeded")

    assert execution.attempt == 1
    assert len(marks.lines()) == 1


def test_once_performs_what_is_due_and_exits(start_node, marks):
    job = marks.job()
    due = [JobExecution.objects.request("marks") for _ in range(20)]
    later = JobExecution.objects.request("marks", run_after=read_clock("default") + timedelta(hours=1))

    node = start_node("--once")

    assert node.process.wait(timeout=90) == 0
    assert "20 executions performed." in node.log.read_text()
    assert {status_of(each) for each in due} == {"succeeded"}
    assert status_of(later) == "queued"
    assert len(marks.lines()) == 20
    assert JobExecution.objects.filter(job=job).aggregate(n=Count("pk"))["n"] == 21


def test_a_live_node_follows_every_kind_of_edit(start_node, marks):
    start_node()
    job = marks.job("followed", schedule="0 0 1 1 *")

    Job.objects.filter(pk=job.pk).update(schedule="* * * * * *")
    wait_for(lambda: len(marks.lines()) >= 2)

    Job.objects.filter(pk=job.pk).update(schedule="61 * * * *")
    wait_for(lambda: "minute" in Job.objects.get(pk=job.pk).broken_reason)
    count = len(marks.lines())

    Job.objects.filter(pk=job.pk).update(schedule="* * * * * *")
    wait_for(lambda: len(marks.lines()) > count)
    assert Job.objects.get(pk=job.pk).broken_reason == ""


def test_a_retry_happens_when_its_time_has_come(start_node, marks):
    start_node()
    Job.objects.filter(name="fails-twice").update(initial_delay=timedelta(milliseconds=300))
    execution = JobExecution.objects.request("fails-twice")

    wait_for(lambda: status_of(execution) == "succeeded")

    assert execution.attempt == 3
    assert execution.attempts.count() == 2


def test_log_lines_can_be_read_while_the_job_runs(start_node, marks):
    start_node()
    execution = JobExecution.objects.request("talks", params={"seconds": 30})

    wait_for(lambda: execution.log_lines.filter(message="Beginning").exists())

    assert status_of(execution) == "running"


def test_a_running_job_that_is_asked_to_stop_learns_it_and_ends_as_cancelled(start_node, marks):
    start_node()
    execution = JobExecution.objects.request("patient")
    wait_until_running(execution)

    cancel(JobExecution.objects.filter(pk=execution.pk), reason="Ann said so.")

    wait_for(lambda: status_of(execution) == "cancelled")
    assert execution.reason == "Ann said so."
    assert execution.result == {"tidied": True}


def test_a_job_that_replaces_its_older_execution_waits_for_its_end(start_node, marks):
    start_node()
    Job.objects.filter(name="patient").update(schedule="*/2 * * * * *", overlap="replace")

    wait_for(lambda: JobExecution.objects.filter(job_name="patient", status="cancelled").count() >= 2)

    running = JobExecution.objects.filter(job_name="patient").running()
    assert running.count() <= 1
    first, second = JobExecution.objects.filter(job_name="patient", status="cancelled").order_by("id")[:2]
    assert second.started_at is None or second.started_at >= first.finished_at


def test_once_can_be_told_that_it_is_enough(start_node, marks):
    marks.job(seconds=2.0)
    first, second = JobExecution.objects.request("marks"), JobExecution.objects.request("marks")
    node = start_node("--once", "--workers", "1", "--grace", "30")
    wait_until_running(first)

    node.process.send_signal(signal.SIGTERM)

    assert node.process.wait(timeout=90) == 0
    assert (status_of(first), status_of(second)) == ("succeeded", "queued")
