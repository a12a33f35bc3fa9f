"""The Celery workers: whether they live, and which queues they serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cronjobs.conf import get_settings
from cronjobs.models import CeleryWorker
from cronjobs.models.choices import NodeStatus

# Those that stopped are passed over; of the others no more are read.
MOST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """A worker that has not stopped, and how many executions it can perform at once."""

    name: str
    state: NodeStatus
    concurrency: int
    queues: frozenset[str]
    heartbeat_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """The Celery workers, by name."""

    workers: Sequence[WorkerFacts]

    @property
    def alive(self) -> list[WorkerFacts]:
        """Those that live, whether or not they take on more work."""
        return [each for each in self.workers if each.state != NodeStatus.SILENT]

    @property
    def at_work(self) -> list[WorkerFacts]:
        """Those of the living that take on more work."""
        return [each for each in self.alive if each.state == NodeStatus.ALIVE]

    @property
    def silent(self) -> list[WorkerFacts]:
        """Those that fell silent without saying that they stop."""
        return [each for each in self.workers if each.state == NodeStatus.SILENT]

    @property
    def concurrency(self) -> int:
        """How many executions can run on them at the same time."""
        return sum(each.concurrency for each in self.at_work)

    @property
    def served(self) -> frozenset[str]:
        """The queues from which at least one of them takes work."""
        return frozenset().union(*(each.queues for each in self.at_work))


def read_workers() -> Workers | None:
    """Return the workers, in one query; None, without one, where Celery performs nothing."""
    if not get_settings().celery_app:
        return None
    # The newest first: of very many, those that live.
    rows: list[Any] = list(CeleryWorker.objects.filter(stopped_at=None).with_state().order_by("-heartbeat_at")[:MOST])
    return Workers(workers=sorted(map(_facts, rows), key=lambda each: each.name))


def _facts(worker: Any) -> WorkerFacts:
    return WorkerFacts(
        name=worker.name,
        state=NodeStatus(worker.state),
        concurrency=worker.concurrency,
        queues=frozenset(worker.queue_names),
        heartbeat_at=worker.heartbeat_at,
    )
