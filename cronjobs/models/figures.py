"""What ended in a span of time, as figures: how, after how long and how late, by job and by period.

The database computes them; what comes to Python is a few rows for each job and period.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, Final, Self

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, Case, Count, F, Func, IntegerField, Max, Q, QuerySet, Sum, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce

from cronjobs.database import MillisecondsBetween
from cronjobs.models.counts import BOUNDS, COUNTED, DURATION_BUCKETS, LATENESS_BUCKETS, OUTCOMES, PLACE_OF, SUMS
from cronjobs.models.execution import ExecutionQuerySet, JobExecution
from cronjobs.states import ExecutionStatus

DURATION: Final = F("duration_ms")
# Counted from the first attempt, as `JobExecution.lateness`.
LATENESS: Final = MillisecondsBetween("due_at", "first_started_at")

_MODIFIED: Final = "modifiedCount"
_MOST_RESULTS: Final = 10_000

# The name of a job, and the number of a period.
Group = tuple[str, int]
# From the first moment (aware) on, and before the second.
Span = tuple[datetime, datetime]
# As many numbers as there are names in `COUNTED`.
Counted = list[int]

# The least value that is not smaller than half, and than 95 %, of all: the same on every database, and no
# dialect's own aggregate. The text is formatted with the statement whose rows it ranks.
_RANKED = """
SELECT {group}, MIN(CASE WHEN share >= 0.5 THEN value END), MIN(CASE WHEN share >= 0.95 THEN value END)
FROM (
    SELECT {group}, value, CUME_DIST() OVER (PARTITION BY {group} ORDER BY value) AS share
    FROM ({ended}) AS ended
) AS ranked
GROUP BY {group}
"""

# What is added up of executions that are alike, in the order in which `counted_of` reads it.
_ALIKE: Final = ("status", "duration_bucket", "lateness_bucket")
_ADDED: Final = (
    "number",
    "attempt_total",
    "retries",
    "missed_due_times",
    "documents",
    "duration_total",
    "lateness_total",
)
ALIKE_COLUMNS: Final = ("job_name", *_ALIKE, *_ADDED)


def nothing_counted() -> Counted:
    """Return numbers to which others are added."""
    return [0] * len(COUNTED)


class _ModifiedCount(Func):
    """The whole number, not negative and of at most 15 digits, that a result has under ``modifiedCount``; else NULL.

    A job may return anything, which databases would refuse to add in different ways.
    """

    output_field = BigIntegerField()

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper, *args: Any, **extra: Any) -> Any:
        (result,) = (compiler.compile(each)[0] for each in self.get_source_expressions())
        return _MODIFIED_COUNT[connection.vendor].format(result=result, key=_MODIFIED), []


_MODIFIED_COUNT: Final = {
    "postgresql": (
        "CASE WHEN JSONB_TYPEOF({result} -> '{key}') = 'number' AND ({result} ->> '{key}') ~ '^[0-9]{{1,15}}$'"
        " THEN ({result} ->> '{key}')::bigint END"
    ),
    # Most results need not be parsed.
    "sqlite": (
        "CASE WHEN INSTR({result}, '\"{key}\"') > 0 AND JSON_TYPE({result}, '$.{key}') = 'integer'"
        " AND JSON_EXTRACT({result}, '$.{key}') BETWEEN 0 AND 999999999999999"
        " THEN JSON_EXTRACT({result}, '$.{key}') END"
    ),
    "mysql": (
        "CASE WHEN JSON_TYPE(JSON_EXTRACT({result}, '$.{key}')) = 'INTEGER'"
        " AND JSON_UNQUOTE(JSON_EXTRACT({result}, '$.{key}')) REGEXP '^[0-9]{{1,15}}$'"
        " THEN CAST(JSON_UNQUOTE(JSON_EXTRACT({result}, '$.{key}')) AS SIGNED) END"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What ended of one job in one period. `outcomes` has a number for each status that is final.

    Times are in milliseconds: `duration_total` of `durations` executions that have one, `lateness_total` of
    `starts` executions that have begun. In buckets there is a number for each of `BOUNDS`; what exceeds the last
    is in none.
    """

    outcomes: Mapping[str, int]
    attempt_total: int
    retries: int
    missed_due_times: int
    documents: int
    durations: int
    duration_total: int
    duration_max: int | None
    starts: int
    lateness_total: int
    duration_buckets: Sequence[int]
    lateness_buckets: Sequence[int]

    @classmethod
    def of(cls, counted: Sequence[int], duration_max: int | None) -> Self:
        """Return what these numbers, in the order of `COUNTED`, say."""
        numbers = dict(zip(COUNTED, counted, strict=True))
        return cls(
            outcomes={each: numbers[each] for each in OUTCOMES},
            duration_max=duration_max,
            duration_buckets=[numbers[each] for each in DURATION_BUCKETS],
            lateness_buckets=[numbers[each] for each in LATENESS_BUCKETS],
            **{each: numbers[each] for each in SUMS},
        )


