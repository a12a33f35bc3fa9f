"""What every schedule can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Self

from cronjobs.schedules._calendar import EARLIEST, LATEST, instant_of, seconds_of


class CatchUp(StrEnum):
    """Which of the due times that came too late are still run."""

    # None of them.
    SKIP = "skip"
    # The newest due time only.
    LATEST = "latest"
    # Each of them, up to a cap: the newest are kept.
    ALL = "all"


class Schedule(ABC):
    """A pure value that yields due times.

    Instants go in aware, in any zone, and come out in UTC with whole seconds. A naive
    datetime raises ValueError. Spans are half open: later than `start`, up to `end`.
    """

    __slots__ = ()

    def next_after(self, t: datetime) -> datetime | None:
        """Return the first due time strictly later than `t`, or None if there is none."""
        found = next(self._walk(*_span(seconds_of(t), LATEST)), None)
        return None if found is None else instant_of(found)

    def due_between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the due times with start < t <= end, oldest first, computed as they are asked for."""
        return map(instant_of, self._walk(*_span(seconds_of(start), seconds_of(end))))

    def newest_first(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the due times with start < t <= end, newest first, computed as they are asked for."""
        return map(instant_of, self._walk_back(*_span(seconds_of(start), seconds_of(end))))

    def latest_between(self, start: datetime, end: datetime) -> datetime | None:
        """Return the newest due time with start < t <= end, or None if there is none."""
        return next(self.newest_first(start, end), None)

    def count_between(self, start: datetime, end: datetime, limit: int = 10_000) -> int:
        """Return how many due times there are with start < t <= end.

        The number is exact up to `limit`; `limit + 1` means "more than `limit`".
        """
        count = self._count(*_span(seconds_of(start), seconds_of(end)), limit)
        return min(count, limit + 1)

    @property
    def nominal(self) -> Schedule:
        """This schedule without what a calendar takes away from it."""
        return self

    def in_zone(self, name: str) -> Self:
        """Return this schedule with the IANA zone `name`, if it follows a wall clock and has no zone yet."""
        return self

    @abstractmethod
    def describe(self) -> str:
        """Return the schedule in words of the reader's language, with its zone if it follows a wall clock."""

    @abstractmethod
    def __str__(self) -> str:
        """Return the canonical text, which `parse_schedule` reads back (a time zone is kept apart)."""

    # Whole seconds since the epoch, first <= t <= last. `_count` may stop once beyond `limit`.

    @abstractmethod
    def _walk(self, first: int, last: int) -> Iterator[int]: ...

    @abstractmethod
    def _walk_back(self, first: int, last: int) -> Iterator[int]: ...

    @abstractmethod
    def _count(self, first: int, last: int, limit: int) -> int: ...


def _span(after: int, until: int) -> tuple[int, int]:
    first, last = max(after + 1, EARLIEST), min(until, LATEST)
    return min(first, LATEST + 1), max(last, EARLIEST - 1)
