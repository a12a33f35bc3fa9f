"""Turns due times into executions: one transaction per tick, one row per due time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import Count, Exists, Max, Q, QuerySet

from cronjobs.conf import get_settings, words_to_mask
from cronjobs.database import DatabaseNow, as_utc, engine_alias, in_transaction, lock_unlocked
from cronjobs.language import gettext as _
from cronjobs.language import ngettext
from cronjobs.models import Job, JobExecution, Overlap, Queue, ResolvedJob, Trigger
from cronjobs.models.announcements import announce_final
from cronjobs.models.asking import ask_about, ask_converted, given, is_asked_about
from cronjobs.models.batches import insert_new
from cronjobs.models.choices import Staleness
from cronjobs.models.execution import SERIAL, ExecutionQuerySet, insert_once, occurrence_key
from cronjobs.models.moves import cancel, give_notice
from cronjobs.models.moves.current import current_jobs
from cronjobs.registry import registry
from cronjobs.scheduler.clock_rows import EARLIEST, job_id_of, own_rows, set_next_run_times
from cronjobs.scheduler.planner import Missed, Occurrence, Plan, Policy, first_run_time, plan, spread
from cronjobs.scheduler.plans import BATCH, first_due_time, policy_of, undecided_state
from cronjobs.schedules import Excluding, Schedule
from cronjobs.states import FINAL, ExecutionStatus
from cronjobs.storable import storable_text

# Of what was missed no more are counted.
_MOST_COUNTED = 10_000

logger = logging.getLogger(__name__)

# What is to be done of a schedule that is due since then.
_Planner = Callable[[Schedule, Policy, datetime], Plan]


def tick(now: datetime | None = None, *, limit: int = BATCH) -> int:
    """Write the executions of up to `limit` due clock rows in one transaction; return how many rows were due.

    `now` is aware; None: what the database's clock shows. While everything is paused, the rows only
    move on: what was due meanwhile is never made up for. The unique row per occurrence is the guarantee;
    the locks only save work.
    """
    alias = engine_alias(JobExecution)
    return in_transaction(alias, lambda: _tick(alias, now, limit))


class _ClockRow(NamedTuple):
    """A clock row that is due, and what its database showed at the same time."""

    id: str
    next_run_time: datetime
    read_at: datetime
    is_everything_paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """A due clock row with its job and what is to be written for it."""

    row: _ClockRow
    job: Job
    resolved: ResolvedJob
    plan: Plan
    excluded: tuple[tuple[date, datetime], ...] = ()


@dataclass(frozen=True, slots=True)
class _Open:
    """What is open of a job: the newest execution's id, how many there are, and how many of them wait."""

    newest: int = 0
    number: int = 0
    waiting: int = 0

    def reason_to_skip(self, resolved: ResolvedJob) -> str:
        """Return why another due time of now is not to run, or nothing if it is."""
        match resolved.overlap:
            case Overlap.FORBID if self.number:
                if not self.newest:
                    return _("One of the same moment goes first.")
                return _("Execution %(id)d was still open.") % {"id": self.newest}
            case Overlap.ALLOW if resolved.max_instances is not None and self.number >= resolved.max_instances:
                return _still_open(self.number)
            case Overlap.QUEUE if self.waiting:
                return _("Another execution is waiting already.")
        return ""


def _still_open(number: int) -> str:
    text = ngettext(
        "%(count)d execution was still open, and no more may run side by side.",
        "%(count)d executions were still open, and no more may run side by side.",
        number,
    )
    return text % {"count": number}


def _tick(alias: str, now: datetime | None, limit: int) -> int:
    rows = _due_rows(alias, now, limit)
    if not rows:
        return 0
    now = now or rows[0].read_at
    is_paused = rows[0].is_everything_paused or get_settings().paused
    jobs, unreadable = current_jobs({pk for row in rows if (pk := job_id_of(row.id)) is not None}, alias)
    for pk, error in unreadable.items():
        _mark_broken(alias, Job(pk=pk), error)
    planned: list[_Due] = []
    next_times: dict[str, datetime | None] = {}
    decide = partial(_pass_over, now) if is_paused else partial(_decide, now, _planner(now))
    for row in rows:
        job = jobs.get(job_id_of(row.id) or 0)
        decided = None if job is None else _guarded(alias, job, partial(decide, job, row))
        next_times[row.id] = None if decided is None else decided.plan.next_run_time
        if decided is not None:
            planned.append(decided)
        elif job is not None:
            _remember_undecided(alias, row, job)
    for broken in _insert(alias, planned, now):
        next_times[broken.row.id] = None
    set_next_run_times(alias, next_times)
    return len(rows)


def _due_rows(alias: str, now: datetime | None, limit: int) -> list[_ClockRow]:
    """Lock and return the first clock rows that are due at `now` (None: by the database's clock)."""
    times = {} if now is None else {"now": now}
    found = ask_converted(_due_query(limit, is_now_given=now is not None), alias, **times)
    return [_ClockRow(pk, as_utc(due), as_utc(read_at), paused) for pk, due, read_at, paused in found]


