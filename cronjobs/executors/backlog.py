"""What a node has claimed, and what no thread has begun yet: how much that may be."""

from __future__ import annotations

from collections import OrderedDict

from cronjobs.runner import Claim

# Seconds. What is claimed ahead is what threads are expected to begin within this time.
_AHEAD = 0.025
_MOST_AHEAD = 200
# How much the latest attempt counts in how long attempts usually take.
_WEIGHT = 0.1


class Backlog:
    """Claims that wait for one of `size` threads, oldest first, and since when those run that have begun.

    Only while attempts are short is anything claimed before a thread is free for it: to claim one by one
    takes longer than to perform them. Times are monotonic, in seconds. Not safe for threads: its owner locks.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        # By identity, with the time since which they are there.
        self._waiting: OrderedDict[int, tuple[Claim, float]] = OrderedDict()
        self._running: dict[int, tuple[Claim, float]] = {}
        # How long an attempt usually takes; the first ones are waited for.
        self._usual = _AHEAD

    def room(self, now: float) -> int:
        """Return how many more may be claimed."""
        idle = self._size - len(self._running) - len(self._waiting)
        # Many by one statement, and not a few by each of many.
        ahead = 0 if len(self._waiting) > _MOST_AHEAD // 2 else self._ahead(now)
        return max(0, idle if len(self._waiting) * 2 > ahead else idle + ahead)

    def _ahead(self, now: float) -> int:
        quick = self._size - sum(now - begun > _AHEAD for _, begun in self._running.values())
        return min(_MOST_AHEAD, int(quick * (_AHEAD / self._usual - 1)))

    def add(self, claim: Claim, now: float) -> None:
        """Let a claim wait for a thread."""
        self._waiting[id(claim)] = (claim, now)

    def begin(self, now: float) -> Claim | None:
        """Return the claim that has waited longest, which runs from now on; None, if all were withdrawn."""
        if not self._waiting:
            return None
        key, (claim, _) = self._waiting.popitem(last=False)
        self._running[key] = (claim, now)
        return claim

    def end(self, claim: Claim, now: float) -> None:
        """Take note that a claim runs no more."""
        _, begun = self._running.pop(id(claim))
        self._usual += _WEIGHT * (now - begun - self._usual)

    def withdraw(self, before: float) -> list[Claim]:
        """Return those that have waited since `before` or longer, and let them wait no more."""
        late = [claim for claim, since in self._waiting.values() if since <= before]
        for each in late:
            del self._waiting[id(each)]
        return late
