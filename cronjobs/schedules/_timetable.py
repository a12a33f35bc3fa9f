"""A cron expression, read: which minutes of the wall clock it names, on which days; no time zones here."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import chain

from cronsim import CronSim, CronSimError

from cronjobs.language import gettext as _
from cronjobs.schedules import _fields as fields
from cronjobs.schedules._calendar import DAY, EPOCH_DAY, year_of

# Nothing that ever matches keeps us waiting longer than 40 years (a certain weekday on 29
# February, over a year such as 2100), and CronSim looks 50 years ahead.
_SOME_DAY = datetime(2000, 1, 1)  # noqa: DTZ001  # a wall clock's, of no zone


@dataclass(frozen=True, slots=True)
class Timetable:
    """The wall-clock minutes named by an expression, counted from the epoch, and the seconds in each."""

    seconds: tuple[int, ...]
    # Minutes of the day, ascending.
    minutes: tuple[int, ...]
    # The day-of-month, month and day-of-week fields, as CronSim reads them.
    day_fields: str
    # Neither the minute nor the hour field starts with a star, which is how Debian's cron tells
    # schedules at fixed times from those that keep pace with real time.
    is_fixed: bool
    # Some hours have no due time.
    skips_hours: bool

    def walk(self, first: int, end: int) -> Iterator[int]:
        """Yield the named minutes with first <= m < end."""
        for day in self._days(first, end):
            for minute in self._minutes_of(day, first, end):
                yield day * DAY + minute

    def walk_back(self, first: int, end: int) -> Iterator[int]:
        """Yield the same minutes as `walk`, last one first."""
        for day in reversed(self._days(first, end)):
            for minute in reversed(self._minutes_of(day, first, end)):
                yield day * DAY + minute

    def count(self, first: int, end: int) -> int:
        """Return how many minutes `walk` would yield, without walking them."""
        return sum(len(self._minutes_of(day, first, end)) for day in self._days(first, end))

    def _days(self, first: int, end: int) -> Sequence[int]:
        first_day, last_day = first // DAY, (end - 1) // DAY
        years = range(year_of(first), year_of(end - 1) + 1)
        days = tuple(chain.from_iterable(_days_of_year(self.day_fields, year) for year in years))
        return days[bisect_left(days, first_day) : bisect_right(days, last_day)]

    def _minutes_of(self, day: int, first: int, end: int) -> Sequence[int]:
        start = day * DAY
        if first <= start and start + DAY <= end:
            return self.minutes
        return self.minutes[bisect_left(self.minutes, first - start) : bisect_left(self.minutes, end - start)]


@lru_cache(maxsize=4096)
def timetable(expression: str) -> Timetable:
    """Read `expression`; raise `InvalidSchedule`, naming the field, if it is not valid or can never match."""
    second, minute, hour, *days = fields.split_fields(expression)
    minutes = fields.numbers_in(fields.MINUTE, minute)
    hours = fields.numbers_in(fields.HOUR, hour)
    return Timetable(
        seconds=tuple(sorted(fields.numbers_in(fields.SECOND, second))),
        minutes=tuple(h * 60 + m for h in sorted(hours) for m in sorted(minutes)),
        day_fields=_read_days(*days),
        is_fixed=not (minute.startswith("*") or hour.startswith("*")),
        skips_hours=len(hours) < 24,
    )


def _read_days(day_of_month: str, month: str, day_of_week: str) -> str:
    """Return the three fields in CronSim's language, whose steps and names differ a little.

    A leading star stays where it was: it decides whether the two day fields are joined by AND.
    """
    day_fields = " ".join(
        (
            ",".join(_day_of_month(term) for term in fields.terms_in(fields.DAY_OF_MONTH, day_of_month)),
            _as_list(fields.numbers_in(fields.MONTH, month)),
            ",".join(_day_of_week(term) for term in fields.terms_in(fields.DAY_OF_WEEK, day_of_week)),
        )
    )
    if not _ever_matches(day_fields):
        problem = _("no date ever matches '%(days)s' (day-of-month, month, day-of-week)")
        fields.DAY_OF_MONTH.refuse(problem % {"days": f"{day_of_month} {month} {day_of_week}"})
    return day_fields


def _day_of_month(term: str) -> str:
    if term.upper() in {"L", "LW"}:
        return term.upper()
    if set(term.upper()) & {"L", "W"}:
        fields.DAY_OF_MONTH.refuse(_("%(text)r is not understood; 'L' and 'LW' stand alone") % {"text": term})
    return _numbers_or_star(term, fields.expand(fields.DAY_OF_MONTH, term))


def _day_of_week(term: str) -> str:
    if term.upper() == "L":
        fields.DAY_OF_WEEK.refuse(_("'L' needs a day before it: '5L' is the last Friday of the month"))
    if special := re.fullmatch(r"(.+)(L|#[1-5])", term.upper()):
        return f"{fields.number_in(fields.DAY_OF_WEEK, special[1])}{special[2]}"
    if "#" in term:
        problem = _("%(text)r is not understood; '1#2' is the second Monday, up to '1#5'")
        fields.DAY_OF_WEEK.refuse(problem % {"text": term})
    return _numbers_or_star(term, fields.expand(fields.DAY_OF_WEEK, term))


def _numbers_or_star(term: str, numbers: range) -> str:
    return term if term.startswith("*") else _as_list(numbers)


def _as_list(numbers: Iterable[int]) -> str:
    return ",".join(str(number) for number in sorted(set(numbers)))


def _ever_matches(day_fields: str) -> bool:
    try:
        return next(CronSim(f"0 0 {day_fields}", _SOME_DAY), None) is not None
    except CronSimError:
        return False


@lru_cache(maxsize=1024)
def _days_of_year(day_fields: str, year: int) -> tuple[int, ...]:
    """Return the days of `year` that match, counted from the epoch.

    CronSim judges dates here and walks no clock, so none of its own rules for clock changes applies.
    """
    judge = CronSim(f"0 0 {day_fields}", _SOME_DAY)
    days = (
        date.fromordinal(number) for number in range(date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal())
    )
    return tuple(day.toordinal() - EPOCH_DAY for day in days if day.month in judge.months and judge.match_day(day))
