"""What the history comes to: each job's figures in each hour or day."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from itertools import groupby, pairwise

from cronjobs.models.figures import DURATION, LATENESS, Percentiles, Tally, ended_between, percentiles, tally
from cronjobs.states import UNSUCCESSFUL, ExecutionStatus

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class Period(StrEnum):
    """How long the spans are that figures are told for."""

    HOUR = "hour"
    # From midnight to midnight of a zone: 23 or 25 hours, where the clocks change.
    DAY = "day"

    @property
    def longest_range(self) -> timedelta:
        """How much may be asked for at once: all of it is counted anew each time."""
        return 7 * _DAY if self == Period.HOUR else 31 * _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What ended of a job from `since` on and before `until` (UTC). None: nothing has a duration, or has started."""

    since: datetime
    until: datetime
    tally: Tally
    duration: Percentiles | None
    lateness: Percentiles | None

    @property
    def executions(self) -> int:
        """How many ended, however they did."""
        return sum(self.tally.outcomes.values())

    @property
    def success_rate(self) -> float | None:
        """The share of successes, from 0 to 1, among what succeeded, failed, timed out or was lost; None: nothing did."""
        succeeded = self.tally.outcomes[ExecutionStatus.SUCCEEDED]
        judged = succeeded + sum(self.tally.outcomes[status] for status in UNSUCCESSFUL)
        return succeeded / judged if judged else None


def boundaries(since: datetime, until: datetime, *, period: Period, zone: tzinfo) -> list[datetime]:
    """Return the times (UTC) at which the periods from `since` to `until` begin and end, these two among them.

    The first and the last period may be cut. Hours are 60 minutes long, and full by the zone's clock at `since`.
    """
    steps = _hours(since, zone) if period == Period.HOUR else _midnights(since, zone)
    found = [since.astimezone(UTC)]
    for each in steps:
        if each >= until:
            break
        if each > found[-1]:
            found.append(each)
    return [*found, until.astimezone(UTC)]


def job_figures(names: Collection[str], bounds: Sequence[datetime]) -> dict[str, list[Figures]]:
    """Return the figures of the jobs of these names between `bounds`, oldest first; without periods in which nothing ended.

    Three statements, whatever the number of jobs and periods.
    """
    if not names:
        return {}
    ended, edges = ended_between(bounds[0], bounds[-1], names=names), bounds[1:-1]
    tallies = tally(ended, edges)
    durations, lateness = percentiles(ended, edges, DURATION), percentiles(ended, edges, LATENESS)
    spans = list(pairwise(bounds))
    figures = {
        group: Figures(
            since=spans[group[1]][0],
            until=spans[group[1]][1],
            tally=tallies[group],
            duration=durations.get(group),
            lateness=lateness.get(group),
        )
        for group in sorted(tallies)
    }
    return {name: [figures[each] for each in groups] for name, groups in groupby(figures, key=lambda group: group[0])}


def _hours(since: datetime, zone: tzinfo) -> Iterator[datetime]:
    local = since.astimezone(zone)
    at = since.astimezone(UTC) - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    while True:
        yield at
        at += _HOUR


def _midnights(since: datetime, zone: tzinfo) -> Iterator[datetime]:
    day = since.astimezone(zone).date()
    while True:
        # One that the clock jumps over is the moment of the jump; of two, the first.
        yield datetime.combine(day, time(), zone).astimezone(UTC)
        day += _DAY
