"""What a node has claimed, and what no thread has begun yet: how much that may be."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

from cronjobs.runner import Claim

# Seconds. What is claimed ahead is what threads are expected to begin within this time, but no more for each of them.
_HORIZON = 0.05
_MOST_EACH = 16
# How much the latest attempt counts in how long attempts usually take, and as how long at most.
_WEIGHT, _LONGEST = 0.1, 4 * _HORIZON


class Prefetch:
    """Claims that wait for one of `size` threads, oldest first, and since when those run that have begun.

    Only while attempts are short is anything claimed before a thread is free for it: to claim one by one
    takes longer than to perform them. What has waited longer than `patience` begins no more: it may be somebody
    else's by now. Times are monotonic, in seconds. Not safe for threads: its owner locks.
    """

    def __init__(self, size: int, *, patience: float = math.inf) -> None:
        self._size, self._patience = size, patience
        # By identity, with the time since which they are there.
        self._waiting: OrderedDict[int, tuple[Claim, float]] = OrderedDict()
        self._running: dict[int, tuple[Claim, float]] = {}
        self._most_ahead = _MOST_EACH * size
        # How long an attempt usually takes. At first, so long that nothing is claimed ahead.
        self._usual = _HORIZON

    def room(self, now: float) -> int:
        """Return how many more may be claimed."""
        idle = self._idle()
        # Many by one statement, and not a few by each of many.
        ahead = 0 if len(self._waiting) * 2 > self._most_ahead else self._ahead(now)
        return max(0, idle if len(self._waiting) * 2 > ahead else idle + ahead)

    def at_once(self) -> int:
        """Return how many of these would begin at once."""
        return max(0, self._idle())

    def _idle(self) -> int:
        return self._size - len(self._running) - len(self._waiting)

    def _ahead(self, now: float) -> int:
        quick = self._size - sum(now - begun > _HORIZON for _, begun in self._running.values())
        return max(0, min(self._most_ahead, int(quick * (_HORIZON / self._usual - 1))))

    def add(self, claim: Claim, now: float) -> None:
        """Let a claim wait for a thread."""
        self._waiting[id(claim)] = (claim, now)

    def is_waiting(self, claim: Claim) -> bool:
        """Return whether no thread has begun it."""
        return id(claim) in self._waiting

    def begin(self, now: float) -> Claim | None:
        """Return the claim that has waited longest, which runs from now on; None, if none may begin."""
        for key, (claim, since) in self._waiting.items():
            if now - since <= self._patience:
                del self._waiting[key]
                self._running[key] = (claim, now)
                return claim
        return None

    def end(self, claim: Claim, now: float) -> None:
        """Take note that a claim runs no more."""
        _, begun = self._running.pop(id(claim), (claim, now - self._usual))
        self._usual += _WEIGHT * (min(now - begun, _LONGEST) - self._usual)

    def withdraw(self, is_wanted: Callable[[Claim, float], bool]) -> list[Claim]:
        """Return those that are wanted by what they are and since when they wait, and let them wait no more."""
        wanted = [claim for claim, since in self._waiting.values() if is_wanted(claim, since)]
        for each in wanted:
            del self._waiting[id(each)]
        return wanted
