"""Turns due times into executions: one transaction per tick, one row per due time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import Max

from cronjobs.database import as_utc, engine_alias, in_transaction, lock_unlocked
from cronjobs.models import Job, JobExecution, Overlap, ResolvedJob, Trigger
from cronjobs.models.execution import claim_time, insert_once, occurrence_key
from cronjobs.scheduler.clock_rows import job_id_of, own_rows, set_next_run_times
from cronjobs.scheduler.planner import Missed, Occurrence, Plan, plan
from cronjobs.scheduler.plans import BATCH, policy_of
from cronjobs.states import ExecutionStatus

logger = logging.getLogger(__name__)


def tick(now: datetime) -> int:
    """Write the executions of up to 500 due clock rows in one transaction; return how many rows were due.

    The unique row per occurrence is the guarantee; the locks only save work.
    """
    alias = engine_alias(JobExecution)
    return in_transaction(alias, lambda: _tick(alias, now))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """A due clock row with its job and what is to be written for it."""

    row: Any
    job: Job
    resolved: ResolvedJob
    plan: Plan


def _tick(alias: str, now: datetime) -> int:
    due = own_rows().filter(next_run_time__lte=now).order_by("next_run_time", "id").only("id", "next_run_time")
    rows = list(lock_unlocked(due)[:BATCH])
    if not rows:
        return 0
    jobs = Job.objects.using(alias).in_bulk([pk for row in rows if (pk := job_id_of(row.id)) is not None])
    planned: list[_Due] = []
    next_times: dict[str, datetime | None] = {}
    for row in rows:
        job = jobs.get(job_id_of(row.id) or 0)
        decided = None if job is None else _guarded(alias, job, lambda job=job, row=row: _decide(job, row, now))  # type: ignore[misc]  # bound now
        next_times[row.id] = None if decided is None else decided.plan.next_run_time
        if decided is not None:
            planned.append(decided)
    for broken in _insert(alias, planned, now):
        next_times[broken.row.id] = None
    set_next_run_times(alias, next_times)
    return len(rows)


def _decide(job: Job, row: Any, now: datetime) -> _Due:
    resolved = job.resolve()
    due = as_utc(row.next_run_time)
    if resolved.schedule is None or not resolved.is_active:
        return _Due(row=row, job=job, resolved=resolved, plan=Plan(occurrences=(), missed=None, next_run_time=None))
    decided = plan(resolved.schedule, policy_of(resolved), due=due, now=now)
    return _Due(row=row, job=job, resolved=resolved, plan=decided)


def _guarded(alias: str, job: Job, work: Callable[[], Any]) -> Any:
    """Return what `work` returns; whatever it raises makes that one job broken and gives None."""
    try:
        return work()
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 - one bad row must not stop the others
        _mark_broken(alias, job, error)
        return None


def _mark_broken(alias: str, job: Job, error: Exception) -> None:
    reason = str(error) or type(error).__name__
    logger.error("Job %s is broken: %s", job.name, reason, extra={"job": job.name})
    Job.objects.using(alias).filter(pk=job.pk).update(broken_reason=reason)


def _insert(alias: str, planned: Sequence[_Due], now: datetime) -> list[_Due]:
    """Insert everything in one statement; if that fails, job by job, and return the culprits."""
    busy = _open_jobs(alias, planned)
    rows = {id(each): _rows(each, busy, now) for each in planned}
    executions = JobExecution.objects.using(alias)
    try:
        with transaction.atomic(using=alias):
            _insert_rows(executions, [row for each in planned for row in rows[id(each)]])
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError:
        logger.exception("A batch of executions was refused; writing them job by job.")
    else:
        return []
    return [each for each in planned if not _insert_alone(alias, each, rows[id(each)])]


def _insert_alone(alias: str, due: _Due, rows: list[JobExecution]) -> bool:
    try:
        with transaction.atomic(using=alias):
            _insert_rows(JobExecution.objects.using(alias), rows)
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError as error:
        _mark_broken(alias, due.job, error)
        return False
    return True


def _insert_rows(executions: Any, rows: list[JobExecution]) -> None:
    if rows:
        insert_once(executions, rows)


def _open_jobs(alias: str, planned: Sequence[_Due]) -> dict[int, int]:
    """Return the newest open execution of each job that must not overlap."""
    exclusive = [each.job.pk for each in planned if each.plan.occurrences and each.resolved.overlap == Overlap.FORBID]
    if not exclusive:
        return {}
    open_ones = JobExecution.objects.using(alias).open().filter(job_id__in=exclusive)
    return dict(open_ones.order_by().values_list("job_id").annotate(Max("pk")))


def _rows(due: _Due, busy: dict[int, int], now: datetime) -> list[JobExecution]:
    rows = [_occurrence_row(due, each, busy.get(due.job.pk), now) for each in due.plan.occurrences]
    if due.plan.missed is not None:
        rows.append(_missed_row(due, due.plan.missed, now))
    return rows


def _occurrence_row(due: _Due, occurrence: Occurrence, blocker: int | None, now: datetime) -> JobExecution:
    at, resolved = occurrence.scheduled_for, due.resolved
    row = JobExecution(
        job=due.job,
        job_name=due.job.name,
        trigger=Trigger.CATCH_UP if occurrence.caught_up else Trigger.SCHEDULE,
        dedupe_key=occurrence_key(at),
        scheduled_for=at,
        run_after=at,
        claim_at=claim_time(at, resolved.priority),
        queued_at=now,
        max_attempts=resolved.retry.max_attempts,
        queue=resolved.queue,
        priority=resolved.priority,
        params=resolved.params,
    )
    # What an outage left behind waits for its turn; only a due time of now is given up.
    if blocker is not None and not occurrence.caught_up:
        row.status, row.finished_at = ExecutionStatus.SKIPPED, now
        row.reason = f"Execution {blocker} was still open."
    return row


def _missed_row(due: _Due, missed: Missed, now: datetime) -> JobExecution:
    count = f"more than {missed.count - 1:,}" if missed.count > 10_000 else f"{missed.count:,}"
    times = "due time" if missed.count == 1 else "due times"
    return JobExecution(
        job=due.job,
        job_name=due.job.name,
        trigger=Trigger.SCHEDULE,
        status=ExecutionStatus.MISSED,
        scheduled_for=missed.last,
        run_after=missed.last,
        claim_at=missed.last,
        queued_at=now,
        finished_at=now,
        missed_from=missed.first,
        missed_until=missed.last,
        missed_count=missed.count,
        reason=f"{count} {times} passed while no node was there in time to serve them.",
    )
