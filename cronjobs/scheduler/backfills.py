"""Runs past due times after all: each becomes an execution, unless history has one already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from cronjobs.database import engine_alias, in_transaction, read_clock
from cronjobs.exceptions import InvalidRequest, JobNotFound
from cronjobs.language import gettext as _
from cronjobs.models import Job, JobExecution, ResolvedJob, Trigger
from cronjobs.models.execution import YIELD, claim_time, insert_once, occurrence_key
from cronjobs.models.moves import REVIVABLE, revive
from cronjobs.retention import kept_at_least
from cronjobs.scheduler.requests import in_utc
from cronjobs.schedules import Schedule

# As many due times are looked up, or written, at a time.
BATCH = 500
# More are rather a slip than a wish.
MOST = 10_000

_INSTANT = timedelta(microseconds=1)
# Counting costs little however many there are.
_ALL = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of due times, or what would."""

    # They have an execution now, and had none.
    created: int = 0
    # They had been skipped, and are queued now.
    revived: int = 0
    # They have run, or were waiting to.
    existing: int = 0

    @property
    def count(self) -> int:
        """All of them."""
        return self.created + self.revived + self.existing

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            created=self.created + other.created,
            revived=self.revived + other.revived,
            existing=self.existing + other.existing,
        )


# Told of how many due times something has become.
Report = Callable[[int], None]


class Backfill:
    """The due times of a job with start <= t <= end, all of them past.

    They are those of the schedule as it is now, within the job's window and without the days
    that its calendar excludes. Raises `InvalidRequest` for a range that cannot be meant, and
    whatever makes the job broken.
    """

    def __init__(self, job: Job, *, start: datetime, end: datetime) -> None:
        self.job, self.start, self.end = job, start, end
        self._alias = engine_alias(JobExecution)
        self._now = read_clock(self._alias)
        _check_range(start, end, self._now)
        self._resolved = job.resolve()
        self._resolved.definition.clean(self._resolved.params)
        self._schedule = _schedule_of(self._resolved)
        self._span = _span(self._resolved, start, end)
        self.count = self._schedule.count_between(*self._span, limit=_ALL)
        self.first = next(self._schedule.due_between(*self._span), None)
        self.last = self._schedule.latest_between(*self._span)

    @property
    def objection(self) -> str:
        """Why this takes force, in a sentence; empty if it does not."""
        if self.start < self._now - kept_at_least():
            text = _("%(time)s is longer ago than executions are kept: what ran then may run again.")
            return text % {"time": in_utc(self.start)}
        if self.count > MOST:
            text = _("%(count)s due times are more than the %(most)s that are written without being asked twice.")
            return text % {"count": f"{self.count:,}", "most": f"{MOST:,}"}
        return ""

    def survey(self, *, report: Report = lambda _: None) -> Tally:
        """Return what `perform` would come to; write nothing."""
        tally = Tally()
        for times in self._batches():
            known = self._known(times)
            revived = sum(known.values())
            tally += Tally(created=len(times) - len(known), revived=revived, existing=len(known) - revived)
            report(tally.count)
        return tally

    def perform(self, *, by: str, force: bool = False, report: Report = lambda _: None) -> Tally:
        """Record an execution for each due time that has none, on behalf of `by`; return what it came to.

        Written are 500 at a time, oldest first. Doing it again adds nothing twice, so one that
        was interrupted can be repeated. Raises `InvalidRequest` if there is an objection,
        unless with `force`.
        """
        if self.objection and not force:
            raise InvalidRequest(self.objection)
        tally = Tally()
        for times in self._batches():
            tally += in_transaction(self._alias, partial(self._write, times, tally.count, by))
            report(tally.count)
        return tally

    def _batches(self) -> Iterator[Sequence[datetime]]:
        due = self._schedule.due_between(*self._span)
        while times := tuple(islice(due, BATCH)):
            yield times

    def _known(self, times: Sequence[datetime]) -> dict[str | None, bool]:
        """Return the keys of those due times that history has, and whether each can be revived."""
        keys = [occurrence_key(at) for at in times]
        rows = JobExecution.objects.using(self._alias).filter(job=self.job, dedupe_key__in=keys).order_by()
        return dict(rows.annotate(is_revivable=REVIVABLE).values_list("dedupe_key", "is_revivable"))

    def _write(self, times: Sequence[datetime], place: int, by: str) -> Tally:
        # Two that fill the same range take turns, so that each knows what it has added.
        if not list(Job.objects.using(self._alias).filter(pk=self.job.pk).select_for_update().values_list("pk")):
            raise JobNotFound(self.job.name)
        known = self._known(times)
        rows = [self._row(at, place + number, by) for number, at in enumerate(times)]
        missing = [each for each in rows if each.dedupe_key not in known]
        if missing:
            insert_once(JobExecution.objects.using(self._alias), missing)
        revived = revive(self.job, [each for each in rows if known.get(each.dedupe_key)])
        return Tally(created=len(missing), revived=revived, existing=len(times) - len(missing) - revived)

    def _row(self, at: datetime, place: int, by: str) -> JobExecution:
        return JobExecution.queued(
            self.job,
            self._resolved,
            # Only asked for now, so it is not late.
            start=self._now,
            now=self._now,
            trigger=Trigger.BACKFILL,
            dedupe_key=occurrence_key(at),
            scheduled_for=at,
            # The oldest goes first, also before one that was recorded earlier and is revived.
            claim_at=claim_time(self._now, self._resolved.priority) + YIELD + place * _INSTANT,
            requested_by=by[:150],
        )


def _check_range(start: datetime, end: datetime, now: datetime) -> None:
    if end < start:
        text = _("The range is reversed: %(end)s is before %(start)s.")
        raise InvalidRequest(text % {"end": in_utc(end), "start": in_utc(start)})
    if end > now:
        text = _("%(time)s is in the future: the schedule itself will see to that.")
        raise InvalidRequest(text % {"time": in_utc(end)})


def _schedule_of(resolved: ResolvedJob) -> Schedule:
    if resolved.schedule is None:
        raise InvalidRequest(_("%(job)s runs on demand: it was never due.") % {"job": resolved.name})
    return resolved.schedule


def _span(resolved: ResolvedJob, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return the range within the job's window, open at its start as schedules want it."""
    first = start if resolved.starts_at is None else max(start, resolved.starts_at)
    last = end if resolved.ends_at is None else min(end, resolved.ends_at)
    return first - _INSTANT, max(last, first - _INSTANT)
