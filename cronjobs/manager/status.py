"""What every job and every node is doing, as one JSON document, in a number of queries that does not grow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from cronjobs.models import Job, JobExecution, Node, Queue
from cronjobs.models.graph import effective_dependencies
from cronjobs.models.job import PLAN_COLUMNS
from cronjobs.models.pausing import why_everything_is_paused
from cronjobs.models.queue import EVERYTHING
from cronjobs.scheduler.agenda import next_run_times
from cronjobs.schedules import Schedule
from cronjobs.storable import rfc3339


class _LastRun(NamedTuple):
    started_at: datetime | None = None
    status: str | None = None
    duration_ms: int | None = None


_NEVER = _LastRun()

_NOT_SHOWN = ("description", "owner", "created_at", "updated_at", *(f"planned_{each}" for each in PLAN_COLUMNS))


def status_document() -> dict[str, Any]:
    """Return the state of the whole app.

    Of a job, ``running`` means that it is enabled, not paused, and a node is alive;
    ``scheduled`` that it has a next run; ``executing`` is how many executions run now, and
    ``overrunning`` how many of these longer than their timeout.
    ``paused`` says that everything is, and ``queues`` has those that are paused or limited.
    ``lastRun`` is when the newest execution that has started began its latest attempt, and
    ``lastStatus`` where that execution stands.
    """
    nodes, is_paused = list(Node.objects.alive()), bool(why_everything_is_paused())
    queues = Queue.objects.restricted().exclude(name=EVERYTHING).order_by("name").with_counts()
    return {
        "success": True,
        "cronJobs": _describe_jobs(is_running=bool(nodes), is_paused=is_paused),
        "isRunning": bool(nodes),
        "paused": is_paused,
        "nodes": [node_document(each) for each in nodes],
        "queues": [queue_document(each) for each in queues],
        "timestamp": rfc3339(timezone.now()),
    }


def _describe_jobs(*, is_running: bool, is_paused: bool) -> dict[str, dict[str, Any]]:
    jobs = list(_with_last_run(Job.objects.order_by("name").resolvable().defer(*_NOT_SHOWN)))
    last_runs = _last_runs(each.last_run_id for each in jobs)
    executing, overrunning = _count_running()
    next_runs = next_run_times()
    return {
        each.name: {
            **_describe_job(
                each, is_running=is_running, is_everything_paused=is_paused, next_run=next_runs.get(each.pk)
            ),
            **_describe_last_run(last_runs.get(each.last_run_id, _NEVER)),
            "executing": executing[each.pk],
            "overrunning": overrunning[each.pk],
        }
        for each in jobs
    }


def queue_document(queue: Any) -> dict[str, Any]:
    """Return a queue, which has its counts, as JSON data."""
    return {
        "name": queue.name,
        "limit": queue.limit,
        "paused": queue.paused,
        "waiting": queue.waiting,
        "running": queue.running,
        "description": queue.description,
    }


def _with_last_run(jobs: QuerySet[Job]) -> QuerySet[Any]:
    """Annotate the id of each job's newest execution that has started: few steps in one index per job."""
    started = JobExecution.objects.filter(job=OuterRef("pk"), first_started_at__isnull=False)
    return jobs.annotate(last_run_id=Subquery(started.order_by("-pk").values("pk")[:1]))


def _last_runs(ids: Iterable[int | None]) -> dict[int | None, _LastRun]:
    rows = JobExecution.objects.filter(pk__in=[pk for pk in ids if pk is not None]).order_by()
    columns = rows.values_list("pk", "started_at", "status", "duration_ms")
    return {pk: _LastRun(started_at, status, duration_ms) for pk, started_at, status, duration_ms in columns}


def _count_running() -> tuple[Counter[int | None], Counter[int | None]]:
    """Return how many executions of each job run now, and how many of these longer than their timeout."""
    # In this order, and not grouped by the database: SQLite, once it has seen ANALYZE, believes that
    # any status is as frequent as succeeded, and would read the whole history.
    running = list(JobExecution.objects.running().order_by("claim_at").values_list("job_id", "deadline_at"))
    now = timezone.now()
    late: Counter[int | None] = Counter(job_id for job_id, deadline in running if deadline and deadline < now)
    return Counter(job_id for job_id, _ in running), late


def _describe_job(
    job: Job, *, is_running: bool, is_everything_paused: bool, next_run: datetime | None
) -> dict[str, Any]:
    reason = job.why_broken()
    resolved = None if reason else job.resolve()
    is_paused = is_everything_paused or job.is_paused_at(timezone.now())
    schedule = None if resolved is None else resolved.schedule
    # The clock row of a job that was just stopped keeps its time until a node has seen that.
    due = next_run if resolved is not None and resolved.is_active and not is_everything_paused else None
    return {
        "running": job.enabled and not is_paused and is_running,
        "scheduled": due is not None,
        "enabled": job.enabled,
        "paused": is_paused,
        "pausedUntil": _time(job.paused_until) if is_paused and job.paused else None,
        "schedule": job.schedule_text() or None,
        "description": None if schedule is None else _describe_schedule(schedule),
        "dependsOn": dict(effective_dependencies(job)),
        "timeZone": None if resolved is None else resolved.time_zone,
        "nextRun": _time(due),
        "broken": bool(reason),
        "brokenReason": reason or None,
    }


def _describe_last_run(run: _LastRun) -> dict[str, Any]:
    return {"lastRun": _time(run.started_at), "lastStatus": run.status, "lastDurationMs": run.duration_ms}


def node_document(node: Node) -> dict[str, Any]:
    """Return a node as JSON data."""
    return {
        "name": node.name,
        "host": node.hostname,
        "processId": node.pid,
        "version": node.version,
        "workers": node.workers,
        "running": node.running,
        "startedAt": _time(node.started_at),
        "heartbeatAt": _time(node.heartbeat_at),
        "lastTickAt": _time(node.last_tick_at),
        "clockSkewMs": node.clock_skew_ms,
    }


@lru_cache(maxsize=4096)
def _describe_schedule(schedule: Schedule) -> str:
    return schedule.describe()


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
