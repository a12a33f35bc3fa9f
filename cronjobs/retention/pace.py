"""How much is deleted at a time, and how long everybody else gets in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

# Waits for so many seconds; returns whether to stop, then at once.
Rest = Callable[[float], bool]

# Below what SQLite binds in one statement, and MariaDB takes for a list and not for a table.
LARGEST_BATCH: Final = 900
_SMALLEST_BATCH, _FIRST_BATCH = 20, 200
# Seconds: a transaction that takes as long keeps nobody waiting who is due in this second.
_GOAL = 0.1
_SHORTEST_REST, _LONGEST_REST = 0.005, 1.0


def sleep(seconds: float) -> bool:
    """Wait, and go on: for whoever has nobody that could tell it to stop."""
    time.sleep(seconds)
    return False


class Pace:
    """Finds the number of rows for which a transaction takes a tenth of a second, and rests as long as it has worked.

    `size` fixes the number (at most `LARGEST_BATCH`). The rest is what lets others have their turn where there is
    one writer (SQLite), and a server its breath.
    """

    def __init__(self, *, rest: Rest = sleep, size: int | None = None) -> None:
        self._rest, self._is_fixed = rest, size is not None
        self.size = min(size or _FIRST_BATCH, LARGEST_BATCH)
        self.is_stopped = False
        # Seconds.
        self.longest = 0.0

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Time what is done meanwhile, learn from it, and rest."""
        begun = time.monotonic()
        yield
        took = time.monotonic() - begun
        self.longest = max(self.longest, took)
        if not self._is_fixed:
            self.size = next_size(self.size, took)
        self.is_stopped = self._rest(min(max(took, _SHORTEST_REST), _LONGEST_REST))

    def look(self) -> bool:
        """Return whether to stop, without a rest."""
        self.is_stopped = self.is_stopped or self._rest(0)
        return self.is_stopped


def next_size(size: int, took: float) -> int:
    """Return how many rows to take after `size` of them took so many seconds: at most twice as many, or half."""
    factor = min(max(_GOAL / max(took, 0.001), 0.5), 2.0)
    return min(max(int(size * factor), _SMALLEST_BATCH), LARGEST_BATCH)
