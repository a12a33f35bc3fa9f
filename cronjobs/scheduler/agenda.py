"""What the clock will do next, for whoever shows it: nothing outside this package reads clock rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import Exists, Q

from cronjobs.database import DatabaseNow, as_utc, engine_alias
from cronjobs.exceptions import CronJobsError
from cronjobs.models import Job, JobExecution
from cronjobs.models.execution import ExecutionQuerySet
from cronjobs.models.job import JobQuerySet
from cronjobs.scheduler.clock_rows import job_id_of, own_rows
from cronjobs.scheduler.planner import first_run_time
from cronjobs.scheduler.plans import policy_of
from cronjobs.states import ExecutionStatus

_SECOND = timedelta(seconds=1)


def next_run_times() -> dict[int, datetime]:
    """Return when each job runs next (UTC), by the job's primary key, in as many queries for one job as for many.

    Days that a calendar excludes are passed over, and so are due times that were skipped ahead
    of time. A job that never runs, or that no node has planned yet, has no entry. While no node
    is alive a time may lie in the past: that occurrence is still to be decided.
    """
    with_calendar = Job.objects.using(engine_alias(JobExecution)).filter(calendar__isnull=False).order_by()
    is_nominal = ~Q(Exists(with_calendar)) & ~Q(Exists(_skipped_ahead()))
    rows = own_rows().filter(next_run_time__isnull=False).annotate(is_nominal=is_nominal)
    visits = list(rows.values_list("id", "next_run_time", "is_nominal"))
    times = {pk: as_utc(at) for row_id, at, _ in visits if (pk := job_id_of(row_id)) is not None}
    if not all(each[-1] for each in visits):
        _pass_over(times, with_calendar)
    return times


def skipped_ahead(job: Job | None = None) -> dict[int, dict[datetime, str]]:
    """Return the due times ahead (UTC) that are not to run, with the reasons, by the job's primary key."""
    # By id: a job that is still being typed into a form has none, and may be asked about all the same.
    rows = _skipped_ahead() if job is None else _skipped_ahead().filter(job_id=job.pk)
    found: defaultdict[int, dict[datetime, str]] = defaultdict(dict)
    for job_id, at, reason in rows.values_list("job_id", "scheduled_for", "reason"):
        found[job_id][as_utc(at)] = reason
    return dict(found)


def _skipped_ahead() -> ExecutionQuerySet:
    rows = JobExecution.objects.using(engine_alias(JobExecution)).filter(status=ExecutionStatus.SKIPPED)
    # By `claim_at`, since it has an index; only of a back-fill does it lie beyond the due time.
    return rows.filter(claim_at__gt=DatabaseNow(), scheduled_for__gt=DatabaseNow()).order_by("claim_at")


def _pass_over(times: dict[int, datetime], with_calendar: JobQuerySet) -> None:
    """Put off, or take out, the times at which the clock only looks in."""
    skipped = skipped_ahead()
    for job in (with_calendar | Job.objects.using(with_calendar.db).filter(pk__in=skipped)).resolvable():
        if job.pk in times:
            at = _first_that_runs(job, times.pop(job.pk), skipped.get(job.pk, ()))
            times |= {} if at is None else {job.pk: at}


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
