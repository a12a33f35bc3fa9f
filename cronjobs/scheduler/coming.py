"""When jobs are going to start, for all of them at once: of each only so much, worked out once an hour."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice

from cronjobs.models import ResolvedJob
from cronjobs.scheduler.planner import spread
from cronjobs.schedules import Schedule

# How far ahead one may look, and how many due times of a job are told one by one within that:
# what runs more often than every half hour is told in a few words.
LONGEST = timedelta(hours=24)
MOST_STARTS = 48

_INSTANT = timedelta(microseconds=1)
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Coming:
    """When a job starts (UTC), oldest first; none, if it `is_frequent`: then there are too many to tell."""

    starts: tuple[datetime, ...] = ()
    is_frequent: bool = False


def coming_starts(job: ResolvedJob, *, now: datetime, until: datetime, skipped: Collection[datetime] = ()) -> Coming:
    """Return when `job` starts with now < due time <= until, which is at most `LONGEST` away.

    Its pauses, its window, its calendar and its jitter count; due times that are `skipped` are left out.
    """
    after, end = _span(job, now, until)
    if job.schedule is None or after >= end:
        return Coming()
    due = _due_from(job.schedule, after.replace(minute=0, second=0, microsecond=0))
    inside = None if due is None else [at for at in due if after < at <= end]
    if inside is None or len(inside) > MOST_STARTS:
        return Coming(is_frequent=True)
    return Coming(tuple(_start(job, at) for at in inside if at not in skipped))


def next_starts(
    job: ResolvedJob, *, now: datetime, until: datetime, most: int, skipped: Collection[datetime] = ()
) -> list[datetime]:
    """Return the first `most` starts of any job, however frequent, in the same way."""
    after, end = _span(job, now, until)
    if job.schedule is None or after >= end:
        return []
    due = (at for at in job.schedule.due_between(after, end) if at not in skipped)
    return [_start(job, at) for at in islice(due, most)]


def starts_in_minute(
    job: ResolvedJob, minute: datetime, *, now: datetime, until: datetime, skipped: Collection[datetime] = ()
) -> bool:
    """Return whether the job, however frequent, starts in that minute (UTC, without seconds), once or more often."""
    after, end = _span(job, now, until)
    if job.schedule is None or after >= end:
        return False
    due = _due_around(job.schedule, minute, job.jitter)
    return any(after < at <= end and at not in skipped and _minute(_start(job, at)) == minute for at in due)


def minutes_of(starts: Collection[datetime]) -> set[datetime]:
    """Return the minutes that the starts lie in."""
    return {_minute(each) for each in starts}


def _span(job: ResolvedJob, now: datetime, until: datetime) -> tuple[datetime, datetime]:
    """Return after when, and until when, due times of the job count; nothing lies between if none do."""
    if not job.is_active:
        return until, until
    opens = [each for each in (job.starts_at and job.starts_at - _INSTANT, job.paused_until) if each]
    after, end = max([now, *opens]), min([until, *([job.ends_at] if job.ends_at else [])])
    return after.astimezone(UTC), end.astimezone(UTC)


def _start(job: ResolvedJob, at: datetime) -> datetime:
    if not job.jitter or job.schedule is None:
        return at
    return spread(at, key=job.name, jitter=job.jitter, following=job.schedule.next_after(at))


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


# A schedule never changes what it says. With the hour as part of the key, a thousand jobs cost their due times once
# an hour, and those with the same schedule once together.
@lru_cache(maxsize=4_096)
def _due_from(schedule: Schedule, hour: datetime) -> tuple[datetime, ...] | None:
    """Return the due times that `coming_starts` may ask for within that hour; None: too many, wherever it asks."""
    most = 3 * MOST_STARTS
    due = tuple(islice(schedule.due_between(hour - _INSTANT, hour + LONGEST + _HOUR), most))
    return due if len(due) < most else None


@lru_cache(maxsize=32_768)
def _due_around(schedule: Schedule, minute: datetime, jitter: timedelta) -> tuple[datetime, ...]:
    """Return the due times in that minute, and before them the one that jitter may put off until then."""
    # No further one: nothing is put off beyond the next due time.
    earlier = schedule.latest_between(minute - jitter - _INSTANT, minute - _INSTANT) if jitter else None
    inside = schedule.due_between(minute - _INSTANT, minute + _MINUTE - _INSTANT)
    return (*([] if earlier is None else [earlier]), *inside)