@dataclass(slots=True)
class GroupCount:
    """The executions of a group, whatever their outcome, and what is `counted` of those with one that is known."""

    executions: int = 0
    counted: Counted = field(default_factory=nothing_counted)
    duration_max: int | None = None

    def add(self, facts: Sequence[Any], longest: int | None) -> None:
        """Add what `alike` says of some, without the name of their job."""
        self.executions += facts[len(_ALIKE)]
        add_alike(self.counted, facts)
        if longest is not None:
            self.duration_max = max(longest, self.duration_max or 0)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """At least half of the values are at most `p50`, and 95 % at most `p95`; each is one of the values."""

    p50: int
    p95: int


@dataclass(frozen=True, slots=True)
class ModifyingExecution:
    """An execution that modified documents, or found none to modify, and when it ended (UTC)."""

    job_name: str
    finished_at: datetime
    documents: int


def ended_within(spans: Iterable[Span], *, names: Collection[str]) -> ExecutionQuerySet:
    """Return what ended in any of these spans, of the jobs of these names; in none, if there is no span."""
    within = [Q(finished_at__gte=since, finished_at__lt=until) for since, until in spans]
    rows = JobExecution.objects.filter(reduce(or_, within)) if within else JobExecution.objects.none()
    return rows.filter(job_name__in=names).order_by()


def ended_between(since: datetime, until: datetime, *, names: Collection[str] | None = None) -> ExecutionQuerySet:
    """Return what ended from `since` on and before `until` (aware), of the jobs of these names (None: of all)."""
    rows = JobExecution.objects.filter(finished_at__gte=since, finished_at__lt=until).order_by()
    # By the name, and not by the job, which has an index of its own: SQLite would read each job's whole history.
    return rows if names is None else rows.filter(job_name__in=names)


def tally(ended: ExecutionQuerySet, edges: Sequence[datetime] = ()) -> dict[Group, Tally]:
    """Return what there is in each group. Periods are those before, between and after the `edges`, from 0 on."""
    return {group: Tally.of(each.counted, each.duration_max) for group, each in count(ended, edges).items()}


def count(ended: ExecutionQuerySet, edges: Sequence[datetime] = ()) -> dict[Group, GroupCount]:
    """Return the numbers behind `tally`."""
    rows = alike(ended.annotate(period=period_column(edges)), "period").annotate(longest=Max("duration_ms"))
    found: defaultdict[Group, GroupCount] = defaultdict(GroupCount)
    for name, *facts, period, longest in rows.values_list(*ALIKE_COLUMNS, "period", "longest"):
        found[name, period].add(facts, longest)
    return dict(found)


def alike(ended: ExecutionQuerySet, *groups: str) -> QuerySet[JobExecution, dict[str, Any]]:
    """Return a row of sums for executions that are alike: of the same job, outcome, and buckets, and of the same `groups`.

    Each execution's buckets are found once, which adding up each bucket would not do.
    """
    retries = Case(When(attempt__gt=1, then=F("attempt") - 1), default=0)
    documents = When(status=ExecutionStatus.SUCCEEDED, result__isnull=False, then=_ModifiedCount("result"))
    # Clocks differ by a little. A sum that may fall is none that can be kept.
    lateness = Case(When(late__gt=0, then=F("late")), default=0)
    rows: QuerySet[JobExecution, dict[str, Any]] = (
        ended.annotate(late=LATENESS)
        .annotate(duration_bucket=_bucket("duration_ms"), lateness_bucket=_bucket("late"))
        .values("job_name", *_ALIKE, *groups)
        .annotate(
            number=Count("pk"),
            attempt_total=_sum(F("attempt")),
            retries=_sum(retries),
            missed_due_times=_sum(F("missed_count")),
            documents=_sum(Case(documents, default=0, output_field=BigIntegerField())),
            duration_total=_sum(DURATION),
            lateness_total=_sum(lateness),
        )
    )
    return rows


def add_alike(counted: Counted, facts: Sequence[Any]) -> None:
    """Add to `counted` what `ALIKE_COLUMNS` say of executions that are alike, without the name of the job."""
    status, duration, lateness, number, *sums = facts
    if (place := PLACE_OF.get(status)) is None:
        # Not of this version, or of nobody's: it is no outcome, and its times are nobody's either.
        return
    counted[place] += number
    attempts, retries, missed, documents, duration_total, lateness_total = sums
    first = _FIRST_SUM
    counted[first] += attempts
    counted[first + 1] += retries
    counted[first + 2] += missed
    counted[first + 3] += documents
    if duration is not None:
        counted[first + 4] += number
        counted[first + 5] += duration_total
        if duration < len(BOUNDS):
            counted[_FIRST_DURATION + duration] += number
    if lateness is not None:
        counted[first + 6] += number
        counted[first + 7] += lateness_total
        if lateness < len(BOUNDS):
            counted[_FIRST_LATENESS + lateness] += number


