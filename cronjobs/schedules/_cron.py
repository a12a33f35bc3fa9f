"""Cron expressions on the clock of a time zone, as Debian's cron runs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Self
from zoneinfo import ZoneInfo

from cronjobs.language import gettext as _
from cronjobs.schedules._advice import ClockNote, advice_on, notes_on
from cronjobs.schedules._base import Schedule
from cronjobs.schedules._timetable import timetable
from cronjobs.schedules._words import cron_in_words
from cronjobs.schedules._zones import Window, parse_time_zone, windows_between


@dataclass(frozen=True, slots=True)
class Cron(Schedule):
    """Due when the wall clock of `time_zone` (an IANA name; None: UTC until `in_zone`) matches `expression`.

    Five fields, or six with seconds first, in the language of Debian's crontab(5): 0 and 7 are
    Sunday; restricted day-of-month and day-of-week are joined by OR, but by AND if either starts
    with a star. "L" (last day), "LW" (last weekday), "5L" (last Friday) and "1#2" (second Monday)
    are understood too. `InvalidSchedule` names the field that is wrong, or says that no date ever
    matches.

    Clock changes follow cron(8) of Debian. A schedule at fixed times (neither minute nor hour
    starts with a star) that falls into a skipped hour runs once, right after the gap, and in a
    repeated hour only the first time. Others follow the clock as it shows. A jump of three hours
    or more is a correction, which all follow. Seconds count within the minute so chosen.
    """

    expression: str
    time_zone: str | None = None

    def __post_init__(self) -> None:
        """Refuse an expression or a zone that is not valid."""
        timetable(self.expression)
        if self.time_zone is not None:
            parse_time_zone(self.time_zone)

    @property
    def zone(self) -> ZoneInfo:
        """The zone whose wall clock is followed."""
        return parse_time_zone(self.time_zone or "UTC")

    def in_zone(self, name: str) -> Self:
        return replace(self, time_zone=name) if self.time_zone is None else self

    def describe(self) -> str:
        return _("%(schedule)s (%(zone)s)") % {"schedule": cron_in_words(self.expression), "zone": self.zone.key}

    def __str__(self) -> str:
        return " ".join(self.expression.split())

    def advice(self, *, now: datetime | None = None) -> tuple[str, ...]:
        """Return sentences about what is valid but may surprise; clock changes of the year after `now`, if given."""
        return advice_on(self.expression, self.zone, now)

    def notes_between(self, start: datetime, end: datetime) -> Iterator[ClockNote]:
        """Yield what the clock changes with start < at <= end do to this schedule, oldest first."""
        return notes_on(timetable(self.expression), self.zone, start, end)

    def _walk(self, first: int, last: int) -> Iterator[int]:
        table = timetable(self.expression)
        for window in self._windows(first // 60, last // 60 + 1):
            for minute in _due(window, table.walk(window.first, window.end)):
                yield from (at for second in table.seconds if first <= (at := minute * 60 + second) <= last)

    def _walk_back(self, first: int, last: int) -> Iterator[int]:
        table = timetable(self.expression)
        for window in self._windows(first // 60, last // 60 + 1, backward=True):
            for minute in _due(window, table.walk_back(window.first, window.end)):
                yield from (at for second in reversed(table.seconds) if first <= (at := minute * 60 + second) <= last)

    def _count(self, first: int, last: int, limit: int) -> int:
        # The minutes at both ends may be cut; those in between are whole and need no walk.
        start, end = first // 60 + 1, last // 60
        count = sum(1 for _ in self._walk(first, min(last, start * 60 - 1)))
        if start <= end:
            count += sum(1 for _ in self._walk(end * 60, last))
            count += self._count_minutes(start, end, limit) * len(timetable(self.expression).seconds)
        return count

    def _count_minutes(self, first: int, end: int, limit: int) -> int:
        table, count = timetable(self.expression), 0
        for window in self._windows(first, end):
            due = table.count(window.first, window.end)
            count += min(due, 1) if window.is_gap else due
            if count > limit:
                break
        return count

    def _windows(self, first: int, end: int, *, backward: bool = False) -> Iterator[Window]:
        fixed = timetable(self.expression).is_fixed
        return windows_between(self.zone, first, end, fixed=fixed, backward=backward)


def _due(window: Window, minutes: Iterator[int]) -> Iterator[int]:
    """Return the UTC minutes at which what is due at the wall-clock `minutes` of `window` runs."""
    if window.is_gap:
        minutes = (window.end - 1 for _ in islice(minutes, 1))
    return (minute - window.offset for minute in minutes)
