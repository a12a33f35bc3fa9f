"""Histories that are old, and what a purge leaves of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from cronjobs.models import ExecutionAttempt, ExecutionLog, Job, JobExecution
from cronjobs.models.execution import occurrence_key
from cronjobs.models.rollups import RollupMark
from cronjobs.retention import Pace, Purge, Purged, current_policy
from cronjobs.states import OPEN

DAY = timedelta(days=1)

Record = Callable[..., JobExecution]


@pytest.fixture
def record(database_now: datetime) -> Record:
    """Record an execution that ended so many days ago; by default a success of the schedule."""

    def make(job: Job | None, days: float, status: str = "succeeded", **columns: Any) -> JobExecution:
        at = database_now.replace(microsecond=0) - days * DAY
        is_open = status in OPEN
        # The keys of due times are unique: those of two rows of the same second would be the same.
        number = JobExecution.objects.count()
        defaults = {
            "job": job,
            "job_name": "" if job is None else job.name,
            "trigger": "schedule",
            "dedupe_key": f"{occurrence_key(at)}-{number}",
            "status": status,
            "started_at": None if status in ("queued", "skipped", "missed", "cancelled") else at,
            "finished_at": None if is_open else at,
            **dict.fromkeys(("scheduled_for", "due_at", "run_after", "claim_at", "queued_at"), at),
        }
        return JobExecution.objects.create(**{**defaults, **columns})

    return make


@pytest.fixture(autouse=True)
def all_is_counted(database_now: datetime) -> RollupMark:
    """The roll-ups have come so far that nothing waits for them."""
    return RollupMark.objects.create(pk=RollupMark.ONLY, until=database_now)


@pytest.fixture
def newer(record: Record) -> Callable[[Job], JobExecution]:
    """Record a recent success of a job, which is then its newest execution in every respect."""
    return lambda job: record(job, 0.5)


def purge(now: datetime, *, size: int | None = None, **wanted: Any) -> Purged:
    """Purge by the settings, or by what is wanted instead; see before that a survey comes to the same."""
    policy = current_policy(now, **wanted)
    surveyed = Purge(policy, pace=Pace(rest=no_rest, size=size)).survey()
    performed = Purge(policy, pace=Pace(rest=no_rest, size=size)).perform()
    assert performed == surveyed
    return performed


def no_rest(_seconds: float) -> bool:
    """Go on at once."""
    return False


def add_traces(execution: JobExecution, *, lines: int = 2, attempts: int = 1) -> None:
    """Give an execution a log, and attempts that failed."""
    at = execution.queued_at
    ExecutionLog.objects.bulk_create(
        ExecutionLog(execution=execution, attempt=1, number=n, level=20, message=f"Line {n}", logged_at=at)
        for n in range(1, lines + 1)
    )
    ExecutionAttempt.objects.bulk_create(
        ExecutionAttempt(execution=execution, attempt=n, status="failed", started_at=at) for n in range(1, attempts + 1)
    )


def left() -> list[int]:
    """Return the ids of the executions that there are."""
    return list(JobExecution.objects.order_by("pk").values_list("pk", flat=True))
