"""What the newest executions of jobs came to, as far as a look has to know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import OuterRef, QuerySet, Subquery

from cronjobs.alerting.evidence import Judged, Notice, State, WatchedJob
from cronjobs.alerts import AlertKind
from cronjobs.database import as_utc
from cronjobs.models import Job, JobExecution
from cronjobs.models.recent import newest_starts
from cronjobs.states import ExecutionStatus

# Of each job's history, so many executions beyond those that have to fail.
_SEEN_AT_ONCE: Final = 20
_JUDGED: Final = (ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT)
# Alerts that are over, or go on, by what executions come to.
BY_HISTORY: Final = (AlertKind.FAILING, AlertKind.LOST, AlertKind.MISSED)
# A success is looked for among the starts of so much more time than there may be none: it may have run for long.
_LONGEST_RUN: Final = timedelta(days=1)


def jobs_to_judge(
    jobs: Mapping[int, WatchedJob], states: Mapping[tuple[str, str], State], notices: Iterable[Notice]
) -> list[WatchedJob]:
    """Return the jobs whose history decides: those with notices, and those with which something fires and that ran since."""
    noticed = {each.job_id for each in notices}
    firing = {job.pk: found for job in jobs.values() if (found := _firing(job, states))}
    newest = _newest(firing, JobExecution.objects.filter(status__in=_JUDGED), "pk", "started_at")
    return [
        job
        for job in jobs.values()
        if job.pk in noticed
        or any(_is_news(state, *newest.get(job.pk, (None, None))) for state in firing.get(job.pk, ()))
    ]


def histories(jobs: Collection[WatchedJob]) -> dict[int, list[Judged]]:
    """Return the newest judged executions of each job, oldest first: as many as it takes, and some more."""
    if not jobs:
        return {}
    count = max(job.policy.after or 1 for job in jobs) + _SEEN_AT_ONCE
    judged = JobExecution.objects.filter(status__in=_JUDGED, finished_at__isnull=False)
    found: defaultdict[int, list[Judged]] = defaultdict(list)
    rows = newest_starts((job.pk for job in jobs), judged, ("status", "finished_at"), count=count)
    for job_id, started_at, pk, status, finished_at in rows:
        is_success = status == ExecutionStatus.SUCCEEDED
        found[job_id].append(Judged(as_utc(started_at), pk, is_success, as_utc(finished_at)))
    return found


def latest_successes(jobs: Iterable[WatchedJob], now: datetime) -> dict[int, datetime | None]:
    """Return when the latest success ended of each job that must not be long without one."""
    limits = {job.pk: job.policy.no_success_after for job in jobs if job.policy.no_success_after is not None}
    if not limits:
        return {}
    since = now - max(limits.values()) - _LONGEST_RUN
    succeeded = JobExecution.objects.filter(status=ExecutionStatus.SUCCEEDED, started_at__gte=since)
    newest = _newest(limits, succeeded, "finished_at")
    return {pk: newest[pk][0] if pk in newest else None for pk in limits}


def _firing(job: WatchedJob, states: Mapping[tuple[str, str], State]) -> list[State]:
    return [state for kind in BY_HISTORY if (state := states.get((kind, job.name))) and state.firing]


def _is_news(state: State, newest_id: int | None, started_at: datetime | None) -> bool:
    """Return whether the newest execution of a job may change a state that fires."""
    if state.judged_at is not None:
        return newest_id != state.execution_id
    return started_at is not None and (state.since is None or started_at > state.since)


def _newest(ids: Collection[int], executions: QuerySet[JobExecution], *columns: str) -> dict[int, tuple[Any, ...]]:
    """Return columns of the latest start among `executions`, by job: a look at the end of an index for each."""
    if not ids:
        return {}
    own = executions.filter(job_id=OuterRef("pk"), started_at__isnull=False).order_by("-started_at", "-pk")
    newest = {f"newest_{column}": Subquery(own.values(column)[:1]) for column in columns}
    rows = Job.objects.filter(pk__in=ids).order_by().annotate(**newest).values_list("pk", *newest)
    return {pk: tuple(values) for pk, *values in rows}