_FIRST_SUM: Final = PLACE_OF[SUMS[0]]
_FIRST_DURATION: Final = PLACE_OF[DURATION_BUCKETS[0]]
_FIRST_LATENESS: Final = PLACE_OF[LATENESS_BUCKETS[0]]


def percentiles(ended: ExecutionQuerySet, edges: Sequence[datetime], value: Combinable) -> dict[Group, Percentiles]:
    """Return those of a `value` in each group, as `tally` forms them; a group in which nothing has one is left out."""
    rows = _ranked(ended, edges, value, ("job_name", "period"))
    return {(name, period): Percentiles(p50, p95) for name, period, p50, p95 in rows}


def percentiles_of_all(
    ended: ExecutionQuerySet, edges: Sequence[datetime], value: Combinable
) -> dict[int, Percentiles]:
    """Return those of a `value` in each period, whatever the job; a period in which nothing has one is left out."""
    return {period: Percentiles(p50, p95) for period, p50, p95 in _ranked(ended, edges, value, ("period",))}


def estimated_percentiles(buckets: Sequence[int], number: int, longest: int | None) -> Percentiles | None:
    """Return those of `number` values of which only the buckets are known; None: there are none.

    Within its bucket a value is put in proportion, as Prometheus does it; `longest` is the greatest of all values,
    None if that is not known: then none is put beyond the last bound.
    """
    if not number:
        return None
    return Percentiles(*(_estimated(buckets, number, longest, share) for share in (0.5, 0.95)))


def _estimated(buckets: Sequence[int], number: int, longest: int | None, share: float) -> int:
    most = BOUNDS[-1] if longest is None else longest
    rank, below, low = share * number, 0, 0
    for bound, inside in zip(BOUNDS, buckets, strict=True):
        if inside and below + inside >= rank:
            high = min(bound, most)
            return round(low + max(high - low, 0) * (rank - below) / inside)
        below, low = below + inside, bound
    # Beyond the last bound; how far, only the greatest can say.
    beyond = number - below
    return round(low + max(most - low, 0) * (rank - below) / beyond) if beyond else min(low, most)


def modifying_executions(ended: ExecutionQuerySet) -> list[ModifyingExecution]:
    """Return what succeeded and says in its result how many documents it has modified, newest first."""
    rows = ended.filter(status=ExecutionStatus.SUCCEEDED, result__has_key=_MODIFIED).order_by("-finished_at")
    values = rows.values_list("job_name", "finished_at", f"result__{_MODIFIED}")[:_MOST_RESULTS]
    return [ModifyingExecution(job, at, number if type(number) is int else 0) for job, at, number in values]


def _ranked(
    ended: ExecutionQuerySet, edges: Sequence[datetime], value: Combinable, group: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Return of each group its columns and the two percentiles."""
    connection = connections[ended.db]
    values = ended.annotate(period=period_column(edges), value=value).filter(value__isnull=False)
    sql, params = values.values(*group, "value").query.get_compiler(connection=connection).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(_RANKED.format(group=", ".join(group), ended=sql), params)
        return list(cursor.fetchall())


def _sum(value: Combinable) -> Combinable:
    # Some databases add up to decimals, which take drivers long to read.
    return Coalesce(Cast(Sum(value), BigIntegerField()), 0)


def _bucket(name: str) -> Combinable:
    """Return the expression for the number of the least of `BOUNDS` that a value does not exceed, or for the next; NULL for NULL."""
    bounds = (When(**{f"{name}__lte": bound}, then=Value(n)) for n, bound in enumerate(BOUNDS))
    beyond = When(Q(**{f"{name}__isnull": False}), then=Value(len(BOUNDS)))
    return Case(*bounds, beyond, default=None, output_field=IntegerField())


def period_column(edges: Sequence[datetime], first: int = 0, *, of: str = "finished_at") -> Combinable:
    """Return the expression for the number of the period, as in `tally`: found by halving, since it is computed for every row.

    No database's own cutting of times: that of a zone needs tables that MariaDB may lack, and takes the two hours
    of a night in autumn for one.
    """
    if not edges:
        return Value(first, output_field=IntegerField())
    half = len(edges) // 2
    earlier = period_column(edges[:half], first, of=of)
    later = period_column(edges[half + 1 :], first + half + 1, of=of)
    return Case(When(**{f"{of}__lt": edges[half]}, then=earlier), default=later, output_field=IntegerField())
