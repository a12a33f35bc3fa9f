"""What ended in a span of time, as figures: how, after how long and how late, by job and by period.

The database computes them; what comes to Python is a few rows for each job and period.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connections
from django.db.models import Case, Count, F, IntegerField, Max, Q, Sum, Value, When
from django.db.models.expressions import Combinable

from cronjobs.database import MillisecondsBetween
from cronjobs.models.execution import ExecutionQuerySet, JobExecution
from cronjobs.states import FINAL, ExecutionStatus

DURATION: Final = F("duration_ms")
# Counted from the first attempt, as `JobExecution.lateness`.
LATENESS: Final = MillisecondsBetween("due_at", "first_started_at")

# In the same order each time, so that a database sees the same statement.
OUTCOMES: Final = tuple(sorted(str(each) for each in FINAL))
_SUMS: Final = (
    "attempt_total",
    "retries",
    "missed_due_times",
    "durations",
    "duration_total",
    "starts",
    "lateness_total",
)

_MODIFIED: Final = "modifiedCount"
_MOST_RESULTS: Final = 10_000

# The name of a job, and the number of a period.
Group = tuple[str, int]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What ended of one job in one period. `outcomes` has a number for each status that is final.

    Times are in milliseconds: `duration_total` of `durations` executions that have one, `lateness_total` of
    `starts` executions that have begun.
    """

    outcomes: Mapping[str, int]
    attempt_total: int
    retries: int
    missed_due_times: int
    durations: int
    duration_total: int
    duration_max: int | None
    starts: int
    lateness_total: int


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


def ended_between(since: datetime, until: datetime, *, names: Collection[str] | None = None) -> ExecutionQuerySet:
    """Return what ended from `since` on and before `until` (aware), of the jobs of these names (None: of all)."""
    rows = JobExecution.objects.filter(finished_at__gte=since, finished_at__lt=until).order_by()
    # By the name, and not by the job, which has an index of its own: SQLite would read each job's whole history.
    return rows if names is None else rows.filter(job_name__in=names)


def tally(ended: ExecutionQuerySet, edges: Sequence[datetime] = ()) -> dict[Group, Tally]:
    """Return what there is in each group. Periods are those before, between and after the `edges`, from 0 on."""
    retries = Case(When(attempt__gt=1, then=F("attempt") - 1), default=0)
    rows = (
        ended.annotate(period=_period(edges))
        .values("job_name", "period")
        .annotate(
            **{status: Count("pk", filter=Q(status=status)) for status in OUTCOMES},
            attempt_total=Sum("attempt"),
            retries=Sum(retries),
            missed_due_times=Sum("missed_count"),
            durations=Count("duration_ms"),
            duration_total=Sum(DURATION),
            duration_max=Max("duration_ms"),
            starts=Count("first_started_at"),
            lateness_total=Sum(LATENESS),
        )
    )
    return {(row["job_name"], row["period"]): _tally(row) for row in rows}


def percentiles(ended: ExecutionQuerySet, edges: Sequence[datetime], value: Combinable) -> dict[Group, Percentiles]:
    """Return those of a `value` in each group, as `tally` forms them; a group in which nothing has one is left out."""
    rows = _ranked(ended, edges, value, ("job_name", "period"))
    return {(name, period): Percentiles(p50, p95) for name, period, p50, p95 in rows}


def percentiles_of_all(
    ended: ExecutionQuerySet, edges: Sequence[datetime], value: Combinable
) -> dict[int, Percentiles]:
    """Return those of a `value` in each period, whatever the job; a period in which nothing has one is left out."""
    return {period: Percentiles(p50, p95) for period, p50, p95 in _ranked(ended, edges, value, ("period",))}


def modified_documents(ended: ExecutionQuerySet) -> dict[str, int]:
    """Return how many documents the results of what succeeded say that they have modified, by job."""
    # Added here, since a job may return anything under that key, which databases refuse to add in different ways.
    found: Counter[str] = Counter()
    for each in modifying_executions(ended):
        found[each.job_name] += each.documents
    return dict(found)


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
    values = ended.annotate(period=_period(edges), value=value).filter(value__isnull=False)
    sql, params = values.values(*group, "value").query.get_compiler(connection=connection).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(_RANKED.format(group=", ".join(group), ended=sql), params)
        return list(cursor.fetchall())


def _tally(row: Mapping[str, Any]) -> Tally:
    return Tally(
        outcomes={status: row[status] for status in OUTCOMES},
        duration_max=row["duration_max"],
        # Decimals to some drivers, and NULL where there is nothing to add.
        **{name: int(row[name] or 0) for name in _SUMS},
    )


def _period(edges: Sequence[datetime], first: int = 0) -> Combinable:
    """Return the expression for the number of the period: found by halving, since it is computed for every row.

    No database's own cutting of times: that of a zone needs tables that MariaDB may lack, and takes the two hours
    of a night in autumn for one.
    """
    if not edges:
        return Value(first, output_field=IntegerField())
    half = len(edges) // 2
    earlier, later = _period(edges[:half], first), _period(edges[half + 1 :], first + half + 1)
    return Case(When(finished_at__lt=edges[half], then=earlier), default=later, output_field=IntegerField())
