"""Which waiting executions a claim looks at: due, in open queues, in the order of their turn."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery, Value

from cronjobs.database import lock_unlocked
from cronjobs.models.asking import Row, ask_converted, given
from cronjobs.models.choices import WaitsFor
from cronjobs.models.execution import LONGEST_YIELD, ExecutionQuerySet, JobExecution
from cronjobs.models.instances import columns_of, next_instance
from cronjobs.models.loading import is_the_rows_fault, load_each
from cronjobs.models.moves.places import Refusal
from cronjobs.models.queue import Queue

logger = logging.getLogger(__name__)

# Executions, and why others cannot be read, by primary key.
Found = tuple[list[JobExecution], dict[int, Exception]]


def with_limited_queue(executions: ExecutionQuerySet) -> ExecutionQuerySet:
    """Return them with `limited_queue`: the key of the row that limits the queue, None where nothing does.

    The database compares the names, by its own rules for capitals.
    """
    limited = Queue.objects.using(executions.db).limited().filter(name=OuterRef("queue"))
    return executions.annotate(limited_queue=Subquery(limited.values("pk")[:1]))


def in_open_queues(executions: ExecutionQuerySet) -> ExecutionQuerySet:
    """Return those whose queue is not paused; none while everything is."""
    queues = Queue.objects.using(executions.db)
    return executions.filter(~Exists(queues.everything_paused())).exclude(queue__in=queues.paused().values("name"))


@dataclass(slots=True)
class Candidates:
    """What a claim may take from, and what it has found to be full on its way.

    `waits_for` is what the rows wait for, which is the one who claims; `at_once` how many it begins at once (None: all).
    Usually that is the head of all queues together. Where a queue keeps its rows waiting, they
    may be very many, and stand in front of the others: `is_apart` makes it look at the head of
    each queue by itself, a few statements instead of a long way.
    """

    alias: str
    now: datetime
    queues: Collection[str] | None = None
    is_apart: bool = False
    waits_for: WaitsFor = WaitsFor.NODE
    at_once: int | None = None
    full_jobs: set[int] = field(default_factory=set)
    full_queues: set[str] = field(default_factory=set)

    def afresh(self) -> Candidates:
        """Return the same, with nothing found to be full: for a transaction that is tried again."""
        return replace(self, full_jobs=set(), full_queues=set())

    @property
    def is_any_full(self) -> bool:
        """Whether anything that is due was passed over because of its job or its queue."""
        return bool(self.full_jobs or self.full_queues)

    @property
    def is_any(self) -> bool:
        """Whether there are any at all; asked without a lock."""
        if not self.is_apart:
            return self._open(self.queues).exists()
        return any(self._open([queue]).exists() for queue in self._names())

    def note_full(self, execution: JobExecution, refusal: Refusal) -> None:
        """Look at nothing more of what has refused `execution` a place: its queue, or its job."""
        if refusal.is_queue_s:
            self.full_queues.add(execution.queue)
            self.is_apart = True
        elif execution.job_id is not None:
            self.full_jobs.add(execution.job_id)

    def next(self, number: int) -> Found:
        """Lock and return up to `number` of them, and by primary key those that cannot be read.

        Rows that somebody else has locked are passed over.
        """
        if not self.is_apart:
            return self._usual(number) or _load(self._open(self.queues), number)
        found: list[JobExecution] = []
        unreadable: dict[int, Exception] = {}
        for queue in self._names():
            rows, bad = _load(self._open([queue]), number)
            found += rows
            unreadable |= bad
        return sorted(found, key=lambda each: (each.claim_at, each.pk))[:number], unreadable

    def _usual(self, number: int) -> Found | None:
        """Return what `next` does where nothing is full, by a query that was put together once; None: not by that way."""
        if self.is_any_full:
            return None
        make = _usual_query(self.waits_for, None if self.queues is None else tuple(self.queues), number)
        try:
            rows = ask_converted(make, self.alias, now=self.now, latest=self.now + LONGEST_YIELD)
        except Exception as error:
            if not is_the_rows_fault(error):
                raise
            # Another way finds out which row it is, or shows that it was none.
            logger.warning("What is due cannot be read together: %s", type(error).__name__)
            return None
        return [_execution(self.alias, row) for row in rows], {}

    def _open(self, queues: Collection[str] | None) -> ExecutionQuerySet:
        rows = _due(self.alias, self.waits_for, queues, self.now, self.now + LONGEST_YIELD)
        return with_limited_queue(rows.exclude(job_id__in=self.full_jobs).exclude(queue__in=self.full_queues))

    def _names(self) -> Iterator[str]:
        """Yield the queues in which something waits; from one to the next, past all rows of each."""
        closed = self.full_queues | set(Queue.objects.using(self.alias).paused().values_list("name", flat=True))
        if self.queues is not None:
            yield from (name for name in self.queues if name not in closed)
            return
        waiting = JobExecution.objects.using(self.alias).waiting().order_by("queue").values_list("queue", flat=True)
        name = waiting.first()
        while name is not None:
            if name not in closed:
                yield name
            name = waiting.filter(queue__gt=name).first()


def _due(
    alias: str, waits_for: WaitsFor, queues: Collection[str] | None, now: datetime | Value, latest: datetime | Value
) -> ExecutionQuerySet:
    # The second condition bounds how far an index is read.
    due = JobExecution.objects.using(alias).claimable(now)
    rows = in_open_queues(due.filter(waits_for=waits_for, claim_at__lte=latest))
    return rows if queues is None else rows.filter(queue__in=queues)


@lru_cache(maxsize=512)
def _usual_query(waits_for: WaitsFor, queues: tuple[str, ...] | None, number: int) -> Callable[[str], QuerySet[Any]]:
    """Return what makes the query for the first `number` that are due where nothing is full."""

    def make(alias: str) -> QuerySet[Any]:
        rows = with_limited_queue(_due(alias, waits_for, queues, given("now"), given("latest")))
        return lock_unlocked(rows).values_list(*columns_of(JobExecution), "limited_queue")[:number]

    return make


def _execution(alias: str, row: Row) -> JobExecution:
    values = iter(row)
    execution: JobExecution = next_instance(JobExecution, alias, values)
    execution.limited_queue = next(values)  # type: ignore[attr-defined]  # as if annotated
    return execution


def _load(rows: ExecutionQuerySet, number: int) -> Found:
    return load_each(lock_unlocked(rows)[:number], singly=rows)
