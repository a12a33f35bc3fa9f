"""Running to lost: what a silent or a stopping node leaves behind, and whether it is tried again."""

from __future__ import annotations

from collections.abc import Collection

from cronjobs.conf import get_settings
from cronjobs.database import DatabaseNow, engine_alias, in_transaction, lock_unlocked
from cronjobs.exceptions import CronJobsError
from cronjobs.models.execution import ExecutionAttempt, JobExecution
from cronjobs.models.job import Job
from cronjobs.states import ExecutionStatus, ensure_move

_LOST, _QUEUED = ExecutionStatus.LOST, ExecutionStatus.QUEUED


def rescue(*, limit: int = 100) -> list[JobExecution]:
    """Take executions whose lease has run out from their silent nodes, and return them.

    Each is lost, with the attempt recorded; with `rerun_lost` the same row is queued again,
    at most MAX_LOST times. The caller must have seen the database answer without errors
    for long enough that an outage cannot be the reason for the silence.
    """
    alias = engine_alias(JobExecution)
    expired = JobExecution.objects.using(alias).running().filter(lease_expires_at__lt=DatabaseNow()).order_by("pk")

    def work() -> list[JobExecution]:
        return [_lose(each, f"Its node, {each.node}, fell silent.") for each in lock_unlocked(expired)[:limit]]

    return in_transaction(alias, work)


def abandon(claims: Collection[JobExecution], *, reason: str) -> list[JobExecution]:
    """Give up claims that this process still holds but will not finish, and return what was given up."""
    alias = engine_alias(JobExecution)
    held = JobExecution.objects.using(alias).held_by(claims).order_by("pk")
    return in_transaction(alias, lambda: [_lose(each, reason) for each in held.select_for_update()])


def _lose(execution: JobExecution, reason: str) -> JobExecution:
    """Turn one running row, locked by this transaction, into a lost or a queued one."""
    ensure_move(execution.status, _LOST)
    losses = _record_loss(execution, reason)
    is_wanted = execution.cancel_requested_at is None
    again = is_wanted and losses <= get_settings().max_lost and _is_rerun(execution.job_id)
    if again:
        ensure_move(_LOST, _QUEUED)
    execution.status, execution.reason = _QUEUED if again else _LOST, reason
    # The token goes, so that the silent node, should it come back, can write nothing more.
    JobExecution.objects.filter(pk=execution.pk, status=ExecutionStatus.RUNNING).update(
        status=execution.status,
        reason=reason,
        claim_token="",
        lease_expires_at=None,
        finished_at=None if again else DatabaseNow(),
    )
    return execution


def _record_loss(execution: JobExecution, reason: str) -> int:
    """Record the lost attempt and return how many this execution has lost by now."""
    attempts = ExecutionAttempt.objects.filter(execution_id=execution.pk)
    attempts.update_or_create(
        execution_id=execution.pk,
        attempt=execution.attempt,
        defaults={
            "status": _LOST,
            "node": execution.node,
            "started_at": execution.started_at,
            "finished_at": DatabaseNow(),
            "error_message": reason,
        },
    )
    return attempts.filter(status=_LOST).count()


def _is_rerun(job_id: int | None) -> bool:
    job = None if job_id is None else Job.objects.filter(pk=job_id).first()
    try:
        return job is not None and job.resolve().rerun_lost
    except CronJobsError:
        return False
