"""What every job and every node is doing, as one JSON document, in a number of queries that does not grow."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from cronjobs.conf import get_settings
from cronjobs.database import engine_alias
from cronjobs.manager.job_status import JobStatus, JobStatuses, job_statuses
from cronjobs.models import CeleryWorker, JobExecution, Node, Queue
from cronjobs.models.asking import ask
from cronjobs.models.choices import NodeStatus
from cronjobs.models.queue import EVERYTHING
from cronjobs.storable import json_text, rfc3339


def status_document(names: Collection[str] | None = None) -> dict[str, Any]:
    """Return the state of the whole app; with `names`, of these jobs only, and of no node or queue.

    Of a job, ``running`` means that it is enabled, not paused, and a node is alive that takes work;
    ``scheduled`` that it has a next run; ``executing`` is how many executions run now, and
    ``overrunning`` how many of these longer than their timeout.
    ``paused`` says that everything is, and ``queues`` has those that are paused or limited.
    ``celery`` counts workers and what is with the broker; None where CELERY_APP names no app.
    ``lastRun`` is when an attempt last began, and ``lastStatus`` where its execution stands.
    """
    status = _look(names)
    return {
        "success": True,
        "cronJobs": {name: _copy(each) for name, each in status.jobs.by_name.items()},
        **status.rest,
    }


def status_text(names: Collection[str] | None = None) -> str:
    """Return what `status_document` does as JSON text, in a fraction of the time that it takes to write that anew."""
    status = _look(names)
    return f'{{"success":true,"cronJobs":{{{status.jobs.members}}},{json_text(status.rest)[1:]}'


def queue_document(queue: Any) -> dict[str, Any]:
    """Return a queue, which has its counts, as JSON data."""
    return {
        "name": queue.name,
        "limit": queue.limit,
        "paused": queue.paused,
        "waiting": queue.waiting,
        "dispatched": queue.dispatched,
        "running": queue.running,
        "description": queue.description,
    }


def node_document(node: Any) -> dict[str, Any]:
    """Return a node, which has its `state`, as JSON data."""
    return {
        "name": node.name,
        "host": node.hostname,
        "processId": node.pid,
        "version": node.version,
        "workers": node.workers,
        "running": node.running,
        "state": str(node.state),
        "stuckThreads": node.stuck_threads,
        "brokerAwaySince": _time(node.broker_away_since),
        "brokerAwayBecause": node.broker_away_because or None,
        "drainRequestedAt": _time(node.drain_requested_at),
        "drainRequestedBy": node.drain_requested_by or None,
        "cpuPercent": node.cpu_percent,
        "startedAt": _time(node.started_at),
        "heartbeatAt": _time(node.heartbeat_at),
        "lastTickAt": _time(node.last_tick_at),
        "clockSkewMs": node.clock_skew_ms,
    }


def worker_document(worker: Any) -> dict[str, Any]:
    """Return a Celery worker, which has its `state` and its number of `running` executions, as JSON data."""
    return {
        "name": worker.name,
        "host": worker.hostname,
        "processId": worker.pid,
        "version": worker.version,
        "concurrency": worker.concurrency,
        "running": worker.running,
        "queues": worker.queue_names,
        "state": str(worker.state),
        "startedAt": _time(worker.started_at),
        "heartbeatAt": _time(worker.heartbeat_at),
        "stoppedAt": _time(worker.stopped_at),
        "rssBytes": worker.rss_bytes,
    }


class _Status(NamedTuple):
    jobs: JobStatuses
    rest: dict[str, Any]


def _look(names: Collection[str] | None) -> _Status:
    nodes: list[Any] = list(Node.objects.alive().defer("memory_trend"))
    for each in nodes:
        # Of those that live it is that simple; `with_state` takes longer to put together than to answer.
        each.state = NodeStatus.ALIVE if each.drain_requested_at is None else NodeStatus.DRAINING
    # Those that drain start nothing more.
    is_running = any(each.state == NodeStatus.ALIVE for each in nodes)
    restricted = {name: bool(paused) for name, paused in ask(_restricted, engine_alias(Queue))}
    is_paused = get_settings().paused or restricted.pop(EVERYTHING, False)
    # Most applications restrict none.
    queues = _counted_queues() if restricted and names is None else []
    rest = {
        "isRunning": is_running,
        "paused": is_paused,
        "nodes": [node_document(each) for each in nodes] if names is None else [],
        "queues": [queue_document(each) for each in queues],
        "celery": _celery() if names is None else None,
        "timestamp": rfc3339(timezone.now()),
    }
    return _Status(job_statuses(names, is_running=is_running, is_everything_paused=is_paused), rest)


def _celery() -> dict[str, int] | None:
    """Return how many Celery workers there are, and what is with the broker; None, if Celery performs nothing here."""
    if not get_settings().celery_app:
        return None
    crew = CeleryWorker.objects.crew()
    return {
        "workers": crew.alive,
        "draining": crew.draining,
        "concurrency": crew.concurrency,
        "dispatched": JobExecution.objects.dispatched().count(),
    }


def _restricted(alias: str) -> QuerySet[Any]:
    return Queue.objects.using(alias).restricted().values_list("name", "paused")


def _counted_queues() -> list[Any]:
    return list(Queue.objects.restricted().exclude(name=EVERYTHING).order_by("name").with_counts())


def _copy(job: JobStatus) -> dict[str, Any]:
    # What is remembered must not change if somebody adds to what he was told.
    return {**job.document, "dependsOn": dict(job.document["dependsOn"])}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
