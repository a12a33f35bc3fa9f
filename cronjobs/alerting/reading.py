"""Reads what decisions are made of: a fixed number of statements, outside of any transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from django.db import DatabaseError
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from cronjobs.alerting.evidence import Evidence, Judged, Notice, Running, State, Waiting, WatchedJob
from cronjobs.alerts import JOB_KINDS, AlertKind, AlertPolicy
from cronjobs.conf import AlertSettings, get_settings
from cronjobs.database import as_utc, database_now_plus, engine_alias
from cronjobs.models import (
    AlertNotice,
    AlertRound,
    AlertState,
    ExecutorName,
    Job,
    JobExecution,
    Node,
    Queue,
    ResolvedJob,
)
from cronjobs.models.asking import ask
from cronjobs.models.loading import load_each
from cronjobs.models.pausing import why_everything_is_paused
from cronjobs.models.recent import newest_starts
from cronjobs.registry import registry
from cronjobs.states import ExecutionStatus

# So many notices are weighed at once; the others at the next look.
_MOST_NOTICES: Final = 500
# Of what waits, and of what runs, so many of the oldest are looked at.
_MOST_ROWS: Final = 2_000
# Of each job's history, so many executions beyond those that have to fail.
_SEEN_AT_ONCE: Final = 20
# What is due for so long has been passed over by a node at least once.
_PASSED_OVER: Final = timedelta(seconds=1)
_JUDGED: Final = (ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT)
# Alerts that are over, or go on, by what executions come to.
_BY_HISTORY: Final = (AlertKind.FAILING, AlertKind.LOST, AlertKind.MISSED)
# Those that may begin without a notice, with any subject.
_BY_SIGHT: Final = tuple(kind for kind in AlertKind if kind not in _BY_HISTORY and kind != AlertKind.NODE_GONE)
# A success is looked for among the starts of so much more time than there may be none: it may have run for long.
_LONGEST_RUN: Final = timedelta(days=1)


def is_quiet() -> bool:
    """Return whether there is nothing to weigh: one statement, and no answer of MongoDB's that is missing."""
    settings = get_settings()
    if _names_limited_to_success() != []:
        # Whether one of them is too long without a success is seen only in its history.
        return False
    found = ask(_signs(settings.lease), engine_alias(AlertState))
    # Without a row somebody looks for the first time.
    if not found or any(any(row) for row in found):
        return False
    return AlertKind.MONGODB_UNREACHABLE not in settings.alerts.on or _is_mongodb_reached() is not False


@cache
def _signs(lease: timedelta) -> Callable[[str], QuerySet[Any]]:
    """Return what makes the question whether there is anything to weigh, where claims last for `lease`."""

    def make(alias: str) -> QuerySet[Any]:
        executions = JobExecution.objects.using(alias)
        rows: tuple[QuerySet[Any], ...] = (
            AlertNotice.objects.using(alias),
            AlertState.objects.using(alias).filter(firing=True),
            executions.waiting().filter(run_after__lte=database_now_plus(-_PASSED_OVER)),
            executions.running(),
            Job.objects.using(alias).filter(no_success_after__isnull=False),
            Node.objects.using(alias).filter(stopped_at=None, heartbeat_at__lte=database_now_plus(-lease)),
        )
        signs = {f"sign_{number}": Exists(each.order_by()) for number, each in enumerate(rows)}
        return AlertRound.objects.using(alias).order_by().annotate(**signs).values_list(*signs)

    return make


