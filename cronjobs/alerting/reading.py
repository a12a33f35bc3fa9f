"""Reads what decisions are made of: a fixed number of statements, outside of any transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from django.db.models import Q

from cronjobs.alerting.evidence import Evidence, Notice, Running, State, Waiting
from cronjobs.alerting.histories import BY_HISTORY, histories, jobs_to_judge, latest_successes
from cronjobs.alerting.quiet import PASSED_OVER, is_mongodb_reached
from cronjobs.alerting.watched import Wanted, watched_jobs
from cronjobs.alerts import JOB_KINDS, AlertKind
from cronjobs.conf import get_settings
from cronjobs.models import AlertNotice, AlertState, CeleryWorker, Job, JobExecution, Node, Queue
from cronjobs.models.pausing import why_everything_is_paused

# So many notices are weighed at once; the others at the next look.
_MOST_NOTICES: Final = 500
# Of what waits, and of what runs, so many of the oldest are looked at.
_MOST_ROWS: Final = 2_000
# Those that may begin without a notice, with any subject.
_BY_SIGHT: Final = tuple(
    kind for kind in AlertKind if kind not in {*BY_HISTORY, AlertKind.NODE_GONE, AlertKind.WORKER_GONE}
)
_NOTICE = ("pk", "execution_id", "job_id", "what", "at")


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
    jobs = watched_jobs(Wanted.of(states, notices, waiting, running), now)
    judged = jobs_to_judge(jobs, states, notices)
    successes = latest_successes(jobs.values(), now)
    # Where nothing waits, and nothing is waited for, no pause matters.
    is_pause_of_interest = bool(waiting or successes or states)
    return Evidence(
        now=now,
        states=states,
        jobs=jobs,
        notices=notices,
        histories=histories(judged),
        waiting=waiting,
        is_waiting_cut=len(waiting) == _MOST_ROWS,
        is_running_cut=len(running) == _MOST_ROWS,
        running=running,
        successes=successes,
        silent_nodes=_silent(Node) if is_calm else None,
        silent_workers=(_silent(CeleryWorker) if settings.celery_app else {}) if is_calm else None,
        paused_queues=_paused_queues() if is_pause_of_interest else frozenset(),
        is_everything_paused=is_pause_of_interest and bool(why_everything_is_paused()),
        is_mongodb_reached=is_mongodb_reached() if AlertKind.MONGODB_UNREACHABLE in site_kinds else None,
        site_kinds=site_kinds,
        queue_stuck_after=settings.alerts.queue_stuck_after,
    )


def _states(notices: Iterable[Notice]) -> dict[tuple[str, str], State]:
    """Return what fires, and of what does not, whatever may begin again: only the version that was read can be changed."""
    names = _names_of({each.job_id for each in notices if each.job_id is not None})
    # Each crash leaves the name of a process that never comes again.
    nodes = Q(kind=AlertKind.NODE_GONE, subject__in=Node.objects.order_by().values("name"))
    workers = Q(kind=AlertKind.WORKER_GONE, subject__in=CeleryWorker.objects.order_by().values("name"))
    wanted = Q(firing=True) | Q(kind__in=_BY_SIGHT) | Q(kind__in=BY_HISTORY, subject__in=names) | nodes | workers
    rows = AlertState.objects.filter(wanted).order_by()
    columns = ("kind", "subject", "firing", "since", "version", "execution_id", "judged_at")
    return {(kind, subject): State(*rest) for kind, subject, *rest in rows.values_list(*columns)}


def _names_of(ids: Collection[int]) -> list[str]:
    return list(Job.objects.filter(pk__in=ids).values_list("name", flat=True)) if ids else []


def _waiting(now: datetime) -> list[Waiting]:
    rows = JobExecution.objects.waiting().filter(run_after__lte=now - PASSED_OVER).order_by("run_after")
    columns = ("pk", "job_id", "queue", "run_after", "first_started_at", "trigger")
    return [
        Waiting(pk, job_id, queue, run_after, started_at is not None, trigger)
        for pk, job_id, queue, run_after, started_at, trigger in rows.values_list(*columns)[:_MOST_ROWS]
    ]


def _running() -> list[Running]:
    rows = JobExecution.objects.running().filter(started_at__isnull=False).by_due_time()
    return [Running(*row) for row in rows.values_list(*Running._fields)[:_MOST_ROWS]]


def _paused_queues() -> frozenset[str]:
    return frozenset(Queue.objects.paused().values_list("name", flat=True))


def _silent(processes: type[Node | CeleryWorker]) -> dict[str, datetime]:
    return dict(processes.objects.dead().order_by().values_list("name", "heartbeat_at"))
