"""What is due and waits for a worker, queue by queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cronjobs.conf import get_settings
from cronjobs.models import JobExecution
from cronjobs.models.choices import WaitsFor
from cronjobs.models.queue import EVERYTHING

# Of more than these, only the oldest are counted.
MOST_COUNTED: Final = 2_000
MOST_QUEUES: Final = 6


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many executions of a queue are due and wait, and for how long the oldest of them has.

    Of these, `dispatched` are with the broker of Celery; `celery_wait` is for how long the oldest that is
    Celery's to perform has waited, None if none is.
    """

    name: str
    waiting: int
    oldest_wait: timedelta
    is_paused: bool
    dispatched: int
    celery_wait: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The queues in which something waits, the longest wait first. `is_cut`: there is more than was counted."""

    queues: Sequence[QueueDepth]
    is_cut: bool
    is_everything_paused: bool
    paused: frozenset[str]

    @property
    def depth(self) -> int:
        """How many wait that a worker could take."""
        return sum(each.waiting for each in self.queues if not self._is_held(each))

    @property
    def dispatched(self) -> int:
        """How many are with the broker of Celery."""
        return sum(each.dispatched for each in self.queues)

    def unserved(self, served: Collection[str]) -> list[QueueDepth]:
        """Return the queues in which something waits for Celery to perform it, and that are not among `served`."""
        return [
            each
            for each in self.queues
            if each.celery_wait is not None and each.name not in served and not self._is_held(each)
        ]

    @property
    def held_back(self) -> int:
        """How many wait because somebody has paused their queue, or everything."""
        return sum(each.waiting for each in self.queues if self._is_held(each))

    @property
    def oldest_wait(self) -> timedelta | None:
        """How long the oldest waits that a worker could take; None: none does."""
        return max((each.oldest_wait for each in self.queues if not self._is_held(each)), default=None)

    def _is_held(self, queue: QueueDepth) -> bool:
        return self.is_everything_paused or queue.is_paused


def read_waiting(now: datetime, paused: frozenset[str]) -> Waiting:
    """Return what waits at `now`, the database's time, where these queues are `paused`; takes one query."""
    is_everything_paused = EVERYTHING in paused or get_settings().paused
    due = JobExecution.objects.claimable(now).order_by("run_after")
    rows = list(due.values_list("queue", "run_after", "waits_for")[: MOST_COUNTED + 1])
    counted = rows[:MOST_COUNTED]
    # The first one of each is its oldest.
    oldest = {queue: now - at for queue, at, _ in reversed(counted)}
    celery_waits = {queue: now - at for queue, at, waits_for in reversed(counted) if waits_for != WaitsFor.NODE}
    numbers = Counter(queue for queue, _, _ in counted)
    dispatched = Counter(queue for queue, _, waits_for in counted if waits_for == WaitsFor.WORKER)
    depths = [
        QueueDepth(name, numbers[name], wait, name in paused, dispatched[name], celery_waits.get(name))
        for name, wait in oldest.items()
    ]
    return Waiting(
        queues=sorted(depths, key=lambda each: (-each.oldest_wait, each.name)),
        is_cut=len(rows) > MOST_COUNTED,
        is_everything_paused=is_everything_paused,
        paused=frozenset(paused - {EVERYTHING}),
    )
