"""What the clock does to the database: look, plan what changed, and turn due times into executions."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction
from django.db.models import CharField, Exists, F, Max, OuterRef, Value
from django.db.models.functions import Cast, Coalesce, Concat
from django_apscheduler.models import DjangoJob

from cronjobs.database import DatabaseNow, as_utc, clock_sql, engine_alias, in_transaction, lock_unlocked
from cronjobs.models import Job, JobExecution, Overlap, ResolvedJob, Trigger
from cronjobs.models.batches import update_from_values, upsert
from cronjobs.models.execution import claim_time, insert_once, occurrence_key
from cronjobs.models.job import PLAN_COLUMNS
from cronjobs.scheduler.planner import Missed, Occurrence, Plan, Policy, first_run_time, plan
from cronjobs.states import ExecutionStatus

logger = logging.getLogger(__name__)

BATCH = 500
# Rows of other users of django-apscheduler, whose ids begin otherwise, are never touched.
PREFIX = "cronjobs:"
_AFTER_PREFIX = "cronjobs;"


def clock_id(job_id: int) -> str:
    """Return the primary key of a job's clock row."""
    return f"{PREFIX}{job_id}"


def job_id_of(clock_row_id: str) -> int | None:
    """Return the job whose clock row has that primary key; None for what is not one of ours."""
    number = clock_row_id.removeprefix(PREFIX)
    return int(number) if number != clock_row_id and number.isascii() and number.isdigit() else None


def own_rows() -> Any:
    """Return the queryset of this app's clock rows."""
    return DjangoJob.objects.using(engine_alias(JobExecution)).filter(id__gt=PREFIX, id__lt=_AFTER_PREFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at the database showed, all of it in one statement."""

    now: datetime
    is_stale: bool
    is_broken: bool
    next_due: datetime | None
    is_claimable: bool
    next_claim: datetime | None


def look() -> Look:
    """Return the database's time, whether a job was edited or is broken, and what is due or will be."""
    alias = engine_alias(JobExecution)
    connection = connections[alias]
    queued = JobExecution.objects.using(alias).filter(status=ExecutionStatus.QUEUED)
    parts = [
        Job.objects.using(alias).stale().order_by().values("stale")[:1],
        Job.objects.using(alias).broken().order_by().values("stale")[:1],
        own_rows().filter(next_run_time__isnull=False).order_by("next_run_time").values("next_run_time")[:1],
        queued.filter(run_after__lte=DatabaseNow()).order_by().values("status")[:1],
        queued.filter(run_after__gt=DatabaseNow()).order_by("run_after").values("run_after")[:1],
    ]
    compiled = [part.query.get_compiler(connection=connection).as_sql() for part in parts]
    columns = ", ".join(f"({sql})" for sql, _ in compiled)
    params = [param for _, each in compiled for param in each]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_escaped(clock_sql(connection))}, {columns}", params)
        now, stale, broken, due, claimable, later = cursor.fetchone()
    return Look(
        now=as_utc(now),
        is_stale=stale is not None,
        is_broken=broken is not None,
        next_due=None if due is None else as_utc(due),
        is_claimable=claimable is not None,
        next_claim=None if later is None else as_utc(later),
    )


def tick(now: datetime) -> int:
    """Write the executions of up to 500 due clock rows in one transaction; return how many rows were due.

    The unique row per occurrence is the guarantee; the locks only save work.
    """
    alias = engine_alias(JobExecution)
    return in_transaction(alias, lambda: _tick(alias, now))


def sync(now: datetime) -> int:
    """Plan the jobs whose planning columns changed, from `now` on; return how many there were."""
    alias = engine_alias(JobExecution)
    return in_transaction(alias, lambda: _sync(alias, now))


def mend(now: datetime) -> int:
    """Try broken jobs again and plan those that are whole, from `now` on; return how many there were."""
    alias = engine_alias(JobExecution)
    tried = [_planned_from(job, now) for job in Job.objects.using(alias).broken().order_by("pk")[:BATCH]]
    changed = [each for each in tried if each.broken_reason != each.job.broken_reason]
    if changed:
        in_transaction(alias, lambda: _replan(alias, changed))
    return len(changed)


