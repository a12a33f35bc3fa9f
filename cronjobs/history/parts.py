"""Where figures come from: from roll-ups, as far as whole hours go, and from executions for the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Max, Q, Sum

from cronjobs.models import HourlyRollup, JobExecution, RolledHour
from cronjobs.models.counts import COUNTED, DURATION_BUCKETS, LATENESS_BUCKETS, PLACE_OF
from cronjobs.models.figures import (
    DURATION,
    LATENESS,
    Counted,
    Percentiles,
    Span,
    Tally,
    count,
    ended_within,
    estimated_percentiles,
    percentiles,
    period_column,
)
from cronjobs.models.figures import Group as Key
from cronjobs.models.rollups import full_hour, rolled_up_until

_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Periods, and what of them is read from roll-ups: the hours from `since` on and before `until`, but for `cut`.

    `cut` are full hours in which a period ends and another begins, and whose executions are all still there;
    `live` are the spans that are counted from executions.
    """

    bounds: Sequence[datetime]
    since: datetime
    until: datetime
    cut: Collection[datetime]
    live: Sequence[Span]

    @property
    def edges(self) -> Sequence[datetime]:
        """The times at which a period ends and another begins."""
        return self.bounds[1:-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What ended of a job in a period: what can be added up, and the percentiles, where they are known exactly."""

    counted: Counted
    duration_max: int | None
    exact: tuple[Percentiles | None, Percentiles | None] | None

    @property
    def is_estimated(self) -> bool:
        """Whether there are percentiles that are not known exactly."""
        return self.exact is None and bool(self._number("durations") or self._number("starts"))

    @property
    def tally(self) -> Tally:
        """The numbers by their names."""
        return Tally.of(self.counted, self.duration_max)

    @property
    def duration(self) -> Percentiles | None:
        """Those of the durations (ms); None: nothing has one."""
        if self.exact is not None:
            return self.exact[0]
        return estimated_percentiles(self._buckets(DURATION_BUCKETS), self._number("durations"), self.duration_max)

    @property
    def lateness(self) -> Percentiles | None:
        """Those of the lateness (ms); None: nothing has begun."""
        if self.exact is not None:
            return self.exact[1]
        return estimated_percentiles(self._buckets(LATENESS_BUCKETS), self._number("starts"), None)

    def _number(self, name: str) -> int:
        return self.counted[PLACE_OF[name]]

    def _buckets(self, names: Sequence[str]) -> Counted:
        return [self._number(name) for name in names]


def divide(bounds: Sequence[datetime]) -> Parts:
    """Return what of the periods between `bounds` is read, and what is counted."""
    rolled, first, last = rolled_up_until(), bounds[0], bounds[-1]
    since, until = _next_full_hour(first), min(rolled, last)
    if since >= until:
        return Parts(bounds=bounds, since=first, until=first, cut=(), live=[(first, last)])
    inside = {full_hour(each) for each in bounds if each < rolled and each != full_hour(each)}
    cut = _complete(inside)
    # Of the hour in which everything begins, nothing is told if it cannot be cut.
    live = [(max(each, first), min(each + _HOUR, last)) for each in sorted(cut)]
    return Parts(
        bounds=bounds, since=since, until=until, cut=cut, live=[*live, *([(rolled, last)] if rolled < last else [])]
    )


def _complete(hours: Collection[datetime]) -> set[datetime]:
    """Return those of these rolled hours of which every execution that was counted is still there."""
    if not hours:
        return set()
    known = dict(RolledHour.objects.filter(hour__in=hours).values_list("hour", "executions"))
    numbers = {f"h{n}": Count("pk", filter=_in_hour(hour)) for n, hour in enumerate(known)}
    if not numbers:
        return set()
    within = Q()
    for hour in known:
        within |= _in_hour(hour)
    found = JobExecution.objects.filter(within).order_by().aggregate(**numbers)
    return {hour for (hour, number), there in zip(known.items(), found.values(), strict=True) if there >= number}


def _in_hour(hour: datetime) -> Q:
    return Q(finished_at__gte=hour, finished_at__lt=hour + _HOUR)


def rolled_groups(names: Collection[str], parts: Parts) -> dict[Key, Group]:
    """Return what the roll-ups say; in one statement, or none."""
    if parts.since >= parts.until:
        return {}
    rows = HourlyRollup.objects.filter(job_name__in=names, hour__gte=parts.since, hour__lt=parts.until)
    rows = rows.exclude(hour__in=parts.cut) if parts.cut else rows
    single = ("duration_max", "duration_p50", "duration_p95", "lateness_p50", "lateness_p95")
    sums: dict[str, Any] = {f"sum_{name}": Sum(name) for name in COUNTED}
    values = (
        rows.order_by()
        .annotate(period=period_column(parts.edges, of="hour"))
        .values("job_name", "period")
        .annotate(hours=Count("pk"), **sums, **{f"max_{name}": Max(name) for name in single})
        .values_list("job_name", "period", "hours", *(f"max_{name}" for name in single), *sums)
    )
    return {(name, period): _of_hours(hours, numbers) for name, period, hours, *numbers in values}


def _of_hours(hours: int, numbers: Sequence[Any]) -> Group:
    longest, duration_p50, duration_p95, lateness_p50, lateness_p95, *sums = numbers
    exact = _pair(duration_p50, duration_p95), _pair(lateness_p50, lateness_p95)
    return Group(counted=[int(each) for each in sums], duration_max=longest, exact=exact if hours == 1 else None)


def _pair(p50: int | None, p95: int | None) -> Percentiles | None:
    return None if p50 is None or p95 is None else Percentiles(p50, p95)


def live_groups(names: Collection[str], parts: Parts) -> dict[Key, Group]:
    """Return what the executions say; in three statements, or none."""
    if not parts.live:
        return {}
    ended, edges = ended_within(parts.live, names=names), parts.edges
    counts = count(ended, edges)
    durations, lateness = percentiles(ended, edges, DURATION), percentiles(ended, edges, LATENESS)
    return {
        key: Group(counted=each.counted, duration_max=each.duration_max, exact=(durations.get(key), lateness.get(key)))
        for key, each in counts.items()
    }


def merged(one: Mapping[Key, Group], other: Mapping[Key, Group]) -> dict[Key, Group]:
    """Return what is in either, added up where it is in both."""
    return {**one, **other, **{key: _sum(one[key], other[key]) for key in one.keys() & other.keys()}}


def _sum(one: Group, other: Group) -> Group:
    longest = [each.duration_max for each in (one, other) if each.duration_max is not None]
    counted = [sum(each) for each in zip(one.counted, other.counted, strict=True)]
    return Group(counted=counted, duration_max=max(longest, default=None), exact=None)


def _next_full_hour(moment: datetime) -> datetime:
    hour = full_hour(moment)
    return hour if hour == moment else hour + _HOUR
