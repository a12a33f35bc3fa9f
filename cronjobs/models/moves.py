"""The only code that changes an execution's status: claim, renew, end, rescue. Every write is guarded."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections
from django.db.models import Count, F
from django.db.models.functions import Coalesce

from cronjobs.conf import get_settings
from cronjobs.database import DatabaseNow, database_now_plus, engine_alias, in_transaction, skip_locked
from cronjobs.exceptions import ClaimLost, CronJobsError
from cronjobs.logs import LogLine
from cronjobs.models.batches import update_from_values
from cronjobs.models.execution import ExecutionAttempt, ExecutionLog, JobExecution
from cronjobs.models.job import Job
from cronjobs.states import UNSUCCESSFUL, ExecutionStatus, ensure_move

QUEUED, RUNNING, LOST = ExecutionStatus.QUEUED, ExecutionStatus.RUNNING, ExecutionStatus.LOST

# What one UPDATE sets from one row of values; the first two say which row, and by what right.
_ENDING_COLUMNS = (
    "id",
    "claim_token",
    "status",
    "finished_at",
    "duration_ms",
    "result",
    "error_type",
    "error_message",
    "traceback",
    "reason",
    "run_after",
    "claim_at",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt ended, and where that leaves its execution.

    `outcome` is the attempt's; `status` the execution's: ``queued`` if another attempt
    follows, at `run_after`.
    """

    execution: JobExecution
    outcome: ExecutionStatus
    status: ExecutionStatus
    finished_at: datetime
    duration_ms: int
    run_after: datetime
    claim_at: datetime
    result: Any = None
    error_type: str = ""
    error_message: str = ""
    traceback: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        """Refuse an ending that the lifecycle does not know."""
        ensure_move(RUNNING, self.outcome)
        ensure_move(RUNNING, self.status)

    def values(self) -> tuple[Any, ...]:
        """Return the row of values, in the order of the columns above."""
        finished_at = None if self.status == QUEUED else self.finished_at
        return (
            self.execution.pk,
            self.execution.claim_token,
            self.status,
            finished_at,
            self.duration_ms,
            self.result,
            self.error_type,
            self.error_message,
            self.traceback,
            self.reason,
            self.run_after,
            self.claim_at,
        )

    def apply(self) -> JobExecution:
        """Return the execution in memory as the row now is."""
        for column, value in zip(_ENDING_COLUMNS[2:], self.values()[2:], strict=True):
            setattr(self.execution, column, value)
        return self.execution


def claim(
    *, node: str, limit: int, now: datetime, queues: Collection[str] | None = None
) -> list[tuple[JobExecution, Job | None]]:
    """Claim up to `limit` due executions for `node` and return them with their jobs, first come first.

    `now` is the database's clock as the node knows it. Rows that another node has locked are
    passed over. A job that is at its limit, over all nodes, keeps its rows waiting.
    """
    executions = JobExecution.objects.claimable(now)
    if queues is not None:
        executions = executions.filter(queue__in=queues)
    alias = engine_alias(JobExecution)
    return in_transaction(alias, lambda: _claim(executions.using(alias), node, limit, now))


def claim_one(execution: JobExecution, *, node: str, now: datetime) -> JobExecution:
    """Claim that very execution, regardless of limits; raise `ClaimLost` if somebody else has it."""
    alias = engine_alias(JobExecution)
    one = JobExecution.objects.using(alias).filter(pk=execution.pk, status=QUEUED)

    def work() -> list[JobExecution]:
        rows = list(one.select_for_update(**skip_locked(alias)))
        return _stamp(rows, node, now)

    claimed = in_transaction(alias, work)
    if not claimed:
        raise ClaimLost(execution.pk)
    return claimed[0]


def renew(claims: Collection[JobExecution]) -> set[int]:
    """Extend the leases of what this process holds in one statement; return the ids that were lost.

    Names the tokens held in memory, never a node. An expired lease that nobody has rescued
    may still be renewed.
    """
    if not claims:
        return set()
    tokens = {each.claim_token for each in claims}
    ids = {each.pk for each in claims}
    held = JobExecution.objects.running().filter(pk__in=ids, claim_token__in=tokens)
    if held.update(lease_expires_at=database_now_plus(get_settings().lease)) == len(ids):
        return set()
    return ids - set(held.values_list("pk", flat=True))