def gather(now: datetime, *, is_calm: bool = True) -> Evidence:
    """Return what there is to decide by, at `now`, the database's time (aware).

    If it is not `is_calm`, the database may have been away, and nobody's silence says anything.
    """
    settings = get_settings()
    site_kinds = frozenset(kind for kind in settings.alerts.on if kind not in JOB_KINDS)
    # Before the states: what somebody else has weighed meanwhile is gone when this is written.
    notices = [Notice(*row) for row in AlertNotice.objects.order_by("pk").values_list(*_NOTICE)[:_MOST_NOTICES]]
    states = _states(notices)
    waiting, running = _waiting(now), _running()
    jobs = _jobs(_Wanted.of(states, notices, waiting, running), now)
    judged = _judged(jobs, states, notices)
    successes = _successes(jobs.values(), now)
    # Where nothing waits, and nothing is waited for, no pause matters.
    is_pause_of_interest = bool(waiting or successes or states)
    return Evidence(
        now=now,
        states=states,
        jobs=jobs,
        notices=notices,
        histories=_histories(judged),
        waiting=waiting,
        is_waiting_cut=len(waiting) == _MOST_ROWS,
        is_running_cut=len(running) == _MOST_ROWS,
        running=running,
        successes=successes,
        silent_nodes=_silent_nodes() if is_calm else None,
        paused_queues=_paused_queues() if is_pause_of_interest else frozenset(),
        is_everything_paused=is_pause_of_interest and bool(why_everything_is_paused()),
        is_mongodb_reached=_is_mongodb_reached() if AlertKind.MONGODB_UNREACHABLE in site_kinds else None,
        site_kinds=site_kinds,
        queue_stuck_after=settings.alerts.queue_stuck_after,
    )


_NOTICE = ("pk", "execution_id", "job_id", "what", "at")


def _states(notices: Iterable[Notice]) -> dict[tuple[str, str], State]:
    """Return what fires, and of what does not, whatever may begin again: only the version that was read can be changed."""
    names = _names_of({each.job_id for each in notices if each.job_id is not None})
    # Each crash leaves the name of a node that never comes again.
    nodes = Q(kind=AlertKind.NODE_GONE, subject__in=Node.objects.order_by().values("name"))
    wanted = Q(firing=True) | Q(kind__in=_BY_SIGHT) | Q(kind__in=_BY_HISTORY, subject__in=names) | nodes
    rows = AlertState.objects.filter(wanted).order_by()
    columns = ("kind", "subject", "firing", "since", "version", "execution_id", "judged_at")
    return {(kind, subject): State(*rest) for kind, subject, *rest in rows.values_list(*columns)}


def _names_of(ids: Collection[int]) -> list[str]:
    return list(Job.objects.filter(pk__in=ids).values_list("name", flat=True)) if ids else []


def _waiting(now: datetime) -> list[Waiting]:
    rows = JobExecution.objects.waiting().filter(run_after__lte=now - _PASSED_OVER).order_by("run_after")
    columns = ("pk", "job_id", "queue", "run_after", "first_started_at", "trigger")
    return [
        Waiting(pk, job_id, queue, run_after, started_at is not None, trigger)
        for pk, job_id, queue, run_after, started_at, trigger in rows.values_list(*columns)[:_MOST_ROWS]
    ]


def _running() -> list[Running]:
    # In the order of an index that begins with the status.
    rows = JobExecution.objects.running().filter(started_at__isnull=False).order_by("claim_at")
    return [Running(*row) for row in rows.values_list(*Running._fields)[:_MOST_ROWS]]


def _paused_queues() -> frozenset[str]:
    return frozenset(Queue.objects.paused().values_list("name", flat=True))


def _silent_nodes() -> dict[str, datetime]:
    return dict(Node.objects.dead().order_by().values_list("name", "heartbeat_at"))


def _is_mongodb_reached() -> bool | None:
    """Return whether MongoDB answers; None where none is configured, or its drivers are missing."""
    if not get_settings().mongodb_uri:
        return None
    try:
        from cronjobs import documents
    except ImportError:
        return None
    try:
        documents.ping()
    except Exception:  # noqa: BLE001 - whatever it is, nobody can work with it
        return False
    return True


