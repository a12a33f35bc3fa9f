"""How it stands now: nodes, queues, Celery workers, and what runs. Gauges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import Count, Min, Q

from cronjobs.conf import get_settings
from cronjobs.database import engine_alias, read_clock
from cronjobs.metrics.families import Family
from cronjobs.models import CeleryWorker, JobExecution, Node, Queue
from cronjobs.models.choices import NodeStatus


def what_is() -> Iterator[Family]:
    """Yield every gauge; ages are by the database's clock."""
    now = read_clock(engine_alias(JobExecution))
    yield from _of_nodes(now)
    yield from _of_queues(now)
    if get_settings().celery_app:
        yield from _of_celery(now)


def _of_nodes(now: datetime) -> Iterator[Family]:
    alive = list(Node.objects.alive().defer("memory_trend").order_by("name"))
    draining = sum(each.drain_requested_at is not None for each in alive)
    silent, stopped = Node.objects.dead().count(), Node.objects.exclude(stopped_at=None).count()
    states = {"alive": len(alive) - draining, "draining": draining, "silent": silent, "stopped": stopped}
    # As told at the last heartbeat. One that has just started need not have ticked.
    ages = {each.name: _seconds(now - (each.last_tick_at or each.started_at)) for each in alive}
    skews = {each.name: None if each.clock_skew_ms is None else each.clock_skew_ms / 1000 for each in alive}
    by_node = partial(Family.by, "node")
    yield Family.by(
        "state", "nodes", "Nodes that take work, drain, have fallen silent, or were stopped within a day.", states
    )
    yield by_node("node_workers", "Executions that a node runs at most.", {each.name: each.workers for each in alive})
    yield by_node("node_running", "Executions that a node runs.", {each.name: each.running for each in alive})
    memory = {each.name: each.rss_bytes for each in alive}
    yield by_node("node_resident_memory_bytes", "Memory of a node's process.", memory)
    yield by_node("node_clock_skew_seconds", "How far a node's machine is ahead of the database.", skews)
    yield by_node("node_last_tick_age_seconds", "Time since a node last looked for due jobs.", ages)
    newest = min(ages.values(), default=None)
    yield Family.single("last_tick_age_seconds", "Time since any node last looked for due jobs.", newest)


def _of_queues(now: datetime) -> Iterator[Family]:
    every = list(Queue.objects.order_by("name"))
    is_paused = get_settings().paused or any(each.is_everything and each.paused for each in every)
    queues = [each for each in every if not each.is_everything]
    by_queue = partial(Family.by, "queue")
    yield Family.single("paused", "1 while everything is paused.", is_paused)
    paused = {each.name: each.paused for each in queues}
    yield by_queue("queue_paused", "1 while nothing of a queue is started.", paused)
    limits = {each.name: each.limit for each in queues}
    yield by_queue("queue_limit", "Executions of a queue that run at once at most.", limits)

    # One that is known and empty is told of as well.
    none = dict.fromkeys(limits, 0)
    due, oldest = Count("pk", filter=Q(run_after__lte=now)), Min("run_after")
    rows = JobExecution.objects.waiting().order_by().values("queue")
    waiting = {each["queue"]: each for each in rows.annotate(number=Count("pk"), due=due, oldest=oldest)}
    numbers = none | {name: each["number"] for name, each in waiting.items()}
    yield by_queue("queue_waiting", "Executions of a queue that wait, due or not.", numbers)
    ready = none | {name: each["due"] for name, each in waiting.items()}
    yield by_queue("queue_due", "Executions of a queue that could start by their time.", ready)
    waits = none | {name: _seconds(now - each["oldest"]) for name, each in waiting.items()}
    yield by_queue("queue_oldest_wait_seconds", "How long the oldest of these has been due.", waits)

    if get_settings().celery_app:
        with_broker = JobExecution.objects.dispatched().order_by().values("queue").annotate(number=Count("pk"))
        dispatched = none | {each["queue"]: each["number"] for each in with_broker}
        yield by_queue("queue_dispatched", "Of those that wait, executions that are with the broker.", dispatched)

    # Counted here, as in the status.
    running = list(JobExecution.objects.running().by_due_time().values_list("queue", "job_name"))
    in_queue = none | Counter(queue for queue, _ in running)
    yield by_queue("queue_running", "Executions of a queue that run, on all nodes.", in_queue)
    of_job = Counter(job for _, job in running)
    yield Family.by("job", "job_running", "Executions of a job that run, on all nodes.", of_job)


def _of_celery(now: datetime) -> Iterator[Family]:
    away = {
        each.name: 0.0 if each.broker_away_since is None else _seconds(now - each.broker_away_since)
        for each in Node.objects.alive().defer("memory_trend").order_by("name")
    }
    yield Family.by("node", "node_broker_away_seconds", "For how long a node could hand nothing to the broker.", away)
    workers: list[Any] = list(CeleryWorker.objects.with_state().order_by("name"))
    states = dict.fromkeys(NodeStatus.values, 0) | Counter(str(each.state) for each in workers)
    meaning = "Celery workers that take work, drain, have fallen silent, or were stopped within a day."
    yield Family.by("state", "celery_workers", meaning, states)
    concurrency = sum(each.concurrency for each in workers if each.state == NodeStatus.ALIVE)
    yield Family.single("celery_concurrency", "Executions that Celery workers perform at once at most.", concurrency)


def _seconds(span: timedelta) -> float:
    return max(0.0, span.total_seconds())
