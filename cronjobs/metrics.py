"""What a Prometheus server reads: how nodes and queues stand, and what ended in the last hour.

All of it is read from SQL when it is asked for, in a fixed number of statements, so every web
process says the same. Nothing is counted between two scrapes, hence gauges only. The library
is optional, and is imported where it is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from django.db.models import Count, Min, Q

from cronjobs.conf import get_settings
from cronjobs.database import engine_alias, read_clock
from cronjobs.exceptions import NotInstalled
from cronjobs.models import JobExecution, Node, Queue
from cronjobs.models.figures import Tally, ended_between, modified_documents, tally

if TYPE_CHECKING:
    from prometheus_client import Metric

WINDOW: Final = timedelta(hours=1)
_OPENMETRICS: Final = "application/openmetrics-text"


@dataclass(frozen=True, slots=True)
class Gauge:
    """A metric: its name without the app's, what it says, its labels, and its samples by the labels' values."""

    name: str
    meaning: str
    labels: tuple[str, ...]
    samples: Mapping[tuple[str, ...], float]

    @classmethod
    def single(cls, name: str, meaning: str, value: float | None) -> Gauge:
        """Return one without labels; None: there is nothing to say."""
        return cls(name, meaning, (), {} if value is None else {(): value})

    @classmethod
    def by(cls, label: str, name: str, meaning: str, values: Mapping[str, float | None]) -> Gauge:
        """Return one with one label; where the value is None, there is nothing to say."""
        return cls(name, meaning, (label,), {(each,): value for each, value in values.items() if value is not None})


def exposition(accept: str = "") -> tuple[bytes, str]:
    """Return the metrics as text and its content type: OpenMetrics if a header ``Accept`` names it, else Prometheus' own.

    Raises `NotInstalled` where prometheus-client is missing.
    """
    try:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import choose_encoder
    except ImportError:
        message = "Metrics need prometheus-client, which is not installed: pip install 'cronjobs[metrics]'."
        raise NotInstalled(message) from None
    registry = CollectorRegistry()
    registry.register(_Collector())
    # Of a header only this one word, since not everything that one may hold is understood by the library.
    encode, content_type = choose_encoder(_OPENMETRICS if _OPENMETRICS in accept else "")
    return encode(registry), content_type


class _Collector:
    """Makes metrics of the library's own kind, each time they are asked for."""

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        for each in gauges():
            family = GaugeMetricFamily(f"cronjobs_{each.name}", each.meaning, labels=each.labels)
            for labels, value in each.samples.items():
                family.add_metric(labels, value)
            yield family


def gauges() -> Iterator[Gauge]:
    """Yield every metric as it is now; ages and the last hour are by the database's clock."""
    now = read_clock(engine_alias(JobExecution))
    yield from _of_nodes(now)
    yield from _of_queues(now)
    yield from _of_the_last_hour(now)


def _of_nodes(now: datetime) -> Iterator[Gauge]:
    alive = list(Node.objects.alive().defer("memory_trend").order_by("name"))
    draining = sum(each.drain_requested_at is not None for each in alive)
    silent, stopped = Node.objects.dead().count(), Node.objects.exclude(stopped_at=None).count()
    states = {"alive": len(alive) - draining, "draining": draining, "silent": silent, "stopped": stopped}
    # As told at the last heartbeat. One that has just started need not have ticked.
    ages = {each.name: _seconds(now - (each.last_tick_at or each.started_at)) for each in alive}
    skews = {each.name: None if each.clock_skew_ms is None else each.clock_skew_ms / 1000 for each in alive}
    by_node = partial(Gauge.by, "node")
    yield Gauge.by(
        "state", "nodes", "Nodes that take work, drain, have fallen silent, or were stopped within a day.", states
    )
    yield by_node("node_workers", "Executions that a node runs at most.", {each.name: each.workers for each in alive})
    yield by_node("node_running", "Executions that a node runs.", {each.name: each.running for each in alive})
    memory = {each.name: each.rss_bytes for each in alive}
    yield by_node("node_resident_memory_bytes", "Memory of a node's process.", memory)
    yield by_node("node_clock_skew_seconds", "How far a node's machine is ahead of the database.", skews)
    yield by_node("node_last_tick_age_seconds", "Time since a node last looked for due jobs.", ages)
    newest = min(ages.values(), default=None)
    yield Gauge.single("last_tick_age_seconds", "Time since any node last looked for due jobs.", newest)


def _of_queues(now: datetime) -> Iterator[Gauge]:
    every = list(Queue.objects.order_by("name"))
    is_paused = get_settings().paused or any(each.is_everything and each.paused for each in every)
    queues = [each for each in every if not each.is_everything]
    by_queue = partial(Gauge.by, "queue")
    yield Gauge.single("paused", "1 while everything is paused.", is_paused)
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

    # In the order of an index, for SQLite, and counted here, as in the status.
    running = list(JobExecution.objects.running().order_by("claim_at").values_list("queue", "job_name"))
    in_queue = none | Counter(queue for queue, _ in running)
    yield by_queue("queue_running", "Executions of a queue that run, on all nodes.", in_queue)
    of_job = Counter(job for _, job in running)
    yield Gauge.by("job", "job_running", "Executions of a job that run, on all nodes.", of_job)


def _of_the_last_hour(now: datetime) -> Iterator[Gauge]:
    ended = ended_between(now - WINDOW, now)
    tallies = {job: each for (job, _), each in sorted(tally(ended).items(), key=lambda item: item[0])}
    outcomes: dict[tuple[str, ...], float] = {
        (job, how): number for job, each in tallies.items() for how, number in each.outcomes.items() if number
    }
    yield Gauge("last_hour_executions", "Executions that ended in the last hour.", ("job", "outcome"), outcomes)

    def of_each(name: str, meaning: str, value: Callable[[Tally], float]) -> Gauge:
        return Gauge.by("job", f"last_hour_{name}", meaning, {job: value(each) for job, each in tallies.items()})

    yield of_each("duration_seconds_sum", "How long their last attempts took.", lambda each: each.duration_total / 1000)
    yield of_each("duration_seconds_count", "Those of which that is known.", lambda each: each.durations)
    yield of_each("lateness_seconds_sum", "How late they began.", lambda each: each.lateness_total / 1000)
    yield of_each("lateness_seconds_count", "Those that began.", lambda each: each.starts)
    yield of_each("retries", "Attempts after each one's first.", lambda each: each.retries)
    yield of_each("missed_due_times", "Due times that nobody was there to serve.", lambda each: each.missed_due_times)
    meaning = "Documents that were modified, as results say (modifiedCount)."
    yield Gauge.by("job", "last_hour_documents_modified", meaning, modified_documents(ended))


def _seconds(span: timedelta) -> float:
    return max(0.0, span.total_seconds())
