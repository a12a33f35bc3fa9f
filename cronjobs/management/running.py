"""What runs now and how far it has come, as people and as programs read it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cronjobs.management.output import distance, from_now
from cronjobs.models import JobExecution
from cronjobs.progress import Progress, read_progress
from cronjobs.storable import rfc3339


def running_row(execution: JobExecution, now: datetime) -> tuple[str, str, str, str]:
    """Return the cells of a table: which, for how long, how far, and how long it will take yet."""
    started, progress = execution.started_at, _progress(execution, now)
    since = "" if started is None else distance(now - started)
    if execution.cancel_requested_at is not None:
        since = ", ".join(filter(None, [since, f"asked to stop {from_now(execution.cancel_requested_at, now)}"]))
    left = "" if progress is None or progress.eta is None else distance(progress.eta)
    return str(execution), since, "" if progress is None else _said(progress), left


def running_document(executions: Iterable[JobExecution], now: datetime) -> list[dict[str, Any]]:
    """Return the same as JSON data."""
    return [
        {
            "executionId": each.pk,
            "jobName": each.job_name,
            "node": each.node,
            "attempt": each.attempt,
            "startedAt": None if each.started_at is None else rfc3339(each.started_at),
            "progress": None if (progress := _progress(each, now)) is None else progress.document(),
        }
        for each in executions
    ]


def _progress(execution: JobExecution, now: datetime) -> Progress | None:
    return read_progress(execution.progress, started_at=execution.started_at, now=now)


def _said(progress: Progress) -> str:
    amount = "" if progress.done is None else _number(progress.done)
    if amount and progress.total is not None:
        amount += f" of {_number(progress.total)}"
    percent = "" if progress.percent is None else f"{progress.percent} %"
    return ", ".join(filter(None, [percent, amount, progress.message]))


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
