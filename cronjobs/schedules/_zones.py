"""Time zones: their names, their clock changes, and which stretches of wall clock a span covers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from cronjobs.exceptions import InvalidSchedule
from cronjobs.language import gettext as _
from cronjobs.schedules._calendar import (
    DAY,
    EPOCH,
    MINUTE,
    first_minute_of,
    instant_of,
    seconds_of,
    year_of,
)
from cronjobs.schedules._fields import about

# Debian's cron makes up, or waits, for a clock that jumps by less than three hours; a larger jump
# is a correction, which it follows at once. It sees the jump and the minute that has passed as
# one, hence the odd limits, in minutes.
LARGEST_GAP, LARGEST_REPEAT = 178, 180

_LONGEST_NAME = 64
# In some installations the database lists these too: one means another thing on each machine,
# the other means "not set up".
_NOT_A_PLACE = frozenset({"Factory", "localtime"})


@dataclass(frozen=True, slots=True)
class ClockChange:
    """The clocks of a zone jump at `at` (UTC): their offset was `before` and is `after` from then on."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def shift(self) -> timedelta:
        """How far the clock jumps: positive in spring, when wall times go missing."""
        return self.after - self.before


class Jump(NamedTuple):
    """A `ClockChange` in minutes; `minute` is the first one with the new offset."""

    minute: int
    before: int
    after: int

    @property
    def shift(self) -> int:
        return self.after - self.before

    @property
    def is_correction(self) -> bool:
        return not -LARGEST_REPEAT <= self.shift <= LARGEST_GAP


class Window(NamedTuple):
    """Minutes of wall clock, first <= m < end, shown while UTC was m - offset.

    `is_gap`: the clock jumped over these minutes, except the last. What was due in any of them
    is due once, at that last minute.
    """

    first: int
    end: int
    offset: int
    is_gap: bool


def parse_time_zone(name: str) -> ZoneInfo:
    """Return the zone with the IANA name `name`; raise `InvalidSchedule` if there is none.

    Names are compared exactly. Paths, "localtime" and abbreviations such as CEST are not names.
    """
    if not isinstance(name, str):
        raise InvalidSchedule(about("time_zone", _("%(value).60r is not text") % {"value": name}), field="time_zone")
    if name not in _zone_names():
        raise InvalidSchedule(about("time_zone", _unknown_zone(name)), field="time_zone")
    return ZoneInfo(name)


def clock_changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[ClockChange]:
    """Yield the clock changes of `zone` with start < at <= end, to the minute, oldest first."""
    first, last = seconds_of(start) // 60 + 1, seconds_of(end) // 60
    return (
        ClockChange(instant_of(jump.minute * 60), jump.before * MINUTE, jump.after * MINUTE)
        for jump in jumps_between(zone, first, last + 1)
    )


def jumps_between(zone: ZoneInfo, first: int, end: int) -> Iterator[Jump]:
    """Yield the jumps of `zone` with first <= minute < end, oldest first."""
    for year in range(year_of(first), year_of(end - 1) + 1):
        for jump in _jumps_of_year(zone, year):
            if first <= jump.minute < end:
                yield jump


def windows_between(zone: ZoneInfo, first: int, end: int, *, fixed: bool, backward: bool = False) -> Iterator[Window]:
    """Yield the wall clock that a schedule sees during the UTC minutes first <= m < end.

    This is the whole of Debian cron's rule. Wildcard schedules follow the clock as it shows. For
    schedules at `fixed` times, minutes that a jump left out are made up for at once, and minutes
    that come a second time are left out.
    """
    years = range(year_of(first), year_of(end - 1) + 1)
    for year in reversed(years) if backward else years:
        start, stop = max(first, first_minute_of(year)), min(end, first_minute_of(year + 1))
        windows = list(_windows_within(zone, start, stop, fixed=fixed))
        yield from reversed(windows) if backward else windows


def _windows_within(zone: ZoneInfo, first: int, end: int, *, fixed: bool) -> Iterator[Window]:
    at = first
    for jump in jumps_between(zone, first - LARGEST_REPEAT, end):
        if at < jump.minute:
            yield Window(at + jump.before, jump.minute + jump.before, jump.before, is_gap=False)
        at = max(at, jump.minute)
        if fixed and not jump.is_correction:
            if jump.shift > 0 and at == jump.minute:
                at += 1
                yield Window(jump.minute + jump.before, at + jump.after, jump.after, is_gap=True)
            at = max(at, jump.minute - jump.shift)
    if at < end:
        offset = _offset(zone, end - 1)
        yield Window(at + offset, end + offset, offset, is_gap=False)


@lru_cache(maxsize=4096)
def _jumps_of_year(zone: ZoneInfo, year: int) -> tuple[Jump, ...]:
    # Looking every other day finds them all: no zone has ever changed its offset twice within three.
    eve, last = first_minute_of(year) - 1, first_minute_of(year + 1) - 1
    samples = [(at, _offset(zone, at)) for at in (*range(eve, last, 2 * DAY), last)]
    return tuple(
        Jump(_first_with_other_offset(zone, earlier, later, before), before, after)
        for (earlier, before), (later, after) in pairwise(samples)
        if before != after
    )


def _first_with_other_offset(zone: ZoneInfo, first: int, end: int, offset: int) -> int:
    minutes = range(first, end)
    return first + bisect_left(minutes, True, key=lambda minute: _offset(zone, minute) != offset)  # noqa: FBT003  # False sorts before True


def _offset(zone: ZoneInfo, minute: int) -> int:
    offset = (EPOCH + timedelta(minutes=minute)).astimezone(zone).utcoffset() or timedelta(0)
    return offset // MINUTE


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones()) - _NOT_A_PLACE


def _unknown_zone(name: str) -> str:
    if not name.strip():
        return _("the name is empty; write a name such as %(example)s") % {"example": "Europe/Berlin"}
    problem = _("%(name)r is not the name of a time zone") % {"name": name[:_LONGEST_NAME]}
    if len(name) > _LONGEST_NAME or not name.isascii():
        return problem
    guess = _similar_zone("_".join(name.lower().split()))
    if not guess:
        return problem
    return _("%(problem)s; did you mean %(guess)r?") % {"problem": problem, "guess": guess}


def _similar_zone(name: str) -> str | None:
    by_lower = {known.lower(): known for known in _zone_names()}
    if name in by_lower:
        return by_lower[name]
    # Only places are guessed: CEST is not EST, and Etc/GMT+2 is two hours behind GMT.
    places = [known for known in by_lower if "/" in known and not known.startswith("etc/")]
    return next((by_lower[close] for close in get_close_matches(name, places, n=1)), None)
