"""When jobs are going to run, by all that decides it: schedule, zone, window, calendar, pauses and operators."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from django.utils import timezone

from cronjobs.models import Job, ResolvedJob
from cronjobs.scheduler.agenda import skipped_ahead
from cronjobs.scheduler.planner import first_run_time
from cronjobs.scheduler.plans import policy_of
from cronjobs.scheduler.previews import preview_job
from cronjobs.schedules import parse_time_zone
from cronjobs.testing._given import Instant, JobLike, as_instant, find_job

_INSTANT: Final = timedelta(microseconds=1)
# So far back a due time is looked for that could have been meant.
_LOOK_BACK: Final = timedelta(days=400)


def next_runs(job: JobLike, count: int = 3, *, after: Instant | None = None) -> list[datetime]:
    """Return the next `count` due times of a job after `after`, in the job's zone; fewer if no more come.

    `after` is aware, or ISO text; None: what Python's clock shows. A job that is paused or disabled, or has no
    schedule, has none. Jitter is not added. Raises `JobNotFound`, and whatever makes the job broken.
    """
    found = find_job(job)
    resolved = found.resolve()
    zone = parse_time_zone(resolved.time_zone)
    start = timezone.now() if after is None else as_instant(after)
    return [at.astimezone(zone) for at in islice(_due_times(found, resolved, start), count)]


def assert_scheduled(job: JobLike, at: Instant, /, *more: Instant) -> None:
    """Fail unless the job is due at each of these times, which are aware, or ISO text. Raises as `next_runs`."""
    __tracebackhide__ = True
    found = find_job(job)
    for each in (at, *more):
        if not _is_due(found, as_instant(each)):
            raise AssertionError(_why_not_due(found, as_instant(each)))


def assert_not_scheduled(job: JobLike, at: Instant, /, *more: Instant) -> None:
    """Fail if the job is due at one of these times, which are aware, or ISO text. Raises as `next_runs`."""
    __tracebackhide__ = True
    found = find_job(job)
    for each in (at, *more):
        if _is_due(found, as_instant(each)):
            resolved = found.resolve()
            raise AssertionError(f"{found} is due at {_shown(as_instant(each), resolved)}: {_schedule_of(resolved)}.")


def _is_due(job: Job, at: datetime) -> bool:
    return next(_due_times(job, job.resolve(), at - _INSTANT), None) == at


def _due_times(job: Job, resolved: ResolvedJob, after: datetime) -> Iterator[datetime]:
    if resolved.schedule is None or not resolved.is_active:
        return
    policy, skipped = policy_of(resolved), skipped_ahead(job).get(job.pk, {})
    start = after if resolved.paused_until is None else max(after, resolved.paused_until)
    at = first_run_time(resolved.schedule, policy, now=start)
    while at is not None:
        if at not in skipped:
            yield at
        at = first_run_time(resolved.schedule, policy, now=at)


def _why_not_due(job: Job, at: datetime) -> str:
    """Return a sentence that says when it is due instead, and what else there is to know about that."""
    resolved = job.resolve()
    sentences = [f"{job} is not due at {_shown(at, resolved)}."]
    if resolved.schedule is not None:
        before = _latest_before(job, resolved, at)
        after = next(_due_times(job, resolved, at), None)
        instead = [
            "" if before is None else f"before that at {_shown(before, resolved)}",
            "" if after is None else f"after that at {_shown(after, resolved)}",
        ]
        sentences.append(
            f"By its schedule, {_schedule_of(resolved)}, it is due {' and '.join(filter(None, instead)) or 'never'}."
        )
    sentences += [f"Note: {note}." for note in preview_job(job, after=at, count=1).notes]
    return " ".join(sentences)


def _latest_before(job: Job, resolved: ResolvedJob, at: datetime) -> datetime | None:
    assert resolved.schedule is not None  # noqa: S101 - for the type checker
    earlier = resolved.schedule.newest_first(at - _LOOK_BACK, at - _INSTANT)
    return next((each for each in islice(earlier, 1) if _is_due(job, each)), None)


def _schedule_of(resolved: ResolvedJob) -> str:
    return f"{resolved.schedule} in {resolved.time_zone}"


def _shown(at: datetime, resolved: ResolvedJob) -> str:
    local = at.astimezone(parse_time_zone(resolved.time_zone))
    return f"{local.isoformat()} ({local:%A})"
