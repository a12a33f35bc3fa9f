"""What a job is going to do: its schedule's coming due times, and all that the job itself has to say about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from cronjobs.conf import get_settings
from cronjobs.language import gettext as _
from cronjobs.language import with_commas
from cronjobs.models import Job, Queue, ResolvedJob
from cronjobs.scheduler.agenda import skipped_ahead
from cronjobs.scheduler.planner import spread
from cronjobs.scheduler.requests import in_utc
from cronjobs.schedules import PREVIEW_LIMIT, Excluding, Fire, Preview, Schedule, preview

_INSTANT = timedelta(microseconds=1)


def preview_job(job: Job, *, after: datetime, until: datetime | None = None, count: int = PREVIEW_LIMIT) -> Preview:
    """Return the job's due times with after < t <= until, up to `count` of those that run, and notes on the job.

    Its window, its calendar, a pause that ends and what was skipped ahead are taken account of,
    and with jitter each due time has its start. A job that is disabled or paused until further
    notice shows what it would do, with a note that says so. Raises whatever makes it broken.
    """
    resolved = job.resolve()
    notes = tuple(_notes(job, resolved, after))
    if resolved.schedule is None:
        return Preview(fires=(), notes=notes, is_cut=False)
    starts = [each for each in (resolved.starts_at and resolved.starts_at - _INSTANT, resolved.paused_until) if each]
    ends = [each for each in (until, resolved.ends_at) if each]
    found = preview(
        resolved.schedule,
        after=max([after, *starts]),
        until=min(ends, default=None),
        count=count,
        skipped=skipped_ahead(job).get(job.pk),
    )
    fires = tuple(_with_start(each, resolved, resolved.schedule) for each in found.fires)
    return replace(found, fires=fires, notes=(*notes, *found.notes))


def _with_start(fire: Fire, resolved: ResolvedJob, schedule: Schedule) -> Fire:
    if not resolved.jitter or not fire.runs:
        return fire
    following = schedule.next_after(fire.at)
    return replace(fire, start=spread(fire.at, key=resolved.name, jitter=resolved.jitter, following=following))


def _notes(job: Job, resolved: ResolvedJob, after: datetime) -> Iterator[str]:
    if get_settings().paused:
        yield _("paused: CRONJOBS['PAUSED'] stops every job")
    if Queue.objects.everything_paused().exists():
        yield _("paused: everything is, until somebody resumes it")
    if Queue.objects.paused().filter(name=resolved.queue).exists():
        yield _("paused: what is due waits until its queue, %(queue)s, is resumed") % {"queue": resolved.queue}
    if not job.enabled:
        yield _("disabled: it does not run until it is enabled")
    if resolved.paused_until is None and job.paused:
        yield _("paused: it does not run until it is resumed")
    if resolved.paused_until is not None and resolved.paused_until > after:
        yield _("paused: it resumes at %(time)s") % {"time": in_utc(resolved.paused_until)}
    if resolved.schedule is None:
        yield _without_schedule(resolved)
    yield from _limits(job, resolved)


def _without_schedule(resolved: ResolvedJob) -> str:
    if not resolved.depends_on:
        return _("on demand: it has no schedule")
    return _("after %(jobs)s: it has no due times of its own") % {"jobs": with_commas(list(resolved.depends_on))}


def _limits(job: Job, resolved: ResolvedJob) -> Iterator[str]:
    if resolved.starts_at is not None:
        yield _("window: not before %(time)s") % {"time": in_utc(resolved.starts_at)}
    if resolved.ends_at is not None:
        yield _("window: not after %(time)s") % {"time": in_utc(resolved.ends_at)}
    if isinstance(resolved.schedule, Excluding):
        yield _("calendar: it does not run on the days of %(calendar)s") % {"calendar": job.calendar}
    if resolved.jitter:
        yield _("jitter: each start is put off by up to %(duration)s") % {"duration": resolved.jitter}
