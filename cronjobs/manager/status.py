"""What every job and every node is doing, as one JSON document, in a number of queries that does not grow."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connections
from django.db.models import OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast, JSONObject
from django.utils import timezone

from cronjobs.conf import get_settings
from cronjobs.database import engine_alias, readable_time
from cronjobs.manager.facts import JobFacts, facts_of, with_text
from cronjobs.models import Job, JobExecution, Node, Queue
from cronjobs.models.choices import Staleness
from cronjobs.models.queue import EVERYTHING
from cronjobs.registry import is_valid_name
from cronjobs.scheduler.agenda import next_run_times
from cronjobs.storable import rfc3339


def status_document(names: Collection[str] | None = None) -> dict[str, Any]:
    """Return the state of the whole app, of jobs only of those with these `names` (None: of all).

    Of a job, ``running`` means that it is enabled, not paused, and a node is alive;
    ``scheduled`` that it has a next run; ``executing`` is how many executions run now, and
    ``overrunning`` how many of these longer than their timeout.
    ``paused`` says that everything is, and ``queues`` has those that are paused or limited.
    ``lastRun`` is when an attempt last began, and ``lastStatus`` where its execution stands.
    """
    nodes, restricted = list(Node.objects.alive()), dict(Queue.objects.restricted().values_list("name", "paused"))
    is_paused = get_settings().paused or restricted.pop(EVERYTHING, False)
    # Most applications restrict none.
    queues = _counted_queues() if restricted else ()
    return {
        "success": True,
        "cronJobs": _describe_jobs(names, is_running=bool(nodes), is_paused=is_paused),
        "isRunning": bool(nodes),
        "paused": is_paused,
        "nodes": [node_document(each) for each in nodes],
        "queues": [queue_document(each) for each in queues],
        "timestamp": rfc3339(timezone.now()),
    }


def _describe_jobs(names: Collection[str] | None, *, is_running: bool, is_paused: bool) -> dict[str, dict[str, Any]]:
    jobs = _rows_of_jobs(engine_alias(Job))
    if names is not None:
        # Nothing else can be a name, and a database may refuse to look for it.
        jobs = jobs.filter(name__in=[each for each in names if is_valid_name(each)])
    rows = list(jobs.all())
    facts = facts_of({pk: text for pk, text, *_ in rows})
    executing, overrunning = _count_running()
    next_runs, now = next_run_times(), timezone.now()
    shown = {}
    for pk, _, name, stale, broken_reason, last_run in rows:
        job = facts.get(pk)
        # Without: somebody has just deleted it.
        if job is not None:
            described = _describe_job(
                job,
                node_reason=broken_reason if stale == Staleness.BROKEN else "",
                last_run=last_run,
                next_run=next_runs.get(pk),
                executing=executing[pk],
                overrunning=overrunning[pk],
                is_running=is_running,
                is_everything_paused=is_paused,
                is_paused=is_paused or job.is_paused_at(now),
            )
            # Copied: what is remembered must not change if somebody adds to what he was told.
            shown[name] = {**described, "dependsOn": dict(job.depends_on)}
    return shown


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


def _counted_queues() -> QuerySet[Any]:
    return Queue.objects.restricted().exclude(name=EVERYTHING).order_by("name").with_counts()


# To put it together takes as long as to ask a small question.
@lru_cache(maxsize=8)
def _rows_of_jobs(alias: str) -> QuerySet[Any]:
    """Return what is asked of each job, by name: key, text, name, stale, broken_reason, and its last run."""
    jobs = _with_last_run(with_text(Job.objects.using(alias)))
    return jobs.order_by("name").values_list("pk", "text", "name", "stale", "broken_reason", "last_run")


def _with_last_run(jobs: QuerySet[Any]) -> QuerySet[Any]:
    """Annotate what each job's latest start was, as JSON text: one step in an index, and the row that it names."""
    executions = JobExecution.objects.using(jobs.db).filter(job=OuterRef("pk"))
    if not connections[jobs.db].features.order_by_nulls_first:
        # Where NULL comes last anyway, the condition would make a job that never started read all that it has.
        executions = executions.filter(started_at__isnull=False)
    facts = JSONObject(startedAt="started_at", status="status", durationMs="duration_ms")
    latest = executions.order_by("-started_at", "-pk").values(facts=facts)[:1]
    annotated: QuerySet[Any] = jobs.annotate(last_run=Cast(Subquery(latest), TextField()))
    return annotated


def _count_running() -> tuple[Counter[int | None], Counter[int | None]]:
    """Return how many executions of each job run now, and how many of these longer than their timeout."""
    # In this order, and not grouped by the database: SQLite, once it has seen ANALYZE, believes that
    # any status is as frequent as succeeded, and would read the whole history.
    running = JobExecution.objects.running().order_by("claim_at").annotate(is_late=Q(deadline_at__lt=timezone.now()))
    rows = list(running.values_list("job_id", "is_late"))
    return Counter(job_id for job_id, _ in rows), Counter(job_id for job_id, is_late in rows if is_late)


# Between two requests hardly any of a thousand jobs has started.
@lru_cache(maxsize=4_096)
def _describe_job(
    job: JobFacts,
    *,
    node_reason: str,
    last_run: str | None,
    next_run: datetime | None,
    executing: int,
    overrunning: int,
    is_running: bool,
    is_everything_paused: bool,
    is_paused: bool,
) -> Mapping[str, Any]:
    reason = job.why_broken or node_reason
    # The clock row of a job that was just stopped keeps its time until a node has seen that.
    due = next_run if not reason and job.is_active and not is_everything_paused else None
    return {
        "running": job.enabled and not is_paused and is_running,
        "scheduled": due is not None,
        "enabled": job.enabled,
        "paused": is_paused,
        "pausedUntil": _time(job.paused_until) if is_paused and job.paused else None,
        "schedule": job.schedule or None,
        "description": None if reason else job.description,
        "dependsOn": job.depends_on,
        "timeZone": None if reason else job.time_zone,
        "nextRun": _time(due),
        "broken": bool(reason),
        "brokenReason": reason or None,
        **_describe_last_run(last_run),
        "executing": executing,
        "overrunning": overrunning,
    }


def _describe_last_run(text: str | None) -> dict[str, Any]:
    run = {} if text is None else json.loads(text)
    started_at = readable_time(run.get("startedAt") or "")
    if started_at is None:
        return {"lastRun": None, "lastStatus": None, "lastDurationMs": None}
    return {"lastRun": rfc3339(started_at), "lastStatus": run["status"], "lastDurationMs": run["durationMs"]}


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


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
