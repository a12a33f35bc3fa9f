"""Calling executions off: at once while they wait, by asking while they run."""

from __future__ import annotations

from cronjobs.database import DatabaseNow, in_transaction
from cronjobs.models.execution import ExecutionQuerySet, JobExecution
from cronjobs.states import ExecutionStatus


def cancel(executions: ExecutionQuerySet, *, reason: str) -> int:
    """Call off the open ones among `executions`; return how many there were.

    What waits is cancelled at once. What runs is asked to stop: its node tells the job, and
    it is cancelled when its code has really ended. `reason` is kept (200 characters).
    """
    return in_transaction(executions.db, lambda: _cancel(executions, reason[:200]))


def _cancel(executions: ExecutionQuerySet, reason: str) -> int:
    # Locked first: one that starts, or goes back to the queue, between two updates would escape both.
    rows = executions.open().order_by("pk").select_for_update().values_list("pk", "status")
    waiting = [pk for pk, status in rows if status == ExecutionStatus.QUEUED]
    running = [pk for pk, status in rows if status == ExecutionStatus.RUNNING]
    every = JobExecution.objects.using(executions.db)
    cancelled = every.filter(pk__in=waiting).update(
        status=ExecutionStatus.CANCELLED, reason=reason, finished_at=DatabaseNow()
    )
    asked = every.filter(pk__in=running, cancel_requested_at=None)
    return cancelled + asked.update(cancel_requested_at=DatabaseNow(), cancel_reason=reason)