# Jobs, and what is expected of them.


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which jobs have to be known: by key, by name, and those that must not be long without a success."""

    ids: frozenset[int]
    names: frozenset[str]

    @classmethod
    def of(
        cls,
        states: Mapping[tuple[str, str], State],
        notices: Iterable[Notice],
        waiting: Iterable[Waiting],
        running: Iterable[Running],
    ) -> _Wanted:
        ids = {each.job_id for rows in (notices, waiting, running) for each in rows}
        names = {subject for (kind, subject), state in states.items() if kind in JOB_KINDS and state.firing}
        return cls(frozenset(pk for pk in ids if pk is not None), frozenset(names))

    def rows(self) -> QuerySet[Job]:
        return Job.objects.filter(Q(pk__in=self.ids) | Q(name__in=self.names) | _limited_to_success())


def _limited_to_success() -> Q:
    """Return the condition for jobs that may have a limit to being without success."""
    names = _names_limited_to_success()
    return Q(enabled=True) if names is None else Q(no_success_after__isnull=False) | Q(definition__in=names)


def _names_limited_to_success() -> list[str] | None:
    """Return the definitions that have such a limit; None: the settings have one for all."""
    if get_settings().alerts.no_success_after is not None:
        return None
    return [each.name for each in registry if each.alerts.no_success_after is not None]


def _jobs(wanted: _Wanted, now: datetime) -> dict[int, WatchedJob]:
    jobs, _ = load_each(wanted.rows().resolvable())  # type: ignore[attr-defined]  # a JobQuerySet
    return {job.pk: _watched(job, now) for job in jobs}


def _watched(job: Job, now: datetime) -> WatchedJob:
    resolved = _resolved(job)
    # Edited, enabled or resumed: it is waited for anew.
    times = (job.created_at, job.planned_at, job.starts_at)
    about = WatchedJob(
        pk=job.pk,
        name=job.name,
        policy=_default_policy(get_settings().alerts) if resolved is None else resolved.alerts,
        is_enabled=job.enabled,
        counts_from=max(at for at in times if at is not None),
        owner=job.owner,
        description=job.description,
    )
    return about if resolved is None else _with_policies(about, resolved, now)


def _with_policies(job: WatchedJob, resolved: ResolvedJob, now: datetime) -> WatchedJob:
    is_over = resolved.ends_at is not None and resolved.ends_at < now
    return replace(
        job,
        is_in_force=resolved.is_in_force(now) and not is_over,
        is_in_thread=resolved.executor == ExecutorName.THREAD,
        is_rate_limited=resolved.rate_limit is not None,
        description=job.description or resolved.definition.description,
        runbook_url=resolved.runbook_url,
    )


def _resolved(job: Job) -> ResolvedJob | None:
    try:
        return job.resolve()
    except DatabaseError:
        raise
    except Exception:  # noqa: BLE001 - a row may hold anything; that it is broken is told by what fails
        return None


def _default_policy(settings: AlertSettings) -> AlertPolicy:
    kinds = tuple(kind for kind in settings.on if kind in JOB_KINDS)
    return AlertPolicy(on=kinds, to=settings.to, after=settings.after)


# Histories.


def _judged(
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


def _firing(job: WatchedJob, states: Mapping[tuple[str, str], State]) -> list[State]:
    return [state for kind in _BY_HISTORY if (state := states.get((kind, job.name))) and state.firing]


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


def _histories(jobs: Collection[WatchedJob]) -> dict[int, list[Judged]]:
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


def _successes(jobs: Iterable[WatchedJob], now: datetime) -> dict[int, datetime | None]:
    """Return when the latest success ended of each job that must not be long without one."""
    limits = {job.pk: job.policy.no_success_after for job in jobs if job.policy.no_success_after is not None}
    if not limits:
        return {}
    since = now - max(limits.values()) - _LONGEST_RUN
    succeeded = JobExecution.objects.filter(status=ExecutionStatus.SUCCEEDED, started_at__gte=since)
    newest = _newest(limits, succeeded, "finished_at")
    return {pk: newest[pk][0] if pk in newest else None for pk in limits}
