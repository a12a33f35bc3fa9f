"""Running to lost: what a silent or a stopping node leaves behind, and whether it is tried again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db.models import Count

from cronjobs.conf import get_settings
from cronjobs.database import DatabaseNow, engine_alias, in_transaction, lock_unlocked, read_clock
from cronjobs.language import gettext as _
from cronjobs.models.announcements import announce_final, announce_lost
from cronjobs.models.attempt import ExecutionAttempt
from cronjobs.models.batches import update_from_values, upsert
from cronjobs.models.execution import ExecutionQuerySet, JobExecution
from cronjobs.models.job import Job
from cronjobs.models.loading import load_each
from cronjobs.models.moves.followups import ask_for_followup
from cronjobs.models.moves.notices import give_notice
from cronjobs.states import ExecutionStatus, ensure_move

_LOST, _QUEUED = ExecutionStatus.LOST, ExecutionStatus.QUEUED

# All that has to be known; what a job's row holds beside it may not be readable.
_NEEDED = (
    "job_id",
    "job_name",
    "status",
    "attempt",
    "max_attempts",
    "node",
    "started_at",
    "cancel_requested_at",
    "reason",
    "finished_at",
    "duration_ms",
)
# What one UPDATE sets from one row of values; the first says which row.
_COLUMNS = ("id", "status", "reason", "finished_at", "duration_ms")


def rescue(*, until: datetime | None = None, limit: int = 500) -> list[JobExecution]:
    """Take executions whose lease has run out by `until` (None: now) from their silent nodes, and return them.

    Each is lost, with the attempt recorded; with `rerun_lost` the same row is queued again,
    at most MAX_LOST times. The caller must have seen the database answer without errors
    for long enough that an outage cannot be the reason for the silence: that is what `until` is
    for, since the statements in here may have to wait, while those with leases wait as well.
    """
    alias = engine_alias(JobExecution)
    expired = JobExecution.objects.using(alias).running().filter(lease_expires_at__lt=until or DatabaseNow())

    def work() -> list[JobExecution]:
        rows, _unreadable = load_each(lock_unlocked(expired.only(*_NEEDED).order_by("pk"))[:limit])
        for each in rows:
            # Nobody saw it end: how long it ran is not known.
            each.reason, each.duration_ms = _("Its node, %(node)s, fell silent.") % {"node": each.node}, None
        return _lose(alias, rows, read_clock(alias))

    return _announced(in_transaction(alias, work), alias)


def abandon(claims: Collection[JobExecution], *, reason: str) -> list[JobExecution]:
    """Give up claims that this process still holds but will not finish, and return what was given up."""
    alias = engine_alias(JobExecution)
    held: ExecutionQuerySet = JobExecution.objects.using(alias).held_by(claims)

    def work() -> list[JobExecution]:
        rows, _ = load_each(held.only(*_NEEDED).order_by("pk").select_for_update())
        now = read_clock(alias)
        for each in rows:
            each.reason, each.duration_ms = reason, _milliseconds(each.started_at, now)
        return _lose(alias, rows, now)

    return _announced(in_transaction(alias, work), alias)


def _lose(alias: str, rows: list[JobExecution], now: datetime) -> list[JobExecution]:
    """Turn running rows, locked by this transaction, into lost or queued ones, in a few statements."""
    if not rows:
        return []
    again = _tried_again(alias, rows)
    for each in rows:
        ensure_move(each.status, _LOST)
        if each.pk in again:
            ensure_move(_LOST, _QUEUED)
        each.status, each.finished_at = (_QUEUED, None) if each.pk in again else (_LOST, now)
    _insert_attempts(alias, rows, now)
    update_from_values(
        JobExecution,
        using=alias,
        columns=_COLUMNS,
        rows=[(each.pk, each.status, each.reason, each.finished_at, each.duration_ms) for each in rows],
        match=("id",),
        where={"status": ExecutionStatus.RUNNING},
        # The token goes, so that the silent node, should it come back, can write nothing more.
        also={"claim_token": "", "lease_expires_at": None},
    )
    ask_for_followup(alias, ((each.pk, each.job_name) for each in rows if each.status == _LOST))
    # Whether they are tried again or not.
    give_notice(alias, ((each, _LOST, now) for each in rows))
    return rows


def _tried_again(alias: str, rows: Sequence[JobExecution]) -> set[int]:
    """Return the ids of those that are queued again: wanted still, and not lost too often."""
    losses = ExecutionAttempt.objects.using(alias).filter(execution_id__in=[each.pk for each in rows], status=_LOST)
    before = Counter(dict(losses.order_by().values_list("execution_id").annotate(Count("pk"))))
    jobs, _ = load_each(Job.objects.using(alias).resolvable().filter(pk__in={each.job_id for each in rows}))
    reruns, most = {job.pk for job in jobs if _is_rerun(job)}, get_settings().max_lost
    return {
        each.pk
        for each in rows
        if each.cancel_requested_at is None and each.job_id in reruns and before[each.pk] < most
    }


def _is_rerun(job: Job) -> bool:
    try:
        return job.resolve().rerun_lost
    except Exception:  # noqa: BLE001 - a row may hold anything, and must not keep the others from being rescued
        return False


def _insert_attempts(alias: str, rows: Sequence[JobExecution], now: datetime) -> None:
    attempts = [
        ExecutionAttempt(
            execution_id=each.pk,
            attempt=each.attempt,
            status=_LOST,
            node=each.node,
            started_at=each.started_at,
            finished_at=now,
            duration_ms=each.duration_ms,
            error_message=each.reason,
        )
        for each in rows
    ]
    facts = ("status", "node", "started_at", "finished_at", "duration_ms", "error_message")
    unique = ("execution", "attempt")
    upsert(ExecutionAttempt.objects.using(alias), attempts, unique_fields=unique, update_fields=facts)


def _milliseconds(start: datetime | None, end: datetime) -> int | None:
    return None if start is None else max(0, int((end - start) / timedelta(milliseconds=1)))


def _announced(rows: list[JobExecution], alias: str) -> list[JobExecution]:
    announce_lost(rows)
    if final := [each.pk for each in rows if each.status == _LOST]:
        announce_final(JobExecution.objects.using(alias).filter(pk__in=final))
    return rows
