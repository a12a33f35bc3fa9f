"""Executions as they stand in the database: the only one, and those that a history is made of."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from cronjobs.models import Job, JobExecution


def the_execution() -> JobExecution:
    """Return the only execution that there is."""
    return JobExecution.objects.get()


def ended(
    job: Job,
    status: str,
    at: datetime,
    *,
    took: int | None = None,
    late: int | None = None,
    count: int = 1,
    **columns: Any,
) -> list[JobExecution]:
    """Record executions of `job` that ended `at` (aware); `took` and `late` are milliseconds (None: never began)."""
    began = at - timedelta(milliseconds=took or 0)
    due = began - timedelta(milliseconds=late or 0)
    facts = {
        "status": status,
        "finished_at": at,
        "duration_ms": took,
        "first_started_at": None if late is None else began,
        "attempt": 0 if took is None else 1,
        **dict.fromkeys(("scheduled_for", "due_at", "run_after", "claim_at", "queued_at"), due),
        **columns,
    }
    return JobExecution.objects.bulk_create(
        [JobExecution(job=job, job_name=job.name, **facts) for _ in range(count)], batch_size=500
    )
