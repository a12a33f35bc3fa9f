"""What comes next within a day, and where jobs pile up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cronjobs.admin.dashboard.jobs import ComingJob, Jobs
from cronjobs.scheduler.coming import minutes_of

MOST_MINUTES: Final = 40
MOST_NAMED: Final = 5
MOST_PILES: Final = 10
MOST_FREQUENT: Final = 10

# Fewer jobs on the same minute are nothing to warn of, however few workers there are.
LEAST_PILE: Final = 5
# So many minutes are counted with the frequent jobs as well.
_MOST_CANDIDATES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """A minute (UTC) and the jobs that start in it, by name; of `more` only the number is told."""

    at: datetime
    jobs: Sequence[ComingJob]
    more: int


@dataclass(frozen=True, slots=True)
class Pile:
    """A minute (UTC) in which more jobs start than there are workers for, and how many do."""

    at: datetime
    jobs: int


@dataclass(frozen=True, slots=True)
class Frequent:
    """Jobs that start too often to list each start: their schedule in words, those that have it, and how many more."""

    schedule: str
    jobs: Sequence[ComingJob]
    more: int
    # Whether so many start together that some have to wait.
    is_pile: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Upcoming:
    """The next minutes in which something starts, oldest first. `more_minutes` follow within the day."""

    minutes: Sequence[Minute]
    more_minutes: int
    piles: Sequence[Pile]
    frequent: Sequence[Frequent]
    more_frequent: int
    # From how many jobs on the same minute on there is a warning.
    threshold: int


def upcoming(jobs: Jobs, *, workers: int) -> Upcoming:
    """Return what comes next; `workers` is how many executions can run at the same time."""
    threshold = max(LEAST_PILE, workers + 1)
    at_minutes: dict[datetime, list[ComingJob]] = {}
    for job in jobs.coming:
        for at in minutes_of(job.coming.starts):
            at_minutes.setdefault(at, []).append(job)
    frequent = [each for each in jobs.coming if each.coming.is_frequent]
    schedules: defaultdict[str, list[ComingJob]] = defaultdict(list)
    for each in frequent:
        schedules[each.facts.description or each.facts.schedule].append(each)
    listed = sorted(schedules.items(), key=lambda item: (-len(item[1]), item[0]))[:MOST_FREQUENT]
    return Upcoming(
        minutes=[_minute(at, at_minutes[at]) for at in sorted(at_minutes)[:MOST_MINUTES]],
        more_minutes=max(0, len(at_minutes) - MOST_MINUTES),
        piles=_piles(jobs, at_minutes, frequent, threshold),
        frequent=[_frequent(schedule, of, threshold) for schedule, of in listed],
        more_frequent=len(frequent) - sum(len(of) for _, of in listed),
        threshold=threshold,
    )


def _frequent(schedule: str, jobs: Sequence[ComingJob], threshold: int) -> Frequent:
    named = sorted(jobs, key=lambda each: each.facts.name)[:MOST_NAMED]
    return Frequent(schedule, named, len(jobs) - len(named), len(jobs) >= threshold)


class _Alike:
    """A job, equal to each that starts at the same times: of a thousand frequent jobs few are not alike."""

    __slots__ = ("_when", "job")

    def __init__(self, job: ComingJob) -> None:
        self.job = job
        of = job.resolved
        window = of.starts_at, of.ends_at, of.paused_until, frozenset(job.skipped)
        # Jitter puts off each job by another time.
        self._when = of.schedule, window, of.name if of.jitter else ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Alike) and self._when == other._when

    def __hash__(self) -> int:
        return hash(self._when)


def _minute(at: datetime, jobs: Sequence[ComingJob]) -> Minute:
    named = sorted(jobs, key=lambda each: each.facts.name)[:MOST_NAMED]
    return Minute(at=at, jobs=named, more=len(jobs) - len(named))


def _piles(
    jobs: Jobs, at_minutes: dict[datetime, list[ComingJob]], frequent: Sequence[ComingJob], threshold: int
) -> list[Pile]:
    """Return the fullest minutes, in the order of time, with the frequent jobs that start in them.

    One alone among frequent jobs is no candidate: else every minute would be.
    """
    alike = Counter(map(_Alike, frequent))
    shared = [at for at, of in at_minutes.items() if len(of) > 1]
    candidates = sorted(shared, key=lambda at: (-len(at_minutes[at]), at))[:_MOST_CANDIDATES]
    piles = [
        Pile(at, len(at_minutes[at]) + sum(n for each, n in alike.items() if jobs.starts_in_minute(each.job, at)))
        for at in candidates
    ]
    fullest = sorted((each for each in piles if each.jobs >= threshold), key=lambda each: (-each.jobs, each.at))
    return sorted(fullest[:MOST_PILES], key=lambda each: each.at)
