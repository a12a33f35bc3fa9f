"""A schedule without the days that a calendar excludes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from cronjobs.language import ngettext
from cronjobs.schedules._base import Schedule
from cronjobs.schedules._calendar import LATEST, seconds_of


@dataclass(frozen=True, slots=True)
class ExcludedDay:
    """One excluded date: the seconds from its first to its last, in the zone that judges it."""

    day: date
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Excluding(Schedule):
    """`schedule`, except on `dates`, which begin and end at midnight in `zone`."""

    schedule: Schedule
    dates: frozenset[date]
    zone: ZoneInfo
    days: tuple[ExcludedDay, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find where each excluded day begins and ends."""
        days = tuple(_day(each, self.zone) for each in sorted(self.dates))
        object.__setattr__(self, "days", days)

    @property
    def nominal(self) -> Schedule:
        return self.schedule

    def in_zone(self, name: str) -> Self:
        return type(self)(self.schedule.in_zone(name), self.dates, self.zone)

    def describe(self) -> str:
        count = len(self.dates)
        text = ngettext("%(schedule)s, except on %(count)d day", "%(schedule)s, except on %(count)d days", count)
        return text % {"schedule": self.schedule.describe(), "count": count}

    def excluded_between(self, start: datetime, end: datetime) -> Iterator[tuple[date, datetime]]:
        """Yield each excluded date with the first due time that it takes away, for start < t <= end."""
        first, last = seconds_of(start) + 1, seconds_of(end)
        for each in self.days:
            inside = self.schedule.due_between(_before(max(first, each.first)), _instant(min(last, each.last)))
            taken = next(inside, None) if each.first <= last and each.last >= first else None
            if taken is not None:
                yield each.day, taken

    def __str__(self) -> str:
        return str(self.schedule)

    def _walk(self, first: int, last: int) -> Iterator[int]:
        for start, end in self._gaps(first, last):
            yield from self.schedule._walk(start, end)  # noqa: SLF001 - the same interface, in seconds

    def _walk_back(self, first: int, last: int) -> Iterator[int]:
        for start, end in reversed(list(self._gaps(first, last))):
            yield from self.schedule._walk_back(start, end)  # noqa: SLF001 - as above

    def _count(self, first: int, last: int, limit: int) -> int:
        count = 0
        for start, end in self._gaps(first, last):
            count += self.schedule._count(start, end, limit)  # noqa: SLF001 - as above
            if count > limit:
                break
        return count

    def _gaps(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield the stretches of first <= t <= last that no excluded day covers."""
        # Days of before `first` are passed over at once: a calendar may reach back for years.
        for each in self.days[bisect_right(self.days, first, key=lambda day: day.last) :]:
            if first < each.first:
                yield first, min(last, each.first - 1)
            first = max(first, each.last + 1)
            if first > last:
                return
        if first <= last:
            yield first, min(last, LATEST)


def _day(day: date, zone: ZoneInfo) -> ExcludedDay:
    return ExcludedDay(day, _midnight(day, zone), _midnight(day + timedelta(days=1), zone) - 1)


def _midnight(day: date, zone: ZoneInfo) -> int:
    # Where midnight does not exist the day begins at the instant of the jump, which this is too.
    return seconds_of(datetime.combine(day, time(), zone).astimezone(UTC))


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _before(seconds: int) -> datetime:
    return _instant(seconds - 1)


def excluding(schedule: Schedule, dates: Iterable[date], zone: ZoneInfo) -> Schedule:
    """Return `schedule` without `dates`; itself if there are none."""
    found = frozenset(dates)
    return Excluding(schedule, found, zone) if found else schedule
