"""Calling executions off: at once while they wait, by asking while they run."""

from __future__ import annotations

from dataclasses import dataclass

from cronjobs.conf import words_to_mask
from cronjobs.database import DatabaseNow, in_transaction
from cronjobs.models.announcements import announce_final
from cronjobs.models.execution import ExecutionQuerySet, JobExecution
from cronjobs.models.moves.followups import ask_for_followup
from cronjobs.states import ExecutionStatus
from cronjobs.storable import storable_text

REASON_MAX_LENGTH = 200
_BY_MAX_LENGTH = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What became of executions that were to be called off, by id. What is in no set had ended before."""

    # They waited, and are final now.
    cancelled: frozenset[int] = frozenset()
    # They run, and have been asked to stop.
    asked: frozenset[int] = frozenset()
    # They run, and somebody had asked them before; who, and why, stays as it was.
    asked_before: frozenset[int] = frozenset()


def cancel(executions: ExecutionQuerySet, *, reason: str, by: str = "") -> Cancellation:
    """Call off the open ones among `executions`, on behalf of `by`, a user's name ("": the engine).

    What waits is cancelled at once. What runs is asked to stop: its node tells the job, and
    it is cancelled when its code has really ended. `reason` is kept (200 characters).
    """
    reason = storable_text(reason, mask=words_to_mask())[:REASON_MAX_LENGTH]
    by = storable_text(by)[:_BY_MAX_LENGTH]
    done = in_transaction(executions.db, lambda: _cancel(executions, reason, by))
    if done.cancelled:
        announce_final(JobExecution.objects.using(executions.db).filter(pk__in=done.cancelled))
    return done


def _cancel(executions: ExecutionQuerySet, reason: str, by: str) -> Cancellation:
    # Locked first: one that starts, or goes back to the queue, between two updates would escape both.
    locked = executions.open().order_by("pk").select_for_update()
    rows = list(locked.values_list("pk", "status", "cancel_requested_at", "job_name"))
    waiting = frozenset(pk for pk, status, *_ in rows if status == ExecutionStatus.QUEUED)
    running = frozenset(
        pk for pk, status, asked_at, _ in rows if status == ExecutionStatus.RUNNING and asked_at is None
    )
    every = JobExecution.objects.using(executions.db)
    request = {"cancel_requested_at": DatabaseNow(), "cancel_requested_by": by, "cancel_reason": reason}
    every.filter(pk__in=waiting, status=ExecutionStatus.QUEUED).update(
        status=ExecutionStatus.CANCELLED, reason=reason, finished_at=DatabaseNow(), **request
    )
    ask_for_followup(executions.db, ((pk, name) for pk, *_, name in rows if pk in waiting))
    every.filter(pk__in=running, status=ExecutionStatus.RUNNING).update(**request)
    return Cancellation(
        cancelled=waiting, asked=running, asked_before=frozenset(pk for pk, *_ in rows) - waiting - running
    )
