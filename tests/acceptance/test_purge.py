"""Purges by real processes: killed in the middle, and beside jobs that are due every second."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest
from django.db import connection

from cronjobs.database import read_clock
from cronjobs.models import ExecutionLog, Job, JobExecution
from cronjobs.models.rollups import RollupMark
from tests.acceptance.conftest import status_of
from tests.commands import run_command_process
from tests.servers import start_command, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LINES = 3


@pytest.fixture
def history(transactional_db):
    """Record so many old successes of a job with their logs, and a recent one; return that."""

    def make(number):
        now = read_clock("default")
        job = Job.objects.get(name="noop")
        # Nothing waits for the roll-ups.
        RollupMark.objects.create(pk=RollupMark.ONLY, until=now)
        rows = [execution(job, now - timedelta(days=40)) for _ in range(number)]
        JobExecution.objects.bulk_create([*rows, execution(job, now - timedelta(days=1))], batch_size=500)
        ids = JobExecution.objects.filter(job=job).order_by("pk").values_list("pk", flat=True)
        ExecutionLog.objects.bulk_create(
            [
                ExecutionLog(execution_id=pk, attempt=1, number=line, level=20, message="Said", logged_at=now)
                for pk in ids
                for line in range(1, LINES + 1)
            ],
            batch_size=500,
        )
        return ids.last()

    return make


def execution(job, at):
    times = ("scheduled_for", "due_at", "run_after", "claim_at", "queued_at", "started_at", "finished_at")
    return JobExecution(job=job, job_name=job.name, status="succeeded", **dict.fromkeys(times, at))


def rows_and_lines():
    return JobExecution.objects.filter(job_name="noop").count(), ExecutionLog.objects.count()


def test_a_purge_that_is_killed_leaves_nothing_half_deleted_and_the_next_goes_on(history, tmp_path):
    newest = history(2_000)
    purge = start_command("purge_executions", "--batch", "5", log=tmp_path / "purge.log")
    wait_for(lambda: rows_and_lines()[0] < 1_900)

    purge.process.kill()
    purge.process.wait(timeout=90)
    # What the server still had to do for it is done or undone.
    wait_for(lambda: connections_of_others() == 0)

    left, lines = rows_and_lines()
    assert 1 < left < 1_900
    assert lines == left * LINES
    assert run_command_process("purge_executions").code == 0
    assert list(JobExecution.objects.values_list("pk", flat=True)) == [newest]
    assert ExecutionLog.objects.count() == LINES


def test_a_purge_that_is_interrupted_says_what_it_has_done(history, tmp_path):
    history(2_000)
    purge = start_command("purge_executions", "--batch", "5", log=tmp_path / "purge.log")
    wait_for(lambda: rows_and_lines()[0] < 1_900)

    purge.process.send_signal(signal.SIGINT)

    assert purge.process.wait(timeout=90) == 1
    left, lines = rows_and_lines()
    assert lines == left * LINES
    said = f"CommandError: Interrupted. Deleted {2_001 - left:,} executions, {LINES * (2_001 - left):,} lines of logs. Run it again to go on."
    assert purge.log.read_text().strip() == said


def connections_of_others():
    counts = {
        "postgresql": "SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()",
        "mysql": "SELECT count(*) - 1 FROM information_schema.processlist WHERE db = database()",
    }
    if connection.vendor not in counts:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(counts[connection.vendor])
        return cursor.fetchone()[0]


def test_due_times_are_served_while_a_purge_runs(history, start_node, marks):
    newest = history(10_000)
    start_node()
    job = marks.job("every-second", schedule="* * * * * *")
    served = JobExecution.objects.filter(job=job, status="succeeded").order_by("scheduled_for")
    first = wait_for(served.first).scheduled_for

    purge = JobExecution.objects.request("purge-history")
    wait_for(lambda: status_of(purge) == "succeeded")
    last = first + timedelta(seconds=max(5, int((purge.finished_at - first).total_seconds())))
    wait_for(lambda: served.filter(scheduled_for__gte=last).exists())

    assert purge.result["deletedCount"] == 10_000
    assert list(JobExecution.objects.filter(job_name="noop").values_list("pk", flat=True)) == [newest]
    # Each second has its row, and each has run; nothing was missed or passed over.
    seconds = [first + timedelta(seconds=n) for n in range(int((last - first).total_seconds()) + 1)]
    rows = JobExecution.objects.filter(job=job, scheduled_for__gte=first, scheduled_for__lte=last)
    assert list(rows.order_by("scheduled_for").values_list("scheduled_for", "status")) == [
        (each, "succeeded") for each in seconds
    ]