def record(lines: Sequence[LogLine], endings: Sequence[Ending]) -> set[int]:
    """Write log lines and endings in one transaction; return the ids that were no longer ours.

    Doing it again after a lost reply to COMMIT changes nothing and reports success.
    """
    alias = engine_alias(JobExecution)
    return in_transaction(alias, lambda: _record(alias, lines, endings))


def rescue(*, limit: int = 100) -> list[JobExecution]:
    """Take executions whose lease has run out from their silent workers, and return them.

    Each is lost, with the attempt recorded; with `rerun_lost` the same row is queued again,
    at most MAX_LOST times. The caller must have seen the database answer without errors
    for long enough that an outage cannot be the reason for the silence.
    """
    alias = engine_alias(JobExecution)
    return in_transaction(alias, lambda: _rescue(alias, limit))


def abandon(claims: Collection[JobExecution], *, reason: str) -> list[JobExecution]:
    """Give up claims that this process still holds but will not finish, and return them."""
    alias = engine_alias(JobExecution)
    tokens = {each.claim_token for each in claims}
    held = JobExecution.objects.using(alias).running().filter(pk__in={e.pk for e in claims}, claim_token__in=tokens)
    return in_transaction(alias, lambda: [_lose(each, reason) for each in held.order_by("pk").select_for_update()])


def _claim(
    executions: Any, node: str, limit: int, now: datetime
) -> list[tuple[JobExecution, Job | None]]:
    alias = executions.db
    candidates = list(executions.select_for_update(**skip_locked(alias))[:limit])
    jobs = Job.objects.using(alias).in_bulk({each.job_id for each in candidates if each.job_id})
    chosen = _within_limits(candidates, jobs, alias)
    return [(each, jobs.get(each.job_id or 0)) for each in _stamp(chosen, node, now)]


def _within_limits(candidates: list[JobExecution], jobs: dict[int, Job], alias: str) -> list[JobExecution]:
    limits = {pk: limit for pk, job in jobs.items() if (limit := _concurrency(job)) is not None}
    if not limits:
        return candidates
    # Skipping a locked job instead of waiting for it: two claims can never wait for each other.
    rows = Job.objects.using(alias).filter(pk__in=limits).order_by("pk")
    counted = set(rows.select_for_update(**skip_locked(alias)).values_list("pk", flat=True))
    running = JobExecution.objects.using(alias).running().filter(job_id__in=counted)
    taken = Counter(dict(running.values_list("job_id").annotate(Count("pk")).order_by()))
    chosen = []
    for each in candidates:
        limit = limits.get(each.job_id or 0)
        if limit is not None:
            if each.job_id not in counted or taken[each.job_id] >= limit:
                continue
            taken[each.job_id] += 1
        chosen.append(each)
    return chosen


def _concurrency(job: Job) -> int | None:
    try:
        return job.resolve().concurrency
    except CronJobsError:
        # A broken job's waiting rows are claimed and fail with the reason.
        return 1


def _stamp(rows: list[JobExecution], node: str, now: datetime) -> list[JobExecution]:
    token = secrets.token_hex(16)
    for each in rows:
        ensure_move(each.status, RUNNING)
        each.status, each.node, each.claim_token = RUNNING, node, token
        each.attempt, each.started_at = each.attempt + 1, now
        each.first_started_at = each.first_started_at or now
    if rows:
        JobExecution.objects.filter(pk__in=[each.pk for each in rows]).update(
            status=RUNNING,
            node=node,
            claim_token=token,
            attempt=F("attempt") + 1,
            started_at=now,
            first_started_at=Coalesce("first_started_at", now),
            lease_expires_at=database_now_plus(get_settings().lease),
        )
    return rows


def _record(alias: str, lines: Sequence[LogLine], endings: Sequence[Ending]) -> set[int]:
    if lines:
        _insert_lines(alias, lines)
    if not endings:
        return set()
    lost = _end(alias, endings)
    _insert_attempts(alias, [each for each in endings if each.execution.pk not in lost])
    return lost


