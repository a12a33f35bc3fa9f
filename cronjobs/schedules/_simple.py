"""Schedules that follow no wall clock: a fixed interval and a single instant."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronjobs.exceptions import InvalidSchedule
from cronjobs.schedules._base import Schedule
from cronjobs.schedules._calendar import EARLIEST, EPOCH, FIRST_YEAR, LAST_YEAR, LATEST, SECOND, seconds_of

LONGEST_INTERVAL = timedelta(days=366)

_UNITS = (("d", "day", 86_400), ("h", "hour", 3_600), ("m", "minute", 60), ("s", "second", 1))


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
            raise InvalidSchedule(f"interval: {self.interval!r:.60} is not a timedelta", field="interval")
        if self.interval % SECOND or not SECOND <= self.interval <= LONGEST_INTERVAL:
            raise InvalidSchedule(
                f"interval: {self.interval} is not a whole number of seconds from 1 second to 366 days",
                field="interval",
            )
        _check_instant(self.anchor, "anchor")

    def describe(self) -> str:
        every = f"Every {_interval_in_english(self.interval)}"
        return every if self.anchor == EPOCH else f"{every}, counted from {_in_english(self.anchor)}"

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
        return f"Once, at {_in_english(self.instant)}"

    def __str__(self) -> str:
        return f"@at {_as_text(self.instant)}"

    def _range(self, first: int, last: int) -> range:
        due = seconds_of(self.instant)
        return range(due, due + 1) if first <= due <= last else range(0)


def interval_as_text(interval: timedelta) -> str:
    """Return a positive interval in its shortest form: 1h30m for ninety minutes."""
    return "".join(f"{count}{unit}" for count, unit, _ in _parts(interval))


def _interval_in_english(interval: timedelta) -> str:
    parts = [(count, f"{word}s" if count > 1 else word) for count, _, word in _parts(interval)]
    if len(parts) == 1 and parts[0][0] == 1:
        return parts[0][1]
    return " ".join(f"{count} {word}" for count, word in parts)


def _parts(interval: timedelta) -> Iterator[tuple[int, str, str]]:
    rest = interval // SECOND
    for unit, word, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            yield count, unit, word


def _check_instant(t: datetime, field: str) -> None:
    if not isinstance(t, datetime):
        raise InvalidSchedule(f"{field}: {t!r:.60} is not a datetime", field=field)
    if t.utcoffset() is None:
        raise InvalidSchedule(f"{field}: {t.isoformat()} is naive; it needs a zone, such as the Z of UTC", field=field)
    if t.microsecond:
        raise InvalidSchedule(
            f"{field}: {t.isoformat()} is finer than a second; use .replace(microsecond=0)", field=field
        )
    if not EARLIEST <= seconds_of(t) <= LATEST:
        raise InvalidSchedule(f"{field}: {t.isoformat()} is not in the years {FIRST_YEAR} to {LAST_YEAR}", field=field)


def _as_text(t: datetime) -> str:
    return f"{t.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def _in_english(t: datetime) -> str:
    return f"{t.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
