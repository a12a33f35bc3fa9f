"""What a node tells of itself over time: how busy its process is, and what its memory was."""

from __future__ import annotations

import time
from collections import deque
from datetime import datetime

# As many points as are kept, and how many seconds lie between two of them at least.
MOST_POINTS, APART = 120, 60


class MemoryTrend:
    """The node's memory for the last two hours, a point each minute."""

    def __init__(self) -> None:
        self._points: deque[tuple[int, int]] = deque(maxlen=MOST_POINTS)

    def add(self, at: datetime, size: int) -> bool:
        """Take note of `size` bytes at the time `at`, and return True; False: the last point is not a minute old."""
        seconds = int(at.timestamp())
        # A clock that was set back must not silence it.
        if self._points and 0 <= seconds - self._points[-1][0] < APART:
            return False
        self._points.append((seconds, size))
        return True

    def as_json(self) -> list[list[int]]:
        """Return pairs of Unix seconds and bytes, oldest first."""
        return [list(each) for each in self._points]


class CpuLoad:
    """How much of one processor this process uses."""

    def __init__(self) -> None:
        self._before = time.monotonic(), time.process_time()

    def percent(self) -> int:
        """Return the percentage of one processor since this was called last; more than 100 with several."""
        now, used = time.monotonic(), time.process_time()
        before, used_before = self._before
        self._before = now, used
        return round(100 * (used - used_before) / (now - before)) if now > before else 0
