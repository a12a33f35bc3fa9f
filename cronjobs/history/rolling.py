"""Rolling up: each hour that is over is counted once, and again if more ended in it than had been written by then."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from operator import add, sub
from typing import Any, Final

from django.db.models import Count, QuerySet

from cronjobs.database import engine_alias, in_transaction, read_clock
from cronjobs.models import HourlyRollup, JobExecution, JobTotals, RolledHour, RollupMark
from cronjobs.models.batches import upsert_values
from cronjobs.models.counts import COUNTED
from cronjobs.models.figures import (
    DURATION,
    LATENESS,
    Counted,
    Group,
    GroupCount,
    Percentiles,
    count,
    ended_between,
    nothing_counted,
    percentiles,
    percentiles_of_all,
    period_column,
)
from cronjobs.models.rollups import SETTLING, full_hour, lock_mark, rolled_up_until

_HOUR: Final = timedelta(hours=1)
# What is written later than that after its end is not looked for. It is also how long nothing is purged.
LOOK_BACK: Final = timedelta(hours=24)

# At most so many executions, or one hour's, are rolled up at once: that is one transaction.
_STEP: Final = 2_000
_LONGEST_STEP: Final = timedelta(days=7)
# Meanwhile others may write; after so many times they wait.
_TRIES: Final = 5

_SINGLE: Final = ("duration_max", "duration_p50", "duration_p95", "lateness_p50", "lateness_p95")
_ROLLUP: Final = ("job_name", "hour", *COUNTED, *_SINGLE)
_HOURLY: Final = ("hour", "executions", "duration_p50", "duration_p95")


@dataclass(slots=True)
class RolledUp:
    """What has been done: all that ended before `until` (UTC) is rolled up; how many hours for the first time, and anew."""

    until: datetime
    hours: int = 0
    renewed: int = 0
    executions: int = 0


@dataclass(frozen=True, slots=True)
class _Span:
    """Hours that belong together: from the first of these full hours (UTC) to the last, and all between them."""

    bounds: Sequence[datetime]

    @classmethod
    def between(cls, since: datetime, until: datetime) -> _Span:
        return cls([since + n * _HOUR for n in range((until - since) // _HOUR + 1)])

    @property
    def since(self) -> datetime:
        return self.bounds[0]

    @property
    def until(self) -> datetime:
        return self.bounds[-1]

    @property
    def edges(self) -> Sequence[datetime]:
        return self.bounds[1:-1]


@dataclass(frozen=True, slots=True)
class _Rolled:
    """What one step has done."""

    hours: int = 0
    executions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """What ended in the hours of a span, by the names of jobs and the numbers of hours."""

    span: _Span
    groups: Mapping[Group, GroupCount]
    durations: Mapping[Group, Percentiles]
    lateness: Mapping[Group, Percentiles]
    durations_of_all: Mapping[int, Percentiles]

    @property
    def executions(self) -> int:
        return sum(each.executions for each in self.groups.values())

    @property
    def hours(self) -> set[datetime]:
        return {self.span.bounds[number] for _, number in self.groups}

    def single_values(self, group: Group) -> tuple[int | None, ...]:
        """Return the values of the columns `_SINGLE`."""
        longest = self.groups[group].duration_max
        return (longest, *_pair(self.durations.get(group)), *_pair(self.lateness.get(group)))


def roll_up(now: datetime | None = None, *, progress: Callable[[RolledUp], object] = lambda done: None) -> RolledUp:
    """Roll up every hour that is over `now` (None: by the database's clock), and anew those that have grown.

    These are hours of the last day in which more has ended than was counted. In steps, each a short transaction;
    `progress` is called after each. Several may do this at once.
    """
    alias = engine_alias(JobExecution)
    now = now or read_clock(alias)
    over = full_hour(now - SETTLING)
    done = RolledUp(until=rolled_up_until())
    while done.until < over:
        rolled = _roll(alias, partial(_next_span, done.until, over), moves_from=done.until)
        done.executions += rolled.executions
        done.hours += rolled.hours
        done.until = rolled_up_until()
        progress(done)
    for hour in _grown(full_hour(now - LOOK_BACK) + _HOUR, done.until):
        done.executions += _roll(alias, partial(_Span.between, hour, hour + _HOUR), moves_from=None).executions
        done.renewed += 1
        progress(done)
    return done


def _next_span(until: datetime, over: datetime) -> _Span:
    """Return the next hours that have anything in them, few enough for one step; an empty span at `over`, if none has."""
    ends = ended_between(until, over).order_by("finished_at").values_list("finished_at", flat=True)
    first = next(iter(ends[:1]), None)
    if first is None:
        return _Span([over])
    since = full_hour(first)
    beyond = next(iter(ends[_STEP : _STEP + 1]), None)
    end = over if beyond is None else max(full_hour(beyond), since + _HOUR)
    return _Span.between(since, min(end, since + _LONGEST_STEP))


def _grown(since: datetime, until: datetime) -> list[datetime]:
    """Return the hours in which more has ended than is rolled up."""
    span = _Span.between(since, max(until, since))
    rows = ended_between(span.since, span.until).annotate(period=period_column(span.edges)).values("period")
    found = {span.bounds[row["period"]]: row["number"] for row in rows.annotate(number=Count("pk"))}
    known = dict(RolledHour.objects.filter(hour__in=found).values_list("hour", "executions"))
    return sorted(hour for hour, number in found.items() if number > known.get(hour, 0))


def _roll(alias: str, choose: Callable[[], _Span], *, moves_from: datetime | None) -> _Rolled:
    """Write what ended in the span that is chosen, and move the mark to its end from where it was.

    None: the mark is there or beyond. Returns what was counted; nothing, if somebody else was quicker.
    """
    for _ in range(_TRIES):
        counted = _count(choose())
        if (rolled := in_transaction(alias, partial(_write_if_true, alias, counted, moves_from))) is not None:
            return rolled
    return in_transaction(alias, partial(_count_and_write, alias, choose, moves_from))


def _count(span: _Span) -> _Counted:
    # The numbers first: they decide whether an hour is looked at again, and then all of it is.
    ended, edges = ended_between(span.since, span.until), span.edges
    return _Counted(
        span=span,
        groups=count(ended, edges),
        durations=percentiles(ended, edges, DURATION),
        lateness=percentiles(ended, edges, LATENESS),
        durations_of_all=percentiles_of_all(ended, edges, DURATION),
    )


def _write_if_true(alias: str, counted: _Counted, moves_from: datetime | None) -> _Rolled | None:
    """Write, unless more has ended meanwhile; then return None, and nothing is written.

    What is written later than `SETTLING` after its end waits for the lock, so this stays true until the commit.
    """
    until = lock_mark(alias)
    if not _is_next(until, counted.span, moves_from):
        return _Rolled()
    if ended_between(moves_from or counted.span.since, counted.span.until).count() != counted.executions:
        return None
    return _write(alias, counted, until)


def _count_and_write(alias: str, choose: Callable[[], _Span], moves_from: datetime | None) -> _Rolled:
    until, span = lock_mark(alias), choose()
    return _write(alias, _count(span), until) if _is_next(until, span, moves_from) else _Rolled()


def _is_next(until: datetime, span: _Span, moves_from: datetime | None) -> bool:
    return until == moves_from or (moves_from is None and span.until <= until)


def _write(alias: str, counted: _Counted, until: datetime) -> _Rolled:
    span, before_now = counted.span, HourlyRollup.objects.using(alias).filter(hour__in=counted.hours)
    known = _known(before_now, "job_name", "hour")
    rollups, growth = [], defaultdict[str, Counted](nothing_counted)
    for group, found in sorted(counted.groups.items()):
        key = (group[0], span.bounds[group[1]])
        numbers = more = found.counted
        if before := known.get(key):
            # A row that somebody has deleted has ended all the same.
            numbers = list(map(max, numbers, before))
            more = list(map(sub, numbers, before))
        growth[key[0]] = list(map(add, growth[key[0]], more))
        rollups.append((*key, *numbers, *counted.single_values(group)))
    upsert_values(HourlyRollup, using=alias, columns=_ROLLUP, rows=rollups, unique=("job_name", "hour"))
    upsert_values(RolledHour, using=alias, columns=_HOURLY, rows=list(_hours(counted)), unique=("hour",))
    _add_to_totals(alias, growth)
    if span.until > until:
        RollupMark.objects.using(alias).filter(pk=RollupMark.ONLY).update(until=span.until)
    return _Rolled(hours=len(span.bounds) - 1, executions=counted.executions)


def _known(rows: QuerySet[Any], *key: str) -> dict[Any, Counted]:
    """Return the numbers of rows, by their `key`."""
    found = rows.values_list(*key, *COUNTED)
    return {row[: len(key)]: list(row[len(key) :]) for row in found}


def _hours(counted: _Counted) -> Iterator[tuple[Any, ...]]:
    executions = Counter[int]()
    for (_, number), found in counted.groups.items():
        executions[number] += found.executions
    for number, many in sorted(executions.items()):
        yield (counted.span.bounds[number], many, *_pair(counted.durations_of_all.get(number)))


def _add_to_totals(alias: str, growth: Mapping[str, Counted]) -> None:
    known = _known(JobTotals.objects.using(alias).filter(job_name__in=growth), "job_name")
    totals = [(name, *map(add, known.get((name,)) or nothing_counted(), more)) for name, more in sorted(growth.items())]
    upsert_values(JobTotals, using=alias, columns=("job_name", *COUNTED), rows=totals, unique=("job_name",))


def _pair(found: Percentiles | None) -> tuple[int | None, int | None]:
    return (None, None) if found is None else (found.p50, found.p95)
