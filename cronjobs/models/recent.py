"""The last starts of many jobs, in one statement that reads no more of the history than it returns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connections
from django.utils.functional import cached_property

from cronjobs.models.execution import ExecutionQuerySet, JobExecution
from cronjobs.states import FINAL, UNSUCCESSFUL, ExecutionStatus

# Stands for a job's id until the statement is put together.
_ANY: Final = -1
# SQLite joins at most 500 statements in one.
_MOST_JOBS: Final = 400


@dataclass(frozen=True, slots=True)
class RecentExecution:
    """An execution that has ended, and how long its last attempt took."""

    status: ExecutionStatus
    duration_ms: int


@dataclass(frozen=True)
class RecentExecutions:
    """The latest runs of one job that have ended, oldest first."""

    ended: tuple[RecentExecution, ...] = ()

    @cached_property
    def succeeded(self) -> int:
        """How many went well."""
        return sum(each.status == ExecutionStatus.SUCCEEDED for each in self.ended)

    @cached_property
    def counted(self) -> int:
        """How many went well or badly; what was called off or skipped says nothing of the job."""
        return self.succeeded + sum(each.status in UNSUCCESSFUL for each in self.ended)


def recent_executions(job_ids: Iterable[int], *, count: int) -> dict[int, RecentExecutions]:
    """Return, by job, those of its last `count` starts that have ended; a job that has none has no entry.

    One statement for up to 400 jobs: for each a look at the end of an index. A window function would read the
    jobs' whole history, and not every database has LATERAL.
    """
    ids = list(job_ids)
    found: dict[int, RecentExecutions] = {}
    for start in range(0, len(ids), _MOST_JOBS):
        found |= _recent_executions(ids[start : start + _MOST_JOBS], count)
    return found


def _recent_executions(ids: list[int], count: int) -> dict[int, RecentExecutions]:
    return _by_job(_newest(ids, JobExecution.objects.all(), ("status", "duration_ms"), count))


def newest_starts(
    job_ids: Iterable[int], executions: ExecutionQuerySet, columns: Sequence[str], *, count: int
) -> list[tuple[Any, ...]]:
    """Return the last `count` starts of each job among `executions`, oldest first, as the database writes them.

    Each is the job's id, the time of the start, the id, and `columns`. Statements are as for `recent_executions`.
    """
    ids = list(job_ids)
    parts = (ids[start : start + _MOST_JOBS] for start in range(0, len(ids), _MOST_JOBS))
    return sorted(row for part in parts for row in _newest(part, executions, columns, count))


def _newest(ids: list[int], executions: ExecutionQuerySet, columns: Sequence[str], count: int) -> list[tuple[Any, ...]]:
    rows = executions.filter(job_id=_ANY, started_at__isnull=False).order_by("-started_at", "-id")
    connection = connections[rows.db]
    picked = rows.values_list("job_id", "started_at", "id", *columns)[:count]
    sql, params = picked.query.get_compiler(connection=connection).as_sql()
    # In brackets, and with a name for each, as SQLite and the others want it.
    statement = " UNION ALL ".join(f"SELECT * FROM ({sql}) AS runs_{number}" for number in range(len(ids)))  # noqa: S608 - Django's own
    with connection.cursor() as cursor:
        cursor.execute(statement, [pk if each == _ANY else each for pk in ids for each in params])
        return sorted(cursor.fetchall())


def _by_job(rows: list[tuple[Any, ...]]) -> dict[int, RecentExecutions]:
    ended: dict[int, list[RecentExecution]] = {}
    for job_id, _, _, status, duration_ms in rows:
        # One that runs, or waits for its next attempt, has not ended.
        if duration_ms is not None and status in FINAL:
            ended.setdefault(job_id, []).append(RecentExecution(ExecutionStatus(status), duration_ms))
    return {job_id: RecentExecutions(tuple(runs)) for job_id, runs in ended.items()}
