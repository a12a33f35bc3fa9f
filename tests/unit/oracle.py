"""A cron daemon played minute by minute: slow, literal, and independent of the code under test.

It keeps Debian's virtual clock. Each minute it looks at the wall clock and sees how far that is
ahead of the last minute it served: a little (serve the minutes between), up to three hours ahead
(make up for fixed times), up to three hours behind (wait), or more (follow at once).
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

MINUTE = timedelta(minutes=1)
THREE_HOURS = 180

Rule = Callable[[datetime], bool]

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


class Line:
    """The five fields of a crontab line, assumed to be valid."""

    def __init__(self, text: str) -> None:
        minute, hour, day, month, weekday = text.lower().split()
        self.minutes = numbers(minute, 0, 59)
        self.hours = numbers(hour, 0, 23)
        self.days = [day_rule(part) for part in day.split(",")]
        self.months = numbers(month, 1, 12, ["", *MONTHS])
        self.weekdays = [weekday_rule(part) for part in weekday.split(",")]
        self.is_wild = minute.startswith("*") or hour.startswith("*")
        self.is_both = day.startswith("*") or weekday.startswith("*")
        self.verdicts: dict[tuple[int, int, int], bool] = {}

    def matches(self, wall: datetime) -> bool:
        return wall.minute in self.minutes and wall.hour in self.hours and self.matches_day(wall)

    def matches_day(self, wall: datetime) -> bool:
        key = (wall.year, wall.month, wall.day)
        if key not in self.verdicts:
            by_day = any(rule(wall) for rule in self.days)
            by_weekday = any(rule(wall) for rule in self.weekdays)
            found = (by_day and by_weekday) if self.is_both else (by_day or by_weekday)
            self.verdicts[key] = found and wall.month in self.months
        return self.verdicts[key]


def numbers(field: str, low: int, high: int, names: Sequence[str] = ()) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        body, _, step = part.partition("/")
        first, dash, last = body.partition("-")
        if body == "*":
            start, end = low, high
        else:
            start = number(first, names)
            end = number(last, names) if dash else start
        found.update(range(start, end + 1, int(step or 1)))
    return found


def number(text: str, names: Sequence[str]) -> int:
    return list(names).index(text) if text in names else int(text)


def day_rule(part: str) -> Rule:
    if part == "l":
        return lambda wall: wall.day == days_in_month(wall)
    if part == "lw":
        return lambda wall: wall.day == last_weekday(wall)
    wanted = numbers(part, 1, 31)
    return lambda wall: wall.day in wanted


def weekday_rule(part: str) -> Rule:
    day, hash_, nth = part.removesuffix("l").partition("#")
    wanted = {n % 7 for n in numbers(day, 0, 7, DAYS)}
    if part.endswith("l"):
        return lambda wall: wall.isoweekday() % 7 in wanted and wall.day + 7 > days_in_month(wall)
    if hash_:
        return lambda wall: wall.isoweekday() % 7 in wanted and (wall.day - 1) // 7 + 1 == int(nth)
    return lambda wall: wall.isoweekday() % 7 in wanted


def days_in_month(wall: datetime) -> int:
    return calendar.monthrange(wall.year, wall.month)[1]


def last_weekday(wall: datetime) -> int:
    day = wall.replace(day=days_in_month(wall))
    while day.isoweekday() > 5:
        day -= timedelta(days=1)
    return day.day


def daemon_runs(lines: Sequence[Line], zone: tzinfo, start: datetime, end: datetime) -> list[list[datetime]]:
    """Return, for each line, the minutes (UTC) with start < t <= end at which the daemon runs it."""
    found: list[list[datetime]] = [[] for _ in lines]
    for now, wall, missed in daemon_minutes(zone, start.astimezone(UTC), end.astimezone(UTC)):
        for line, runs in zip(lines, found, strict=True):
            if is_run(line, wall, missed) and now > start:
                runs.append(now)
    return found


def is_run(line: Line, wall: datetime, missed: Sequence[datetime]) -> bool:
    if line.is_wild:
        return line.matches(wall)
    return any(line.matches(minute) for minute in missed)


def daemon_minutes(
    zone: tzinfo, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime, Sequence[datetime]]]:
    """Yield each minute, what the wall clock shows, and the wall minutes that fixed times are served for."""
    # It has to be up for a while before it knows that the clock has jumped.
    now = start.replace(second=0, microsecond=0) - timedelta(hours=5)
    virtual = wall_clock(now, zone)
    while now + MINUTE <= end:
        now += MINUTE
        wall = wall_clock(now, zone)
        jump = (wall - virtual) // MINUTE
        if 0 < jump < THREE_HOURS:
            missed = [virtual + n * MINUTE for n in range(1, jump + 1)]
            virtual = wall
        elif -THREE_HOURS < jump <= 0:
            missed = []
        else:
            missed, virtual = [wall], wall
        yield now, wall, missed


def wall_clock(now: datetime, zone: tzinfo) -> datetime:
    return now.astimezone(zone).replace(tzinfo=None)