@lru_cache(maxsize=8)
def _due_query(limit: int, *, is_now_given: bool) -> Callable[[str], QuerySet[Any]]:
    def make(alias: str) -> QuerySet[Any]:
        now = given("now") if is_now_given else DatabaseNow()
        due = own_rows().filter(next_run_time__lte=now, next_run_time__gte=EARLIEST).order_by("next_run_time", "id")
        paused = Exists(Queue.objects.using(alias).everything_paused())
        found = lock_unlocked(due.annotate(read_at=DatabaseNow(), paused=paused))
        return found.values_list("id", "next_run_time", "read_at", "paused")[:limit]

    return make


def _planner(now: datetime) -> _Planner:
    """Return what plans each schedule once: much of what is due together has the same."""

    @cache
    def plan_from(schedule: Schedule, policy: Policy, due: datetime) -> Plan:
        return plan(schedule, policy, due=due, now=now)

    return plan_from


def _decide(now: datetime, plan_from: _Planner, job: Job, row: _ClockRow) -> _Due:
    resolved = job.resolve()
    due = row.next_run_time
    if job.stale == Staleness.EDITED or resolved.schedule is None or not resolved.is_in_force(now):
        # Changed since the clock planned it: what was due then is due no more, and what the change makes due is planned next.
        return _pass_over(now, job, row)
    decided = plan_from(resolved.schedule, policy_of(resolved), due)
    if isinstance(resolved.schedule, Excluding):
        # The clock also visits excluded days, so that they can be recorded when they come.
        following = first_run_time(resolved.schedule.nominal, policy_of(resolved), now=now)
        excluded = tuple(resolved.schedule.excluded_between(due - timedelta(seconds=1), now))
        decided = replace(decided, next_run_time=following)
        return _Due(row=row, job=job, resolved=resolved, plan=decided, excluded=excluded)
    return _Due(row=row, job=job, resolved=resolved, plan=decided)


def _pass_over(now: datetime, job: Job, row: _ClockRow) -> _Due:
    """Return that this due time does not count, and when the next one is."""
    resolved = job.resolve()
    return _Due(
        row=row, job=job, resolved=resolved, plan=Plan((), missed=None, next_run_time=first_due_time(resolved, now))
    )


def _guarded(alias: str, job: Job, work: Callable[[], Any]) -> Any:
    """Return what `work` returns; whatever it raises makes that one job broken and gives None."""
    try:
        return work()
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 - one bad row must not stop the others
        _mark_broken(alias, job, error)
        return None


def _remember_undecided(alias: str, row: _ClockRow, job: Job) -> None:
    """Keep the due time of a job whose definition this process does not have.

    In a rolling release another node has it, or will: it mends the job and decides this due time.
    """
    if job.definition not in registry:
        own_rows().using(alias).filter(id=row.id).update(job_state=undecided_state(row.next_run_time))


def _mark_broken(alias: str, job: Job, error: Exception) -> None:
    # What a database says may quote SQL and values; the log has it, the row is shown to people.
    reason = storable_text(error, mask=words_to_mask()) or type(error).__name__
    if isinstance(error, DatabaseError):
        text = _("The database refuses its executions (%(error)s); the node's log says why.")
        reason = text % {"error": type(error).__name__}
    logger.error("Job %s is broken: %s", job.name or job.pk, error, extra={"job": job.name})
    Job.objects.using(alias).filter(pk=job.pk).update(broken_reason=reason)


def _insert(alias: str, planned: Sequence[_Due], now: datetime) -> list[_Due]:
    """Insert everything in one statement; if that fails, job by job, and return the culprits."""
    opened = _open_jobs(alias, planned, now)
    rows = {id(each): _rows(each, opened.get(each.job.pk, _Open()), now) for each in planned}
    _replace_older(alias, planned, opened)
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


def _replace_older(alias: str, planned: Sequence[_Due], opened: dict[int | None, _Open]) -> None:
    """Ask what is open of jobs that replace to end; the new rows wait until it has."""
    for each in planned:
        if each.resolved.overlap == Overlap.REPLACE and each.plan.occurrences and each.job.pk in opened:
            newest = each.plan.occurrences[-1].scheduled_for
            rows = JobExecution.objects.using(alias).filter(job=each.job)
            if rows.filter(dedupe_key=occurrence_key(newest)).exists():
                # It was skipped ahead of time.
                continue
            # What somebody asked for, or an outage left behind, is not the schedule's to replace.
            older = rows.filter(scheduled_for__lt=newest, trigger=Trigger.SCHEDULE)
            reason = _("Replaced by the execution due at %(time)s.") % {"time": f"{newest:%Y-%m-%dT%H:%M:%SZ}"}
            cancel(older.open(), reason=reason)


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


