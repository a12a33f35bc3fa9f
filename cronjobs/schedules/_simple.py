"""Schedules that follow no wall clock: a fixed interval and a single instant."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from cronjobs.exceptions import InvalidSchedule
from cronjobs.language import gettext as _
from cronjobs.language import ngettext
from cronjobs.schedules._base import Schedule
from cronjobs.schedules._calendar import EARLIEST, EPOCH, FIRST_YEAR, LAST_YEAR, LATEST, SECOND, seconds_of
from cronjobs.schedules._fields import about

LONGEST_INTERVAL = timedelta(days=366)

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


class _Arithmetic(Schedule):
    """A schedule whose due times are evenly spaced, so that Python's own ranges can answer."""

    __slots__ = ()

    @abstractmethod
    def _range(self, first: int, last: int) -> range: ...

    def _walk(self, first: int, last: int) -> Iterator[int]:
        return iter(self._range(first, last))

    def _walk_back(self, first: int, last: int) -> Iterator[int]:
        return reversed(self._range(first, last))

    def _count(self, first: int, last: int, limit: int) -> int:
        return len(self._range(first, last))


@dataclass(frozen=True, slots=True)
class Every(_Arithmetic):
    """Due at `anchor` plus every whole multiple of `interval`, before and after it.

    The due times are computed, not accumulated: nothing drifts, and with the default anchor
    (the Unix epoch) every node and every restart finds the same ones. `interval` is whole
    seconds, one second to 366 days; anything else raises `InvalidSchedule`.
    """

    interval: timedelta
    anchor: datetime = EPOCH

    def __post_init__(self) -> None:
        """Refuse an interval or an anchor that cannot be kept to the second."""
        if not isinstance(self.interval, timedelta):
            _refuse("interval", _("%(value).60r is not a timedelta"), self.interval)
        if self.interval % SECOND or not SECOND <= self.interval <= LONGEST_INTERVAL:
            problem = _("%(value)s is not a whole number of seconds from 1 second to 366 days")
            _refuse("interval", problem, self.interval)
        _check_instant(self.anchor, "anchor")

    def describe(self) -> str:
        every = _every(self.interval)
        if self.anchor == EPOCH:
            return every
        return _("%(every)s, counted from %(time)s") % {"every": every, "time": _shown(self.anchor)}

    def __str__(self) -> str:
        every = f"@every {interval_as_text(self.interval)}"
        return every if self.anchor == EPOCH else f"{every} from {_as_text(self.anchor)}"

    def _range(self, first: int, last: int) -> range:
        step = self.interval // SECOND
        return range(first + (seconds_of(self.anchor) - first) % step, last + 1, step)


@dataclass(frozen=True, slots=True)
class At(_Arithmetic):
    """Due once, at `instant`: aware, in whole seconds; anything else raises `InvalidSchedule`."""

    instant: datetime

    def __post_init__(self) -> None:
        """Refuse an instant that is naive or finer than a second."""
        _check_instant(self.instant, "instant")

    def describe(self) -> str:
        return _("Once, at %(time)s") % {"time": _shown(self.instant)}

    def __str__(self) -> str:
        return f"@at {_as_text(self.instant)}"

    def _range(self, first: int, last: int) -> range:
        due = seconds_of(self.instant)
        return range(due, due + 1) if first <= due <= last else range(0)


def interval_as_text(interval: timedelta) -> str:
    """Return a positive interval in its shortest form: 1h30m for ninety minutes."""
    return "".join(f"{count}{unit}" for count, unit in _parts(interval))


def _every(interval: timedelta) -> str:
    parts = list(_parts(interval))
    if len(parts) == 1 and parts[0][0] == 1:
        return _every_single(parts[0][1])
    return _("Every %(interval)s") % {"interval": " ".join(_counted(count, unit) for count, unit in parts)}


def _every_single(unit: str) -> str:
    return {"d": _("Every day"), "h": _("Every hour"), "m": _("Every minute"), "s": _("Every second")}[unit]


def _counted(count: int, unit: str) -> str:
    texts = {
        "d": ngettext("%(count)d day", "%(count)d days", count),
        "h": ngettext("%(count)d hour", "%(count)d hours", count),
        "m": ngettext("%(count)d minute", "%(count)d minutes", count),
        "s": ngettext("%(count)d second", "%(count)d seconds", count),
    }
    return texts[unit] % {"count": count}


def _parts(interval: timedelta) -> Iterator[tuple[int, str]]:
    rest = interval // SECOND
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            yield count, unit


def _check_instant(t: datetime, field: str) -> None:
    if not isinstance(t, datetime):
        _refuse(field, _("%(value).60r is not a datetime"), t)
    if t.utcoffset() is None:
        _refuse(field, _("%(value)s is naive; it needs a zone, such as the Z of UTC"), t.isoformat())
    if t.microsecond:
        _refuse(field, _("%(value)s is finer than a second; use .replace(microsecond=0)"), t.isoformat())
    if not EARLIEST <= seconds_of(t) <= LATEST:
        years = {"first": FIRST_YEAR, "last": LAST_YEAR}
        _refuse(field, _("%(value)s is not in the years %(first)d to %(last)d"), t.isoformat(), **years)


def _refuse(field: str, problem: str, value: object, **facts: object) -> NoReturn:
    raise InvalidSchedule(about(field, problem % {"value": value, **facts}), field=field)


def _as_text(t: datetime) -> str:
    return f"{t.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def _shown(t: datetime) -> str:
    return f"{t.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
