"""Which due times become executions, which are missed, and what is due next; the caller owns clock and rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import NoReturn, assert_never

from cronjobs.exceptions import InvalidSchedule
from cronjobs.schedules import CatchUp, Schedule

# A due time no older than this has its own execution, whatever the policy: it is not late.
ON_TIME = timedelta(seconds=5)

# Spans are open at their start. This much earlier, or later, and the start itself is in, or the end out.
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What becomes of due times that are decided too late, and when the schedule is in force.

    A late due time is eligible up to `misfire_grace` after it (inclusive). `catch_up` chooses
    among the eligible; CatchUp.ALL takes the newest `catch_up_cap`. Nothing is due before
    `starts_at` or after `ends_at`; both are inclusive and aware. `InvalidSchedule` names the
    field that cannot be meant.
    """

    misfire_grace: timedelta = timedelta(hours=1)
    catch_up: CatchUp = CatchUp.LATEST
    catch_up_cap: int = 100
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what could never have been meant."""
        if self.misfire_grace < timedelta(0):
            _refuse("misfire_grace", "must not be negative")
        if self.catch_up_cap < 1:
            _refuse("catch_up_cap", "must be at least 1")
        for field, t in (("starts_at", self.starts_at), ("ends_at", self.ends_at)):
            if t is not None and t.utcoffset() is None:
                _refuse(field, "must be an aware datetime")
        if self.starts_at and self.ends_at and self.ends_at < self.starts_at:
            _refuse("ends_at", "must not be before starts_at")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A due time (UTC) that becomes an execution; `caught_up` if it is run late."""

    scheduled_for: datetime
    caught_up: bool


@dataclass(frozen=True, slots=True)
class Missed:
    """The due times (UTC) from `first` to `last` that are not run; a `count` of 10,001 means more than 10,000."""

    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The decision about one job: executions, oldest first; what is missed; the next due time, or None for never."""

    occurrences: tuple[Occurrence, ...]
    missed: Missed | None
    next_run_time: datetime | None


def plan(schedule: Schedule, policy: Policy, *, due: datetime, now: datetime) -> Plan:
    """Decide every due time from `due` to `now`, both inclusive; `due` is the stored next run time.

    Those no older than `ON_TIME` get an execution each. Of the older ones, within the grace,
    CatchUp.LATEST takes the newest, unless one is on time: then that is the newest, and only
    it runs. The rest is one `Missed`. The next run time is always later than `now`, so a `due`
    in the future decides nothing and is itself corrected if the clock was set back.
    """
    _check_aware(due, now)
    start = _opening(policy, due)
    end = now if policy.ends_at is None else min(now, policy.ends_at)
    late_end = min(end, now - ON_TIME - _INSTANT)

    on_time = tuple(schedule.due_between(max(start, late_end), end))
    following = first_run_time(schedule, policy, now=now)
    if late_end <= start:
        # As it nearly always is: nothing is late.
        return Plan(_occurrences((), on_time), missed=None, next_run_time=following)
    grace = min(policy.misfire_grace, now - start)
    late_start = max(start, now - grace - _INSTANT)
    late = _caught_up(schedule, policy, late_start, late_end, newest_is_on_time=bool(on_time))
    missed_end = late[0] - _INSTANT if late else late_end
    missed = _missed(schedule, start, missed_end)
    return Plan(_occurrences(late, on_time), missed=missed, next_run_time=following)


def _occurrences(late: Iterable[datetime], on_time: Iterable[datetime]) -> tuple[Occurrence, ...]:
    return (*(Occurrence(t, caught_up=True) for t in late), *(Occurrence(t, caught_up=False) for t in on_time))


def first_run_time(schedule: Schedule, policy: Policy, *, now: datetime) -> datetime | None:
    """Return the first due time (UTC) strictly after `now`, or None; for a job that is new, edited or resumed."""
    _check_aware(now)
    found = schedule.next_after(now if policy.starts_at is None else max(now, policy.starts_at - _INSTANT))
    if found is None or (policy.ends_at is not None and found > policy.ends_at):
        return None
    return found


def spread(at: datetime, *, key: str, jitter: timedelta, following: datetime | None) -> datetime:
    """Return when the occurrence `at` should start: put off by less than `jitter`, never beyond `following`.

    The same `key` and `at` give the same delay on every node and after every restart; no
    delay reaches the next due time, if there is one.
    """
    longest = jitter if following is None else min(jitter, following - at)
    digest = hashlib.sha256(f"{key}@{at.isoformat()}".encode()).digest()
    return at + longest * (int.from_bytes(digest[:6]) / 2**48)


def _check_aware(*instants: datetime) -> None:
    for t in instants:
        if t.utcoffset() is None:
            raise ValueError(f"Planning needs aware datetimes, not the naive {t.isoformat()}.")


def _opening(policy: Policy, due: datetime) -> datetime:
    return (due if policy.starts_at is None else max(due, policy.starts_at)) - _INSTANT


def _caught_up(
    schedule: Schedule, policy: Policy, start: datetime, end: datetime, *, newest_is_on_time: bool
) -> Sequence[datetime]:
    match policy.catch_up:
        case CatchUp.SKIP:
            kept = 0
        case CatchUp.LATEST:
            kept = 0 if newest_is_on_time else 1
        case CatchUp.ALL:
            kept = policy.catch_up_cap
        case _:
            assert_never(policy.catch_up)
    return tuple(islice(schedule.newest_first(start, end), kept))[::-1]


def _missed(schedule: Schedule, start: datetime, end: datetime) -> Missed | None:
    first, last = next(schedule.due_between(start, end), None), schedule.latest_between(start, end)
    if first is None or last is None:
        return None
    return Missed(first, last, schedule.count_between(start, end))


def _refuse(field: str, problem: str) -> NoReturn:
    raise InvalidSchedule(f"{field} {problem}", field=field)
