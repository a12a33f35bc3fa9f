"""What the history comes to: each job's figures in each hour or day."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from itertools import groupby, pairwise

from cronjobs.history.parts import Group, divide, live_groups, merged, rolled_groups
from cronjobs.models.figures import Percentiles, Span, Tally
from cronjobs.states import UNSUCCESSFUL, ExecutionStatus

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class Period(StrEnum):
    """How long the spans are that figures are told for."""

    HOUR = "hour"
    # From midnight to midnight of a zone: 23 or 25 hours, where the clocks change.
    DAY = "day"

    @property
    def longest_range(self) -> timedelta:
        """How much may be asked for at once."""
        return 31 * _DAY if self == Period.HOUR else 366 * _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What ended of a job from `since` on and before `until` (UTC). None: nothing has a duration, or has started."""

    since: datetime
    until: datetime
    tally: Tally
    duration: Percentiles | None
    lateness: Percentiles | None
    # The percentiles are from buckets: of several hours, no single value is kept.
    is_estimated: bool

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

    Hours that are rolled up are read, and what else there is is counted: a few statements, whatever the number of
    jobs and periods.
    """
    if not names:
        return {}
    parts = divide(bounds)
    groups = merged(rolled_groups(names, parts), live_groups(names, parts))
    spans = list(pairwise(bounds))
    found = [(name, _figures(spans[period], each)) for (name, period), each in sorted(groups.items())]
    return {name: [figures for _, figures in of] for name, of in groupby(found, key=lambda pair: pair[0])}


def _figures(span: Span, group: Group) -> Figures:
    return Figures(
        since=span[0],
        until=span[1],
        tally=group.tally,
        duration=group.duration,
        lateness=group.lateness,
        is_estimated=group.is_estimated,
    )


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
