"""What ended in each of the last 24 hours: of all jobs together and, in short, of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final, NamedTuple

from cronjobs.database import engine_alias
from cronjobs.history import Period, boundaries, rolled_up_until
from cronjobs.models import HourlyRollup, JobExecution, RolledHour
from cronjobs.models.counts import OUTCOMES
from cronjobs.models.figures import (
    DURATION,
    ModifyingExecution,
    Percentiles,
    Tally,
    ended_between,
    modifying_executions,
    percentiles_of_all,
    tally,
)
from cronjobs.models.rollups import BEGINNING, full_hour
from cronjobs.states import UNSUCCESSFUL, ExecutionStatus

SPAN: Final = timedelta(hours=24)

# What ended is written a moment later, and longer after an outage; until then an hour may still change.
_SETTLED = timedelta(minutes=15)
# The bounds of the two hours that may still change.
_UNSETTLED = 3
# A day in each of a few zones that are not whole hours apart.
_MOST_HOURS = 100


class JobHour(NamedTuple):
    """What ended of one job: how many, badly, badly or well, and how long those took that have a duration (ms)."""

    ended: int
    unsuccessful: int
    judged: int
    durations: int
    duration_total: int
    duration_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """What ended from `since` on and before `until` (UTC)."""

    since: datetime
    until: datetime
    outcomes: Mapping[str, int] = field(default_factory=dict)
    # None: nothing that ended has a duration.
    duration: Percentiles | None = None
    jobs: Mapping[str, JobHour] = field(default_factory=dict)
    # Newest first.
    runs: Sequence[ModifyingExecution] = ()

    @property
    def ended(self) -> int:
        """How many ended, however they did."""
        return sum(self.outcomes.values())

    @property
    def unsuccessful(self) -> int:
        """How many ended badly."""
        return sum(self.outcomes.get(each, 0) for each in UNSUCCESSFUL)

    @property
    def error_rate(self) -> float | None:
        """The share of those that ended badly, from 0 to 1, among them and the successes; None: there are neither."""
        return error_rate([self])


def error_rate(hours: Iterable[Hour]) -> float | None:
    """Return the share of what ended badly in `hours`, as `Hour.error_rate` does for one."""
    pairs = [(each.unsuccessful, each.outcomes.get(ExecutionStatus.SUCCEEDED, 0)) for each in hours]
    bad = sum(unsuccessful for unsuccessful, _ in pairs)
    judged = bad + sum(succeeded for _, succeeded in pairs)
    return bad / judged if judged else None


# By database, and by the time at which an hour began. What has ended does not end again: so only the present hour
# is counted each time, which else takes seconds after a day with a million executions. One thing may still change
# a past hour, and is shown only by the next process: a back-fill revives what was skipped. No purge reaches so far.
_known: dict[tuple[str, datetime], Hour] = {}


def last_hours(now: datetime, zone: tzinfo) -> list[Hour]:
    """Return the present hour, which is not over, and the 23 before it, oldest first: hours by the clock of `zone`.

    Takes a few queries. Where that clock's hours are those of UTC, what is over is read from the roll-ups.
    """
    alias = engine_alias(JobExecution)
    # What ends while this is read belongs to the present hour.
    bounds = [*boundaries(now - SPAN, now, period=Period.HOUR, zone=zone)[1:-1], now + timedelta(minutes=1)]
    known = 0
    while known < len(bounds) - 2 and (alias, bounds[known]) in _known:
        known += 1
    found = [_known[alias, each] for each in bounds[:known]] + _read(bounds[known:])
    _remember(alias, [each for each in found[known:] if each.until <= now - _SETTLED])
    return found


def forget_hours() -> None:
    """Count every hour anew the next time."""
    _known.clear()


def _remember(alias: str, hours: Iterable[Hour]) -> None:
    for each in hours:
        _known[alias, each.since] = each
    for key in sorted(_known, key=lambda key: key[1])[: max(0, len(_known) - _MOST_HOURS)]:
        # Another thread may have been quicker.
        _known.pop(key, None)


def _read(bounds: Sequence[datetime]) -> list[Hour]:
    """Return the hours between `bounds`: those that are rolled up are read, the others counted."""
    # The present hour and the one before are asked for every few seconds, and cheaper to count than to ask about.
    rolled, until = 0, rolled_up_until() if len(bounds) > _UNSETTLED else BEGINNING
    while rolled < len(bounds) - 1 and bounds[rolled + 1] <= until and full_hour(bounds[rolled]) == bounds[rolled]:
        rolled += 1
    runs = modifying_executions(ended_between(bounds[0], bounds[-1]))
    hours = [*_rolled(bounds[: rolled + 1]), *_count(bounds[rolled:])]
    return [replace(each, runs=[run for run in runs if each.since <= run.finished_at < each.until]) for each in hours]


def _rolled(bounds: Sequence[datetime]) -> list[Hour]:
    """Return hours as they were rolled up; in two queries, or none."""
    if len(bounds) < 2:
        return []
    jobs: defaultdict[datetime, dict[str, JobHour]] = defaultdict(dict)
    outcomes: defaultdict[datetime, Counter[str]] = defaultdict(Counter)
    within = {"hour__gte": bounds[0], "hour__lt": bounds[-1]}
    columns = ("job_name", "hour", "durations", "duration_total", "duration_max", *OUTCOMES)
    for name, hour, durations, total, longest, *numbers in HourlyRollup.objects.filter(**within).values_list(*columns):
        of = {status: number for status, number in zip(OUTCOMES, numbers, strict=True) if number}
        outcomes[hour].update(of)
        jobs[hour][name] = _job_hour(of, durations, total, longest)
    percentiles = {each.hour: each for each in RolledHour.objects.filter(**within)}
    return [
        Hour(
            since=since,
            until=until,
            outcomes=outcomes[since],
            duration=_percentiles(percentiles.get(since)),
            jobs=jobs[since],
        )
        for since, until in pairwise(bounds)
    ]


def _percentiles(of: RolledHour | None) -> Percentiles | None:
    return (
        None
        if of is None or of.duration_p50 is None or of.duration_p95 is None
        else Percentiles(of.duration_p50, of.duration_p95)
    )


def _count(bounds: Sequence[datetime]) -> list[Hour]:
    """Return hours as their executions are; in two queries, or none."""
    if len(bounds) < 2:
        return []
    ended, edges = ended_between(bounds[0], bounds[-1]), bounds[1:-1]
    tallies: defaultdict[int, dict[str, Tally]] = defaultdict(dict)
    for (name, period), each in tally(ended, edges).items():
        tallies[period][name] = each
    durations = percentiles_of_all(ended, edges, DURATION)
    return [
        _counted(since, until, tallies[number], durations.get(number))
        for number, (since, until) in enumerate(pairwise(bounds))
    ]


def _counted(since: datetime, until: datetime, jobs: Mapping[str, Tally], duration: Percentiles | None) -> Hour:
    outcomes: Counter[str] = Counter()
    for each in jobs.values():
        outcomes.update(each.outcomes)
    return Hour(
        since=since,
        until=until,
        outcomes={status: count for status, count in outcomes.items() if count},
        duration=duration,
        jobs={
            name: _job_hour(each.outcomes, each.durations, each.duration_total, each.duration_max)
            for name, each in jobs.items()
        },
    )


def _job_hour(outcomes: Mapping[str, int], durations: int, total: int, longest: int | None) -> JobHour:
    unsuccessful = sum(outcomes.get(each, 0) for each in UNSUCCESSFUL)
    return JobHour(
        ended=sum(outcomes.values()),
        unsuccessful=unsuccessful,
        judged=unsuccessful + outcomes.get(ExecutionStatus.SUCCEEDED, 0),
        durations=durations,
        duration_total=total,
        duration_max=longest or 0,
    )