def _insert_rows(executions: ExecutionQuerySet, rows: list[JobExecution]) -> None:
    waiting = [row for row in rows if row.status == ExecutionStatus.QUEUED]
    insert_new(
        JobExecution, using=executions.db, instances=waiting, unique=("job_id", "dedupe_key"), unchanged="job_name"
    )
    if others := [row for row in rows if row.status != ExecutionStatus.QUEUED]:
        insert_once(executions, others)
    # Nobody else has written these: each time that they stand for is decided once.
    missed = [row for row in rows if row.status == ExecutionStatus.MISSED]
    give_notice(executions.db, ((row, row.status, row.queued_at) for row in missed))
    ended = [row for row in rows if row.status in FINAL]
    if ended:
        # One that was there before was written at another moment, and has been announced.
        announce_final(executions.filter(pk__in=[row.pk for row in ended], queued_at=ended[0].queued_at))


def _open_jobs(alias: str, planned: Sequence[_Due], now: datetime) -> dict[int | None, _Open]:
    """Return what is open of each job whose due times may have to give way.

    A backlog that is worked off beside the schedule does not count, nor does what was asked for
    at a time that has not come.
    """
    limited = [each.job.pk for each in planned if each.plan.occurrences and each.resolved.concurrency is not None]
    if not limited:
        return {}
    return {job_id: _Open(*counts) for job_id, *counts in ask_about(_counts_of_open, alias, limited, now=now)}


@lru_cache(maxsize=16)
def _counts_of_open(places: int) -> Callable[[str], QuerySet[Any]]:
    """Return what makes the query for what `_Open` says of so many jobs."""

    def make(alias: str) -> QuerySet[Any]:
        in_the_way = JobExecution.objects.using(alias).open().filter(is_asked_about("job_id", places))
        rows = in_the_way.exclude(trigger__in=SERIAL).exclude(attempt=0, run_after__gt=given("now"))
        waiting = Count("pk", filter=Q(status=ExecutionStatus.QUEUED))
        return rows.order_by().values_list("job_id").annotate(newest=Max("pk"), number=Count("pk"), waiting=waiting)

    return make


def _rows(due: _Due, opened: _Open, now: datetime) -> list[JobExecution]:
    rows = [_excluded_row(due, day, at, now) for day, at in due.excluded]
    for each in due.plan.occurrences:
        row = _occurrence_row(due, each, now)
        # What an outage left behind waits for its turn; only a due time of now is given up.
        reason = "" if each.caught_up else opened.reason_to_skip(due.resolved)
        if reason:
            row.status, row.finished_at, row.reason = ExecutionStatus.SKIPPED, now, reason
        else:
            opened = replace(opened, number=opened.number + 1, waiting=opened.waiting + 1)
        rows.append(row)
    if due.plan.missed is not None:
        rows.append(_missed_row(due, due.plan.missed, now))
    return rows


def _occurrence_row(due: _Due, occurrence: Occurrence, now: datetime) -> JobExecution:
    at, resolved = occurrence.scheduled_for, due.resolved
    start = at
    if resolved.jitter and resolved.schedule is not None:
        start = spread(at, key=resolved.name, jitter=resolved.jitter, following=resolved.schedule.next_after(at))
    return JobExecution.queued(
        due.job,
        resolved,
        start=start,
        now=now,
        trigger=Trigger.CATCH_UP if occurrence.caught_up else Trigger.SCHEDULE,
        dedupe_key=occurrence_key(at),
        scheduled_for=at,
    )


def _excluded_row(due: _Due, day: date, at: datetime, now: datetime) -> JobExecution:
    """Return the record of a day that the job's calendar excludes: one, however often the job was due in it."""
    return JobExecution.closed(
        due.job,
        status=ExecutionStatus.SKIPPED,
        scheduled_for=at,
        now=now,
        trigger=Trigger.SCHEDULE,
        dedupe_key=f"excluded:{day.isoformat()}",
        params=due.resolved.params,
        reason=_("Calendar %(calendar)s excludes %(day)s.") % {"calendar": due.job.calendar, "day": day.isoformat()},
    )


def _missed_row(due: _Due, missed: Missed, now: datetime) -> JobExecution:
    return JobExecution.closed(
        due.job,
        status=ExecutionStatus.MISSED,
        scheduled_for=missed.last,
        now=now,
        trigger=Trigger.SCHEDULE,
        missed_from=missed.first,
        missed_until=missed.last,
        missed_count=missed.count,
        reason=_why_missed(missed.count),
    )


def _why_missed(count: int) -> str:
    if count > _MOST_COUNTED:
        text = _("more than %(count)s due times passed while no node was there in time to serve them.")
        return text % {"count": f"{count - 1:,}"}
    text = ngettext(
        "%(count)s due time passed while no node was there in time to serve them.",
        "%(count)s due times passed while no node was there in time to serve them.",
        count,
    )
    return text % {"count": f"{count:,}"}
