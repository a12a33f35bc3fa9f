"""What is due and waits for a worker, queue by queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cronjobs.conf import get_settings
from cronjobs.models import JobExecution
from cronjobs.models.queue import EVERYTHING

# Of more than these, only the oldest are counted.
MOST_COUNTED: Final = 2_000
MOST_QUEUES: Final = 6


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many executions of a queue are due and wait, and for how long the oldest of them has."""

    name: str
    waiting: int
    oldest_wait: timedelta
    is_paused: bool


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
    rows = list(
        JobExecution.objects.claimable(now).order_by("run_after").values_list("queue", "run_after")[: MOST_COUNTED + 1]
    )
    counted = rows[:MOST_COUNTED]
    # The first one of each is its oldest.
    oldest = dict(reversed(counted))
    numbers = Counter(queue for queue, _ in counted)
    depths = [QueueDepth(name, numbers[name], now - at, name in paused) for name, at in oldest.items()]
    return Waiting(
        queues=sorted(depths, key=lambda each: (-each.oldest_wait, each.name)),
        is_cut=len(rows) > MOST_COUNTED,
        is_everything_paused=is_everything_paused,
        paused=frozenset(paused - {EVERYTHING}),
    )
