"""The jobs, and what each of them is going to do within a day."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from cronjobs.manager.facts import JobFacts, all_known_jobs
from cronjobs.models import ResolvedJob
from cronjobs.scheduler.agenda import skipped_ahead
from cronjobs.scheduler.coming import LONGEST, Coming, coming_starts, next_starts, starts_in_minute


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingJob:
    """A job that can run, and when it starts next."""

    pk: int
    facts: JobFacts
    resolved: ResolvedJob
    coming: Coming
    skipped: Collection[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """All jobs as they are at `now`: keys by name, those that are broken, disabled or paused, and those that will start."""

    now: datetime
    keys: Mapping[str, int]
    broken: list[str]
    disabled: Collection[str]
    paused: Collection[str]
    coming: list[ComingJob]

    @property
    def until(self) -> datetime:
        """How far ahead was looked."""
        return self.now + LONGEST

    def next_starts(self, job: ComingJob, until: datetime, most: int) -> list[datetime]:
        """Return the first starts of a job, however frequent, up to a time within a day."""
        if job.coming.is_frequent:
            return next_starts(job.resolved, now=self.now, until=until, most=most, skipped=job.skipped)
        return [each for each in job.coming.starts if each <= until][:most]

    def starts_in_minute(self, job: ComingJob, minute: datetime) -> bool:
        """Return whether a job, however frequent, starts in that minute."""
        return starts_in_minute(job.resolved, minute, now=self.now, until=self.until, skipped=job.skipped)


def read_jobs(now: datetime, *, is_everything_paused: bool) -> Jobs:
    """Return the jobs; takes two queries, or three if jobs have changed since this process last looked."""
    known, skipped = all_known_jobs(), skipped_ahead()
    return Jobs(
        now=now,
        keys={facts.name: pk for pk, facts in known.items()},
        broken=sorted(facts.name for facts in known.values() if facts.why_broken and facts.enabled),
        disabled={facts.name for facts in known.values() if not facts.enabled},
        paused={facts.name for facts in known.values() if facts.is_paused_at(now)},
        coming=[] if is_everything_paused else list(_coming(known, skipped, now)),
    )


def _coming(
    known: Mapping[int, JobFacts], skipped: Mapping[int, Collection[datetime]], now: datetime
) -> Iterable[ComingJob]:
    until = now + LONGEST
    for pk, facts in known.items():
        # What a node found to be broken is not planned either.
        if facts.resolved is None:
            continue
        ahead = skipped.get(pk, ())
        coming = coming_starts(facts.resolved, now=now, until=until, skipped=ahead)
        if coming.starts or coming.is_frequent:
            yield ComingJob(pk=pk, facts=facts, resolved=facts.resolved, coming=coming, skipped=ahead)
