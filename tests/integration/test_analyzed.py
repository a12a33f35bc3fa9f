"""SQLite after ANALYZE: it believes that a status has many rows, and must not read the history for the few that are open."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cronjobs.alerting.reading import gather
from cronjobs.manager import cron_manager
from cronjobs.metrics import exposition
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import adopt, rescue
from cronjobs.scheduler.looks import look
from tests.commands import run_command

pytestmark = [pytest.mark.sqlite_only, pytest.mark.django_db]

# So many rows, of which either status has half; nothing runs, and nothing waits. SQLite is told of a million.
_ENDED, _ROWS, _SCALE = ("succeeded", "failed"), 2_000, 500


@pytest.fixture(autouse=True)
def _analyzed(db):
    if connection.vendor != "sqlite":
        pytest.skip("says nothing about other databases")
    jobs = [Job.objects.create(name=f"old-{number}", definition="noop") for number in range(5)]
    now = timezone.now()
    rows = []
    for number in range(_ROWS):
        at, job = now - timedelta(minutes=number), jobs[number % 5]
        times = ("scheduled_for", "due_at", "run_after", "claim_at", "queued_at", "started_at", "finished_at")
        facts = {"status": _ENDED[number % 2], "trigger": "schedule", "dedupe_key": f"@{number}"}
        rows.append(JobExecution(job=job, job_name=job.name, **facts, **dict.fromkeys(times, at)))
    JobExecution.objects.bulk_create(rows, batch_size=100)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        # What it would have found in so many times as many: numbers of rows, in all and for each value.
        cursor.execute("SELECT rowid, stat FROM sqlite_stat1 WHERE tbl = 'cronjobs_jobexecution'")
        for rowid, stat in cursor.fetchall():
            numbers = [number * _SCALE if number > 1 else 1 for number in map(int, stat.split())]
            cursor.execute("UPDATE sqlite_stat1 SET stat = %s WHERE rowid = %s", [" ".join(map(str, numbers)), rowid])
        cursor.execute("ANALYZE sqlite_schema")


@pytest.mark.parametrize(
    "work",
    [
        look,
        rescue,
        cron_manager.get_status,
        exposition,
        lambda: gather(timezone.now()),
        lambda: adopt("0" * 32),
        lambda: run_command("cronstatus"),
        lambda: run_command("cronqueue"),
        lambda: run_command("croncheck"),
    ],
    ids=["look", "rescue", "status", "metrics", "alerts", "adopt", "cronstatus", "cronqueue", "croncheck"],
)
def test_the_history_is_not_read_for_what_is_open(work):
    with CaptureQueriesContext(connection) as queries:
        work()

    asked = [
        each["sql"] for each in queries if each["sql"].startswith("SELECT") and "cronjobs_jobexecution" in each["sql"]
    ]
    assert [(step, sql) for sql in asked for step in plan_of(sql) if reads_everything(step, sql)] == []


def plan_of(sql):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return [row[3] for row in cursor.fetchall()]


def reads_everything(step, sql):
    return step.startswith("SCAN cronjobs_jobexecution") and "LIMIT" not in sql
