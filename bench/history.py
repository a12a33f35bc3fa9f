"""A database as an application has it after years: many jobs, most with a schedule of their own, and a long history."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Any

from bench import _bench as bench

ZONES = (None, "Europe/Berlin", "America/New_York", "Asia/Kolkata")
# Between the starts of two executions that follow each other, whatever their jobs.
STEP = timedelta(seconds=10)
# Of so many executions one has failed, and one was skipped.
_FAILED, _SKIPPED = 53, 71


def make_calm_jobs(count: int) -> None:
    """Make `count` jobs and plan them; each is due once a day, and some are paused or disabled."""
    from bench.jobs import NAME
    from cronjobs.models import Job
    from cronjobs.scheduler.plans import reconcile

    Job.objects.bulk_create(
        Job(
            name=f"calm-{number:04}",
            definition=NAME,
            schedule=f"{number % 60} {number // 60 % 24} * * *",
            time_zone=ZONES[number % len(ZONES)],
            overlap="allow" if number % 10 == 0 else None,
            enabled=number % 25 != 0,
            paused=number % 33 == 0,
            description="What nobody reads while everything is well.",
        )
        for number in range(count)
    )
    reconcile(bench.database_now())


def make_history(count: int) -> None:
    """Record `count` executions that have ended, of all jobs in turn, the newest just now."""
    from django.db import connection

    from cronjobs.models import Job, JobExecution

    sys.stderr.write(f"Recording {count:,} executions …\n")
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # Nine indexes are written to all over; with the usual 2 MB that takes three times as long.
            cursor.execute("PRAGMA cache_size = -400000")
    begin = bench.database_now().replace(microsecond=0) - count * STEP
    jobs = list(Job.objects.order_by("pk").values_list("pk", "name"))
    made = min(count, len(jobs))
    JobExecution.objects.bulk_create(
        [_execution(number, *jobs[number], begin + number * STEP) for number in range(made)], batch_size=500
    )
    while made < count:
        made += _repeat(made, limit=count - made)
    bench.analyze("cronjobs_job", "cronjobs_jobexecution", "cronjobs_executionlog")


def add_logs(lines: int) -> None:
    """Give each execution so many lines of a log."""
    from django.db import connection

    columns = "execution_id, attempt, number, level, message, logged_at"
    with connection.cursor() as cursor:
        for number in range(1, lines + 1):
            cursor.execute(
                f"INSERT INTO cronjobs_executionlog ({columns}) SELECT id, 1, %s, 20, %s, queued_at"  # noqa: S608 - our own names
                " FROM cronjobs_jobexecution",
                [number, f"Line {number} of what the job had to say, which is neither short nor long."],
            )
    bench.analyze("cronjobs_job", "cronjobs_jobexecution", "cronjobs_executionlog")


def _execution(number: int, job_id: int, job_name: str, at: datetime) -> Any:
    from cronjobs.models import JobExecution

    status = "failed" if number % _FAILED == 0 else "skipped" if number % _SKIPPED == 0 else "succeeded"
    started = None if status == "skipped" else at + timedelta(milliseconds=20)
    return JobExecution(
        job_id=job_id,
        job_name=job_name,
        trigger="schedule",
        dedupe_key=f"@{number}",
        status=status,
        scheduled_for=at,
        due_at=at,
        run_after=at,
        claim_at=at,
        queued_at=at,
        first_started_at=started,
        started_at=started,
        finished_at=at + timedelta(milliseconds=20 + number % 1_000),
        duration_ms=started and number % 1_000,
        attempt=started is not None,
        result=started and {"calledAt": at.isoformat()},
        error_message="RuntimeError: boom" if status == "failed" else "",
        node="host-a:7:0000",
    )


def _repeat(made: int, *, limit: int) -> int:
    """Record all `made` executions once more, as much later, but not more than `limit`; return how many that were."""
    from django.db import connection
    from django.db.models import CharField, F, Value
    from django.db.models.functions import Cast, Concat

    from cronjobs.models import JobExecution

    columns = [each for each in JobExecution._meta.concrete_fields if not each.primary_key]  # noqa: SLF001 - Django's documented API
    values: dict[str, Any] = {each.attname: F(each.attname) for each in columns}
    for each in columns:
        if each.get_internal_type() == "DateTimeField":
            values[each.attname] += Value(made * STEP)
    values["dedupe_key"] = Concat(Value("@"), Cast(F("pk") + made, CharField()))
    rows = JobExecution.objects.order_by("pk").annotate(**{f"new_{name}": value for name, value in values.items()})
    sql, params = rows.values_list(*(f"new_{name}" for name in values))[:limit].query.sql_with_params()
    quote = connection.ops.quote_name
    table, names = quote(JobExecution._meta.db_table), ", ".join(quote(each.column) for each in columns)  # noqa: SLF001 - as above
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) {sql}", params)
        return int(cursor.rowcount)
