"""What people ask of a job's agenda: leave the next due time out, or run once more at another time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.utils import timezone

from cronjobs.database import engine_alias, in_transaction, read_clock
from cronjobs.exceptions import InvalidRequest, JobNotFound
from cronjobs.language import gettext as _
from cronjobs.language import site_language
from cronjobs.models import Job, JobExecution, ResolvedJob, Trigger
from cronjobs.models.announcements import announce_final
from cronjobs.models.execution import insert_once, occurrence_key
from cronjobs.scheduler.planner import first_run_time
from cronjobs.scheduler.plans import policy_of
from cronjobs.states import ExecutionStatus

# Whoever wants to leave out more than these wants to pause the job.
MOST_SKIPPED = 100


def skip_next(job: Job, *, by: str) -> JobExecution:
    """Record the job's next occurrence as skipped, on behalf of `by`, and return that row.

    The row is there before the due time comes, so no node can write another. What is skipped
    already does not count: skipping again skips the occurrence after. Raises `InvalidRequest`
    if no occurrence comes, `JobNotFound`, and whatever makes the job broken.
    """
    alias = engine_alias(JobExecution)
    skipped = in_transaction(alias, lambda: _skip_next(alias, job, by))
    announce_final(JobExecution.objects.using(alias).filter(pk=skipped.pk))
    return skipped


def run_once_at(job: Job, at: datetime, *, by: str, params: Mapping[str, Any] | None = None) -> JobExecution:
    """Record an execution at a time to come, beside those of the schedule, and return its row.

    Raises `InvalidRequest` for a time that is naive or past, and what `request` raises.
    """
    if timezone.is_naive(at):
        text = _("The time of an execution needs a zone, which %(time)s does not have.")
        raise InvalidRequest(text % {"time": at.isoformat()})
    executions = JobExecution.objects.using(engine_alias(JobExecution))
    if at <= read_clock(executions.db):
        raise InvalidRequest(_("%(time)s is not in the future.") % {"time": in_utc(at)})
    return executions.request(job.name, params=params, trigger=Trigger.MANUAL, run_after=at, requested_by=by)


def in_utc(at: datetime) -> str:
    """Return a time as sentences have it: 2026-01-15 12:00:00 UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _skip_next(alias: str, given: Job, by: str) -> JobExecution:
    # The lock lets two that skip at the same time skip one each.
    job = Job.objects.using(alias).filter(pk=given.pk).resolvable().select_for_update().first()
    if job is None:
        raise JobNotFound(given.name)
    executions, now, resolved = JobExecution.objects.using(alias), read_clock(alias), job.resolve()
    coming = {occurrence_key(at): at for at in islice(_coming(job, resolved, now), MOST_SKIPPED)}
    taken = set(executions.filter(job=job, dedupe_key__in=coming).values_list("dedupe_key", flat=True))
    for key, at in coming.items():
        if key in taken:
            continue
        skipped = _skipped_row(job, key, at, now, by)
        # For the case that somebody wants it to run after all.
        skipped.params = resolved.params
        insert_once(executions, [skipped])
        row = executions.get(job=job, dedupe_key=key)
        # Otherwise its time came just now, and a node was faster.
        if row.trigger == Trigger.MANUAL:
            return row
    if len(coming) == MOST_SKIPPED:
        text = _("The next %(count)d occurrences of %(job)s are skipped already: pause it instead.")
        raise InvalidRequest(text % {"count": MOST_SKIPPED, "job": job})
    none, no_other = (
        _("No occurrence of %(job)s comes that could be skipped."),
        _("No other occurrence of %(job)s comes that could be skipped."),
    )
    raise InvalidRequest((no_other if taken else none) % {"job": job})


def _coming(job: Job, resolved: ResolvedJob, now: datetime) -> Iterator[datetime]:
    """Yield the job's due times from now on, without those that its calendar excludes."""
    if resolved.schedule is None:
        text = _("%(job)s runs on demand: no occurrence comes that could be skipped.")
        raise InvalidRequest(text % {"job": job})
    if not resolved.is_active:
        raise InvalidRequest(f"{job} is paused or disabled: no occurrence comes that could be skipped.")
    at: datetime | None = now if resolved.paused_until is None else max(now, resolved.paused_until)
    while at is not None:
        at = first_run_time(resolved.schedule, policy_of(resolved), now=at)
        if at is not None:
            yield at


def _skipped_row(job: Job, key: str, at: datetime, now: datetime, by: str) -> JobExecution:
    return JobExecution.closed(
        job,
        status=ExecutionStatus.SKIPPED,
        scheduled_for=at,
        now=now,
        # Not the schedule's: the newest row of those tells a node where planning must go on.
        trigger=Trigger.MANUAL,
        dedupe_key=key,
        requested_by=by[:150],
        reason=_skipped_by(by),
    )


def _skipped_by(by: str) -> str:
    with site_language():
        return _("Skipped ahead of time by %(user)s.") % {"user": by} if by else _("Skipped ahead of time.")
