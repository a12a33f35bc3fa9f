"""Signs of life: by which it is seen that a thread of a node hangs, whatever it hangs in.

A thread says that it lives each time it begins a piece of work, and how long it may be silent
when it waits. One that is silent for longer than that and a limit is stuck, until it goes on.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

_MOST_FRAMES = 12
# Whoever asks once a second has not asked for so many seconds only if nothing of the process went on.
_STOOD_STILL = 5.0


class Pulse:
    """What one thread says about itself. Others may ask at any time."""

    def __init__(self, name: str, now: Callable[[], float] = time.monotonic) -> None:
        self.name, self._now = name, now
        # None: nothing is expected.
        self._expected_at: float | None = None
        self._thread: int | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Expect signs of life of the thread that calls this, until it leaves."""
        self._thread, self._expected_at = threading.get_ident(), self._now()
        try:
            yield
        finally:
            self._expected_at = self._thread = None

    def beat(self, *, rest: float = 0.0) -> None:
        """Say that the thread lives, and that it may now wait for `rest` seconds; nothing while it is not watched."""
        if self._expected_at is not None:
            self._expected_at = self._now() + rest

    def silence(self, now: float, *, since: float) -> float:
        """Return for how many seconds, of those after `since`, a sign of life is overdue; 0: it is not."""
        expected_at = self._expected_at
        return 0.0 if expected_at is None else max(0.0, now - max(expected_at, since))

    def whereabouts(self) -> str:
        """Return where in the code the thread is now, the innermost call last; empty if it has ended."""
        frame = sys._current_frames().get(self._thread or 0)  # noqa: SLF001 - Python's documented API
        return "" if frame is None else "".join(traceback.format_stack(frame)[-_MOST_FRAMES:]).rstrip()


class Vitals:
    """The pulses of all threads of a node, and which of them are stuck."""

    def __init__(self, limit: timedelta, *, now: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._now = limit.total_seconds(), now
        self._pulses: list[Pulse] = []
        self._asked_at = self._since = now()

    def pulse(self, name: str) -> Pulse:
        """Return the pulse of another thread."""
        made = Pulse(name, self._now)
        self._pulses.append(made)
        return made

    def stuck(self) -> tuple[Pulse, ...]:
        """Return the pulses of the threads that have been silent for too long. To be asked once a second or so."""
        now = self._now()
        if now - self._asked_at > max(self._limit / 2, _STOOD_STILL):
            # None of its threads could have said anything.
            self._since = now
        self._asked_at = now
        return tuple(each for each in self._pulses if each.silence(now, since=self._since) > self._limit)
