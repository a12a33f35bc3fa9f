"""How many SQL statements nodes send: as PostgreSQL counts them, or each node by itself.

Nodes also count what they looked for to claim, and how often they found nothing.
"""

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
STATEMENTS = "statements of the nodes"
CLAIMS, EMPTY = "claims", "empty claims"
# What stands in a statement of ours that looks on, and is not counted.
LOOKING_ON = "/* bench */"

_CONTROL = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT", "START", "SET", "PRAGMA", "LISTEN", "UNLISTEN")
_TABLE = re.compile(r"(?:FROM|INTO|UPDATE|JOIN)\s+[`\"]?([a-z_]+)", re.IGNORECASE)
_WITHIN = re.compile(r"\(SELECT (?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", re.IGNORECASE)
_COUNTED = (STATEMENTS, CONTROL, CLAIMS, EMPTY)
_NUMBERS = struct.Struct("q" * len(_COUNTED))


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
    nodes = node_counter(directory)

    def look() -> Counter[str]:
        return Counter({kind: count for kind, count in nodes().items() if kind in (STATEMENTS, CONTROL)})

    return look


def node_counter(directory: Path) -> Callable[[], Counter[str]]:
    """Return what tells what the nodes have counted so far; they have to be started after this."""
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
        found.update(dict(zip(_COUNTED, _NUMBERS.unpack(path.read_bytes()), strict=True)))
    return found


class _Tally:
    """Numbers in a file of this process, which others may read at any time."""

    def __init__(self, directory: str) -> None:
        path = Path(directory) / f"counts.{os.getpid()}"
        self._numbers = Counter(dict.fromkeys(_COUNTED, 0))
        path.write_bytes(bytes(_NUMBERS.size))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _NUMBERS.size)
        self._lock = threading.Lock()

    def watch(self, *, connection: Any, **_: object) -> None:
        """Count on a connection that was just opened."""
        if self.count not in connection.execute_wrappers:
            connection.execute_wrappers.append(self.count)

    def count(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 - Django's signature
        """Count one."""
        result = execute(sql, params, many, context)
        found = [CONTROL if kind_of(sql) == CONTROL else STATEMENTS]
        if _is_claim(sql):
            found += [CLAIMS] if context["cursor"].rowcount else [CLAIMS, EMPTY]
        with self._lock:
            self._numbers.update(found)
            _NUMBERS.pack_into(self._memory, 0, *(self._numbers[kind] for kind in _COUNTED))
        return result


def _is_claim(sql: str) -> bool:
    """Return whether it locks what is to be claimed: by the place in the queue, past what others have locked."""
    return "cronjobs_jobexecution" in sql and "FOR UPDATE" in sql and "claim_at" in sql.partition("ORDER BY")[2]


def count_for_others() -> None:
    """Let this process count what it sends from now on, if it was started by something that wants to know."""
    if "BENCH_COUNTS" in os.environ:
        connection_created.connect(_Tally(os.environ["BENCH_COUNTS"]).watch, weak=False)