def reconcile(now: datetime, *, rewind: bool = False) -> int:
    """Compare every job with its clock row and mend what differs; return how many were planned anew.

    Finds what no column shows: changed settings and code, clock rows that somebody deleted or
    overwrote. `rewind` also plans again what lies beyond the next due
    time, after the clock was set back.
    """
    alias = engine_alias(JobExecution)
    changed, last = 0, 0
    while ids := list(Job.objects.using(alias).filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        changed += in_transaction(alias, lambda ids=ids: _reconcile(alias, ids, now, rewind=rewind))  # type: ignore[misc]  # bound now
        last = ids[-1]
    return changed


def restore(now: datetime) -> int:
    """Give back their clock rows to jobs whose row somebody deleted; return how many there were.

    A stock django-apscheduler store on the same database deletes what it cannot unpickle.
    """
    alias = engine_alias(JobExecution)
    own = own_rows().filter(id=Concat(Value(PREFIX), Cast(OuterRef("pk"), CharField())))
    deprived = Job.objects.using(alias).filter(~Exists(own), planned_enabled__isnull=False).order_by("pk")
    ids = list(deprived.values_list("pk", flat=True)[:BATCH])
    return in_transaction(alias, lambda: _reconcile(alias, ids, now, rewind=False)) if ids else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """What planning one job came to: its clock row's new values, or why it is broken."""

    job: Job
    state: bytes
    next_run_time: datetime | None
    broken_reason: str = ""


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
    _set_next_run_times(alias, next_times)
    return len(rows)


def _decide(job: Job, row: Any, now: datetime) -> _Due:
    resolved = job.resolve()
    due = as_utc(row.next_run_time)
    if resolved.schedule is None or not resolved.is_active:
        return _Due(row=row, job=job, resolved=resolved, plan=Plan(occurrences=(), missed=None, next_run_time=None))
    decided = plan(resolved.schedule, _policy(resolved), due=due, now=now)
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


def _policy(resolved: ResolvedJob) -> Policy:
    return Policy(misfire_grace=resolved.misfire_grace, catch_up=resolved.catch_up)


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


def _sync(alias: str, now: datetime) -> int:
    stale = Job.objects.using(alias).stale().order_by("pk")
    jobs = list(lock_unlocked(stale)[:BATCH])
    _replan(alias, [_planned_from(job, now) for job in jobs])
    return len(jobs)


def _planned_from(job: Job, at: datetime) -> _Planned:
    """Plan a job from a moment on: never the past."""
    try:
        resolved = job.resolve()
        return _Planned(job=job, state=_fingerprint(resolved), next_run_time=_first(resolved, at))
    except Exception as error:  # noqa: BLE001 - one bad row must not stop the others
        reason = str(error) or type(error).__name__
        return _Planned(job=job, state=_state(broken=reason), next_run_time=None, broken_reason=reason)


def _first(resolved: ResolvedJob, at: datetime) -> datetime | None:
    if resolved.schedule is None or not resolved.is_active:
        return None
    start = max(at, resolved.paused_until) if resolved.paused_until else at
    return first_run_time(resolved.schedule, _policy(resolved), now=start)


def _fingerprint(resolved: ResolvedJob) -> bytes:
    until = resolved.paused_until
    return _state(
        schedule=str(resolved.schedule or ""),
        timeZone=resolved.time_zone,
        active=resolved.is_active,
        pausedUntil=until.isoformat() if until else None,
    )


def _state(**facts: Any) -> bytes:
    """Return what a clock row keeps beside the time: a JSON document, never a pickle."""
    return json.dumps({"cronjobs": 1, **facts}, sort_keys=True).encode()


def _replan(alias: str, planned: Sequence[_Planned]) -> None:
    if not planned:
        return
    rows = [
        DjangoJob(id=clock_id(each.job.pk), next_run_time=each.next_run_time, job_state=each.state) for each in planned
    ]
    clock_rows = DjangoJob.objects.using(alias)
    upsert(clock_rows, rows, unique_fields=["id"], update_fields=["next_run_time", "job_state"])
    ids = [each.job.pk for each in planned]
    copies = {f"planned_{column}": F(column) for column in PLAN_COLUMNS}
    Job.objects.using(alias).filter(pk__in=ids).update(**copies)
    _set_broken_reasons(alias, planned)


def _set_broken_reasons(alias: str, planned: Iterable[_Planned]) -> None:
    for each in planned:
        if each.broken_reason != each.job.broken_reason:
            Job.objects.using(alias).filter(pk=each.job.pk).update(broken_reason=each.broken_reason)
            if each.broken_reason:
                logger.error("Job %s is broken: %s", each.job.name, each.broken_reason, extra={"job": each.job.name})
            else:
                logger.info("Job %s is mended.", each.job.name, extra={"job": each.job.name})


def _reconcile(alias: str, ids: Sequence[int], now: datetime, *, rewind: bool) -> int:
    jobs = list(Job.objects.using(alias).filter(pk__in=ids).order_by("pk").select_for_update())
    rows = own_rows().filter(id__in=[clock_id(pk) for pk in ids]).in_bulk()
    lost = [job.pk for job in jobs if clock_id(job.pk) not in rows and job.planned_enabled is not None]
    decided = _newest_decided(alias, lost)
    changed = []
    for job in jobs:
        row = rows.get(clock_id(job.pk))
        planned = _planned_from(job, decided.get(job.pk, now))
        if row is None or bytes(row.job_state) != planned.state or (rewind and _is_beyond(row, planned)):
            changed.append(planned)
    _replan(alias, changed)
    return len(changed)


def _is_beyond(row: Any, planned: _Planned) -> bool:
    if row.next_run_time is None or planned.next_run_time is None:
        return False
    return as_utc(row.next_run_time) > planned.next_run_time


def _newest_decided(alias: str, job_ids: Sequence[int]) -> dict[int, datetime]:
    """Return the newest due time that is already history, for jobs that lost their clock row."""
    if not job_ids:
        return {}
    history = JobExecution.objects.using(alias).filter(
        job_id__in=job_ids, trigger__in=(Trigger.SCHEDULE, Trigger.CATCH_UP)
    )
    newest = history.order_by().values_list("job_id").annotate(newest=Max(Coalesce("missed_until", "scheduled_for")))
    return {pk: as_utc(at) for pk, at in newest}


def _set_next_run_times(alias: str, next_times: dict[str, datetime | None]) -> None:
    rows = sorted(next_times.items())
    update_from_values(
        DjangoJob,
        using=alias,
        columns=("id", "next_run_time"),
        rows=rows,
        match=("id",),
        where={},
        also={},
    )


def _escaped(sql: str) -> str:
    """Return literal SQL for a statement that is executed with parameters."""
    return sql.replace("%", "%%")