def _end(alias: str, endings: Sequence[Ending]) -> set[int]:
    rows = [each.values() for each in sorted(endings, key=lambda each: each.execution.pk)]
    ids = {row[0] for row in rows}
    updated = update_from_values(
        JobExecution,
        using=alias,
        columns=_ENDING_COLUMNS,
        rows=rows,
        match=("id", "claim_token"),
        where={"status": RUNNING},
        also={"lease_expires_at": None},
    )
    if updated == len(ids):
        return set()
    # "Already ended with my token" is success: the reply to an earlier COMMIT may have been lost.
    tokens = {row[1] for row in rows}
    ended = JobExecution.objects.using(alias).filter(pk__in=ids, claim_token__in=tokens).exclude(status=RUNNING)
    return ids - set(ended.values_list("pk", flat=True))


def _insert_lines(alias: str, lines: Sequence[LogLine]) -> None:
    rows = [
        ExecutionLog(
            execution_id=each.execution_id,
            attempt=each.attempt,
            number=each.number,
            level=each.level,
            message=each.message,
            data=each.data,
            logged_at=each.logged_at,
        )
        for each in lines
    ]
    _insert_again(ExecutionLog, alias, rows, ["execution", "attempt", "number"])


def _insert_attempts(alias: str, endings: Iterable[Ending]) -> None:
    rows = [_attempt_of(each) for each in endings if each.outcome in UNSUCCESSFUL]
    if rows:
        _insert_again(ExecutionAttempt, alias, rows, ["execution", "attempt"])


def _insert_again(model: Any, alias: str, rows: list[Any], unique_fields: list[str]) -> None:
    """Insert rows; those that are there already stay as they are."""
    has_target = connections[alias].features.supports_update_conflicts_with_target
    target = {"unique_fields": unique_fields} if has_target else {}
    model.objects.using(alias).bulk_create(
        rows, batch_size=500, update_conflicts=True, update_fields=["attempt"], **target
    )


def _attempt_of(ending: Ending) -> ExecutionAttempt:
    return ExecutionAttempt(
        execution_id=ending.execution.pk,
        attempt=ending.execution.attempt,
        status=ending.outcome,
        node=ending.execution.node,
        started_at=ending.execution.started_at,
        finished_at=ending.finished_at,
        duration_ms=ending.duration_ms,
        error_type=ending.error_type,
        error_message=ending.error_message,
        traceback=ending.traceback,
    )


def _rescue(alias: str, limit: int) -> list[JobExecution]:
    expired = JobExecution.objects.using(alias).running().filter(lease_expires_at__lt=DatabaseNow())
    rows = expired.order_by("pk").select_for_update(**skip_locked(alias))[:limit]
    return [_lose(each, f"Its worker on {each.node} fell silent.") for each in rows]


def _lose(execution: JobExecution, reason: str) -> JobExecution:
    """Turn one running row, locked by the caller's transaction, into a lost or a queued one."""
    ensure_move(execution.status, LOST)
    attempts = ExecutionAttempt.objects.filter(execution_id=execution.pk)
    attempts.update_or_create(
        execution_id=execution.pk,
        attempt=execution.attempt,
        defaults={
            "status": LOST,
            "node": execution.node,
            "started_at": execution.started_at,
            "finished_at": DatabaseNow(),
            "error_message": reason,
        },
    )
    reruns = attempts.filter(status=LOST).count()
    again = reruns <= get_settings().max_lost and _is_rerun(execution.job_id)
    execution.status = QUEUED if again else LOST
    execution.reason, execution.claim_token, execution.lease_expires_at = reason, "", None
    changes: dict[str, Any] = {"finished_at": None if again else DatabaseNow()}
    JobExecution.objects.filter(pk=execution.pk, status=RUNNING).update(
        status=execution.status, reason=reason, claim_token="", lease_expires_at=None, **changes
    )
    return execution


def _is_rerun(job_id: int | None) -> bool:
    job = Job.objects.filter(pk=job_id).first()
    try:
        return job is not None and job.resolve().rerun_lost
    except CronJobsError:
        return False

