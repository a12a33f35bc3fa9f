"""What the clock will do next, for whoever shows it: nothing outside this package reads clock rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from types import MappingProxyType
from typing import Any, ClassVar

from django.db.models import Exists, Q, QuerySet, TextField
from django.db.models.functions import Cast

from cronjobs.database import DatabaseNow, as_utc, engine_alias, readable_time
from cronjobs.exceptions import CronJobsError
from cronjobs.models import Job, JobExecution
from cronjobs.models.asking import Row, ask
from cronjobs.models.choices import Staleness, WaitsFor
from cronjobs.models.execution import ExecutionQuerySet
from cronjobs.models.job import JobQuerySet
from cronjobs.models.loading import load_jobs
from cronjobs.scheduler.clock_rows import job_id_of, own_rows
from cronjobs.scheduler.planner import first_run_time
from cronjobs.scheduler.plans import policy_of
from cronjobs.states import ExecutionStatus

_SECOND = timedelta(seconds=1)


class _Read:
    """The clock's rows as they were read last, and their times; replaced as one, since threads read."""

    # To understand a thousand of them takes longer than to ask whether they have changed.
    last: ClassVar[tuple[list[Row], Mapping[int, datetime]]] = ([], MappingProxyType({}))


def next_run_times() -> Mapping[int, datetime]:
    """Return when each job runs next (UTC), by the job's primary key, in as many queries for one job as for many.

    Days that a calendar excludes are passed over, and so are due times that were skipped ahead
    of time. A job that never runs, or that no node has planned yet, has no entry. While no node
    is alive a time may lie in the past: that occurrence is still to be decided.
    """
    alias = engine_alias(JobExecution)
    visits = ask(_visits, alias)
    times = _times(visits)
    if all(is_nominal for *_, is_nominal in visits):
        return times
    return _passed_over(dict(times), _with_calendar(alias))


def coming_run_times(jobs: Iterable[Job], *, count: int, now: datetime) -> dict[int, tuple[datetime, ...]]:
    """Return the next times at which each of `jobs` runs by itself (UTC), up to `count`, by primary key.

    As `next_run_times`, in two queries, but also true of a job that was switched or edited a moment ago, whether
    or not a node has seen that yet. One that is disabled, paused or broken has none. The jobs come with their
    calendars.
    """
    times, skipped = _times(ask(_visits, engine_alias(JobExecution))), skipped_ahead()
    return {job.pk: tuple(islice(_coming(job, times.get(job.pk), skipped.get(job.pk, ()), now), count)) for job in jobs}


def _coming(job: Job, planned: datetime | None, skipped: Collection[datetime], now: datetime) -> Iterator[datetime]:
    try:
        resolved = job.resolve()
    except CronJobsError:
        return
    if not resolved.is_active or resolved.schedule is None:
        return
    policy, at = policy_of(resolved), planned
    if job.stale == Staleness.EDITED:
        # The clock still has what was planned before; from now on it is what every node will plan.
        start = max(now, resolved.paused_until or now)
        at = first_run_time(resolved.schedule, policy, now=start)
    elif at is not None and job.calendar is not None:
        # The clock looks in on excluded days, too.
        at = first_run_time(resolved.schedule, policy, now=at - _SECOND)
    while at is not None:
        if at not in skipped:
            yield at
        # Of those that nobody has decided yet only the first is shown.
        at = first_run_time(resolved.schedule, policy, now=max(at, now))


def skipped_ahead(job: Job | None = None) -> dict[int, dict[datetime, str]]:
    """Return the due times ahead (UTC) that are not to run, with the reasons, by the job's primary key."""
    # By id: a job that is still being typed into a form has none, and may be asked about all the same.
    rows = _skipped_ahead(engine_alias(JobExecution))
    if job is not None:
        rows = rows.filter(job_id=job.pk)
    found: defaultdict[int, dict[datetime, str]] = defaultdict(dict)
    for job_id, at, reason in rows.values_list("job_id", "scheduled_for", "reason"):
        found[job_id][as_utc(at)] = reason
    return dict(found)


def _visits(alias: str) -> QuerySet[Any]:
    """Return the clock's rows: id, time, and whether it is the next run of every job whose clock it is."""
    is_nominal = ~Q(Exists(_with_calendar(alias))) & ~Q(Exists(_skipped_ahead(alias)))
    # As text: a driver takes longer to make a time of it, and fails on one that Python does not have.
    rows = own_rows().using(alias).order_by().annotate(at=Cast("next_run_time", TextField()), is_nominal=is_nominal)
    visits: QuerySet[Any] = rows.filter(next_run_time__isnull=False).values_list("id", "at", "is_nominal")
    return visits


def _times(visits: list[Row]) -> Mapping[int, datetime]:
    known, times = _Read.last
    if known != visits:
        found = {pk: at for row_id, text, _ in visits if (pk := job_id_of(row_id)) and (at := readable_time(text))}
        times = MappingProxyType(found)
        _Read.last = (visits, times)
    return times


def _with_calendar(alias: str) -> JobQuerySet:
    return Job.objects.using(alias).filter(calendar__isnull=False).order_by()


def _skipped_ahead(alias: str) -> ExecutionQuerySet:
    rows = JobExecution.objects.using(alias).filter(status=ExecutionStatus.SKIPPED)
    # By what has an index: `waits_for` is a part of it, and `claim_at` lies beyond the due time of a back-fill only.
    rows = rows.filter(waits_for__in=WaitsFor.values)
    return rows.filter(claim_at__gt=DatabaseNow(), scheduled_for__gt=DatabaseNow()).order_by("claim_at")


def _passed_over(times: dict[int, datetime], with_calendar: JobQuerySet) -> dict[int, datetime]:
    """Return the times, without or after those at which the clock only looks in."""
    skipped = skipped_ahead()
    for job in load_jobs((with_calendar | Job.objects.using(with_calendar.db).filter(pk__in=skipped)).resolvable()):
        if job.pk in times:
            at = _first_that_runs(job, times.pop(job.pk), skipped.get(job.pk, ()))
            times |= {} if at is None else {job.pk: at}
    return times


def _first_that_runs(job: Job, at: datetime, skipped: Collection[datetime]) -> datetime | None:
    """Return the job's first due time from `at` on that neither its calendar nor somebody has taken out."""
    try:
        resolved = job.resolve()
    except CronJobsError:
        return at
    if resolved.schedule is None:
        return at
    found = first_run_time(resolved.schedule, policy_of(resolved), now=at - _SECOND)
    while found is not None and found in skipped:
        found = first_run_time(resolved.schedule, policy_of(resolved), now=found)
    return found
