"""How many SQL statements nodes send: as PostgreSQL counts them, or each node by itself."""

from __future__ import annotations

import mmap
import os
import re
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.backends.signals import connection_created

CONTROL = "(transaction control)"
# What stands in a statement of ours that looks on, and is not counted.
LOOKING_ON = "/* bench */"

_CONTROL = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT", "START", "SET", "PRAGMA", "LISTEN", "UNLISTEN")
_TABLE = re.compile(r"(?:FROM|INTO|UPDATE|JOIN)\s+[`\"]?([a-z_]+)", re.IGNORECASE)
_WITHIN = re.compile(r"\(SELECT (?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", re.IGNORECASE)
# Statements, and those of transaction control.
_NUMBERS = struct.Struct("qq")


def kind_of(sql: str) -> str:
    """Return what a statement does and to which table; in parentheses what only begins or ends a transaction."""
    text = sql.lstrip("( \n")
    verb = text.split(maxsplit=1)[0].upper().rstrip(";")
    if verb in _CONTROL:
        return CONTROL
    # What a statement asks beside, in a query within it, is not its table.
    table = _TABLE.search(_WITHIN.sub("", text)) or _TABLE.search(text)
    return f"{verb} {table[1] if table else ''}".rstrip()


def counter(directory: Path) -> Callable[[], Counter[str]]:
    """Return what tells the statements so far, by kind: those of the whole scratch database, or else of its nodes alone.

    Nodes have to be started after this.
    """
    if connection.vendor == "postgresql" and _has_statistics():
        return _counted_by_postgres
    os.environ["BENCH_COUNTS"] = str(directory)
    return lambda: _counted_by_nodes(directory)


@contextmanager
def counted_here() -> Iterator[Counter[str]]:
    """Yield the statements of this thread's connection, by kind, that are sent meanwhile."""
    found: Counter[str] = Counter()

    def count(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        found[kind_of(sql)] += 1
        return execute(sql, *rest)

    with connection.execute_wrapper(count):
        yield found


def own(counts: Counter[str]) -> int:
    """Return how many there are without those of transaction control."""
    return counts.total() - counts[CONTROL]


def _has_statistics() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SHOW shared_preload_libraries")
        if "pg_stat_statements" not in cursor.fetchone()[0]:
            return False
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    return True


def _counted_by_postgres() -> Counter[str]:
    found: Counter[str] = Counter()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {LOOKING_ON} query, calls FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid"  # noqa: S608 - our own words
            " WHERE d.datname = current_database()"
        )
        for sql, calls in cursor.fetchall():
            if LOOKING_ON not in sql:
                found[kind_of(sql)] += calls
    return found


def _counted_by_nodes(directory: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for path in directory.glob("counts.*"):
        statements, control = _NUMBERS.unpack(path.read_bytes())
        found["statements of the nodes"] += statements
        found[CONTROL] += control
    return found


class _Tally:
    """Two numbers in a file of this process, which others may read at any time."""

    def __init__(self, directory: str) -> None:
        path = Path(directory) / f"counts.{os.getpid()}"
        path.write_bytes(_NUMBERS.pack(0, 0))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _NUMBERS.size)
        self._numbers = [0, 0]
        self._lock = threading.Lock()

    def watch(self, *, connection: Any, **_: object) -> None:
        """Count on a connection that was just opened."""
        if self.count not in connection.execute_wrappers:
            connection.execute_wrappers.append(self.count)

    def count(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        """Count one."""
        with self._lock:
            self._numbers[kind_of(sql) == CONTROL] += 1
            _NUMBERS.pack_into(self._memory, 0, *self._numbers)
        return execute(sql, *rest)


def count_for_others() -> None:
    """Let this process count what it sends from now on, if it was started by something that wants to know."""
    if "BENCH_COUNTS" in os.environ:
        connection_created.connect(_Tally(os.environ["BENCH_COUNTS"]).watch, weak=False)
