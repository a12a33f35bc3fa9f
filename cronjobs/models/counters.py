"""What ended of each job since the beginning, as one statement sees it: numbers that never fall."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.models import DateTimeField, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from cronjobs.database import engine_alias
from cronjobs.models.counts import COUNTED
from cronjobs.models.execution import JobExecution
from cronjobs.models.figures import ALIKE_COLUMNS, Counted, add_alike, alike, nothing_counted
from cronjobs.models.rollups import BEGINNING, JobTotals, RollupMark, rolled_up_until

# Of totals the second column is NULL: these are no outcome's.
_BOTH = """
SELECT job_name, NULL, {counted} FROM {totals}
UNION ALL
SELECT {alike}, {padding} FROM ({live}) AS live
"""


def read_counters() -> dict[str, Counted]:
    """Return of each job that has ever ended what is counted of it, in the order of `COUNTED`.

    The totals, and what has ended since they were made, are read in one statement. So what a roll-up moves from
    the executions to the totals meanwhile is counted once.
    """
    alias = engine_alias(JobExecution)
    connection = connections[alias]
    live, params = _live().query.get_compiler(connection=connection).as_sql()
    sql = _BOTH.format(
        counted=", ".join(COUNTED),
        totals=connection.ops.quote_name(JobTotals._meta.db_table),  # noqa: SLF001 - Django's documented API
        alike=", ".join(ALIKE_COLUMNS),
        padding=", ".join(["NULL"] * (2 + len(COUNTED) - len(ALIKE_COLUMNS))),
        live=live,
    )
    counters: dict[str, Counted] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        recent = []
        for name, status, *numbers in cursor.fetchall():
            if status is None:
                counters[name] = numbers
            else:
                recent.append((name, status, numbers))
    for name, status, numbers in recent:
        counted = counters.setdefault(name, nothing_counted())
        add_alike(counted, (status, *numbers[: len(ALIKE_COLUMNS) - 2]))
    return counters


def _live() -> QuerySet[JobExecution, tuple[Any, ...]]:
    """Return the statement for what has ended since the last hour that is rolled up, by the mark of the moment.

    The mark as it was read before is what planners know of; it never goes back, so it excludes nothing.
    """
    mark = Subquery(RollupMark.objects.filter(pk=RollupMark.ONLY).values("until"))
    until = Coalesce(mark, Value(BEGINNING), output_field=DateTimeField())
    ended = JobExecution.objects.filter(finished_at__gte=rolled_up_until()).filter(finished_at__gte=until)
    return alike(ended.order_by()).values_list(*ALIKE_COLUMNS)
