"""The floor: the least that a program could do for the same executions, on the same database.

The rows that were measured are written once more by the bare driver: inserted as they wait, then
updated as they start, then as they end, with one statement of many rows for each batch; where the
clock had a row for each, those are moved on as well. Each statement is a transaction.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from cronjobs.database import as_utc

BATCH = 500

_TABLE = "cronjobs_jobexecution"
_WAITING = {
    "status": "queued",
    "first_started_at": None,
    "started_at": None,
    "finished_at": None,
    "duration_ms": None,
    "result": None,
    "node": "",
    "claim_token": "",
    "attempt": 0,
}
_STARTED = ("status", "first_started_at", "started_at", "node", "claim_token", "attempt", "lease_expires_at")
_ENDED = ("status", "finished_at", "duration_ms", "result", "lease_expires_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Executions as they stand in the database."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]

    def value(self, row: tuple[Any, ...], column: str) -> Any:
        """Return what a row has in a column."""
        return row[self.columns.index(column)]

    def first(self, count: int) -> Taken:
        """Return the first few of them."""
        return replace(self, rows=self.rows[:count])


def take() -> Taken:
    """Return what the database holds of executions, and forget it there."""
    cursor = _cursor()
    cursor.execute(f"SELECT * FROM {_TABLE}")  # noqa: S608 - our own name
    taken = Taken(columns=tuple(each[0] for each in cursor.description), rows=cursor.fetchall())
    clear()
    return taken


def clear() -> None:
    """Forget all executions, and leave nothing of them that would slow down what comes next."""
    cursor = _cursor()
    verb = "TRUNCATE" if connection.vendor == "postgresql" else "DELETE FROM"
    for table in ("cronjobs_executionlog", "cronjobs_executionattempt", _TABLE):
        cursor.execute(f"{verb} {table}")
    if connection.vendor == "postgresql":
        cursor.execute(f"VACUUM ANALYZE {_TABLE}")


def write_again(taken: Taken, *, has_clock: bool = False, batch: int = BATCH) -> float:
    """Write the executions as if they came, started and ended; return the seconds that it took."""
    cursor, spans = _cursor(), []
    for start in range(0, len(taken.rows), batch):
        rows = taken.rows[start : start + batch]
        statements = [_ready(cursor, *each) for each in _statements(taken, rows, has_clock=has_clock)]
        begun = time.perf_counter()
        for each in statements:
            cursor.execute(*each)
        spans.append(time.perf_counter() - begun)
    return sum(spans)


def start_late(taken: Taken, count: int, *, seconds: int = 10) -> list[float]:
    """Write `count` executions every second, until they start; return how many milliseconds after it that was each time."""
    cursor, rows, late = _cursor(), taken.rows[:count], []
    # As if they came, and started; that they end is in nobody's way.
    statements = [_ready(cursor, *each) for each in _statements(taken, rows, has_clock=True)][:3]
    for _ in range(seconds):
        due = math.ceil(time.time() + 0.1)
        time.sleep(due - time.time())
        for each in statements:
            cursor.execute(*each)
        late.append(round((time.time() - due) * 1_000, 2))
        cursor.execute(f"DELETE FROM {_TABLE}")  # noqa: S608 - our own name
    return late


def _statements(taken: Taken, rows: Sequence[tuple[Any, ...]], *, has_clock: bool) -> Iterator[tuple[str, list[Any]]]:
    waiting = [[_WAITING.get(name, value) for name, value in zip(taken.columns, row, strict=True)] for row in rows]
    names = ", ".join(map(_quoted, taken.columns))
    line = f"({_marks(len(taken.columns))})"
    yield (
        f"INSERT INTO {_TABLE} ({names}) VALUES {', '.join([line] * len(rows))}",  # noqa: S608 - our own names
        [value for row in waiting for value in row],
    )
    if has_clock:
        # To where they are not due: the node would serve them once more.
        later = as_utc(taken.value(rows[0], "scheduled_for")) + timedelta(hours=1)
        ids = [f"cronjobs:{taken.value(row, 'job_id')}" for row in rows]
        table = "django_apscheduler_djangojob"
        yield f"UPDATE {table} SET next_run_time = {_mark()} WHERE id IN ({_marks(len(ids))})", [_adapted(later), *ids]  # noqa: S608 - as above
    ids = [taken.value(row, "id") for row in rows]
    first = dict(zip(taken.columns, rows[0], strict=True))
    for columns, changed in ((_STARTED, {"status": "running"}), (_ENDED, {})):
        values = {name: {**first, **changed}[name] for name in columns}
        assigned = ", ".join(f"{_quoted(name)} = {_mark()}" for name in values)
        yield f"UPDATE {_TABLE} SET {assigned} WHERE id IN ({_marks(len(ids))})", [*values.values(), *ids]  # noqa: S608 - as above


def _ready(cursor: Any, sql: str, params: list[Any]) -> tuple[Any, ...]:
    """Return what is sent; putting it together in Python is no work that has to be done in the least case."""
    return (cursor.mogrify(sql, params),) if connection.vendor == "postgresql" else (sql, params)


def _adapted(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)


def _cursor() -> Any:
    connection.ensure_connection()
    return connection.connection.cursor()


def _quoted(name: str) -> str:
    return str(connection.ops.quote_name(name))


def _mark() -> str:
    return "?" if connection.vendor == "sqlite" else "%s"


def _marks(count: int) -> str:
    return ", ".join([_mark()] * count)
