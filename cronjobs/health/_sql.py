"""Whether the SQL database is there and migrated, how fast it is, and what its clock says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from cronjobs.database import DatabaseNow, engine_alias, engine_transaction, read_clock
from cronjobs.health._probes import Probe, count, fail, fine, milliseconds, probe, warn
from cronjobs.models import Job, JobExecution, Node
from cronjobs.scheduler.dispatcher import SKEW_TO_STOP
from cronjobs.scheduler.upkeep import SKEW_TO_MENTION

SLOW = timedelta(seconds=1)

_APPS = frozenset({"cronjobs", "django_apscheduler"})
# How to learn and how to limit the wait for other people's locks. PostgreSQL's is set inside the transaction.
_LOCK_WAITS = {
    "sqlite": [("PRAGMA busy_timeout", "PRAGMA busy_timeout = {}", 3_000)],
    "mysql": [
        ("SELECT @@SESSION.lock_wait_timeout", "SET SESSION lock_wait_timeout = {}", 3),
        ("SELECT @@SESSION.innodb_lock_wait_timeout", "SET SESSION innodb_lock_wait_timeout = {}", 3),
    ],
}


@probe("sql")
def check_sql() -> Probe:
    """Read from the engine's tables and write to them; what is written is gone again with the commit."""
    alias = engine_alias(JobExecution)
    connection, read = _read(alias)
    with _short_lock_waits(connection):
        write = _seconds(lambda: _write(alias))
    details = {"readMs": milliseconds(read), "writeMs": milliseconds(write), "database": _description(connection)}
    if max(read, write) > SLOW.total_seconds():
        return warn(f"The SQL database is slow: reading took {read:.1f} s, writing {write:.1f} s.", **details)
    sentence = f"{details['database']} reads in {details['readMs']:g} ms and writes in {details['writeMs']:g} ms."
    return fine(sentence, **details)


@probe("sql")
def check_reading() -> Probe:
    """Read from the engine's tables, and leave it at that."""
    connection, read = _read(engine_alias(JobExecution))
    details = {"readMs": milliseconds(read), "database": _description(connection)}
    if read > SLOW.total_seconds():
        return warn(f"The SQL database is slow: reading took {read:.1f} s.", **details)
    return fine(f"{details['database']} reads in {details['readMs']:g} ms.", **details)


@probe("migrations")
def check_migrations() -> Probe:
    """Compare the migrations that this code has with those that the database has."""
    executor = MigrationExecutor(connections[engine_alias(JobExecution)])
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] in _APPS]
    missing = [f"{each.app_label}.{each.name}" for each, _ in executor.migration_plan(targets)]
    if not missing:
        return fine("All migrations are applied.", missing=[])
    verb = "is" if len(missing) == 1 else "are"
    sentence = f"{count(len(missing), 'migration')} {verb} not applied ({', '.join(missing)}): run manage.py migrate."
    return fail(sentence, missing=missing)


@probe("clock")
def check_clock() -> Probe:
    """Compare this machine's clock, and those of the living nodes, with the database's."""
    skews = {
        node.name: node.clock_skew_ms
        for node in Node.objects.alive().defer("memory_trend")
        if node.clock_skew_ms is not None
    }
    own = round(_skew().total_seconds() * 1000)
    clocks = [("This machine's clock", own), *((f"The clock of node {name}", each) for name, each in skews.items())]
    wrong = [(whose, skew) for whose, skew in clocks if abs(skew) > SKEW_TO_MENTION / timedelta(milliseconds=1)]
    if not wrong:
        return fine(
            f"This machine's clock and the database's differ by {abs(own) / 1000:g} s.", skewMs=own, nodes=skews
        )
    problems = [_skew_sentence(whose, skew) for whose, skew in wrong]
    is_far_off = any(abs(skew) > SKEW_TO_STOP / timedelta(milliseconds=1) for _, skew in wrong)
    return (fail if is_far_off else warn)(*problems, skewMs=own, nodes=skews)


def _skew() -> timedelta:
    before = datetime.now(UTC)
    database = read_clock(engine_alias(JobExecution))
    return before + (datetime.now(UTC) - before) / 2 - database


def _skew_sentence(whose: str, skew_ms: int) -> str:
    direction = "ahead of" if skew_ms > 0 else "behind"
    return f"{whose} is {abs(skew_ms) / 1000:.1f} s {direction} the database's."


def _read(alias: str) -> tuple[BaseDatabaseWrapper, float]:
    """Return the connection, and how many seconds a first look at the tables took once it was there."""
    connection = connections[alias]
    connection.ensure_connection()
    return connection, _seconds(lambda: Job.objects.using(alias).order_by().exists())


def _seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def _description(connection: BaseDatabaseWrapper) -> str:
    version = ".".join(str(part) for part in connection.get_database_version())
    return f"{connection.display_name} {version}"


def _write(alias: str) -> None:
    """Insert a row, delete it, commit: nobody ever sees it, and the disk has had to answer."""
    now, name = DatabaseNow(), f"health:{uuid4().hex}"
    nodes = Node.objects.using(alias)
    with engine_transaction(alias), _postgres_lock_wait(alias):
        row = Node(name=name, pid=0, workers=0, started_at=now, heartbeat_at=now, stopped_at=now)
        # Neither sends signals: whoever listens to nodes need not hear of this one.
        nodes.bulk_create([row])
        nodes.filter(name=name)._raw_delete(alias)  # noqa: SLF001 - Django's delete() without the signals


@contextmanager
def _short_lock_waits(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Wait for seconds only, meanwhile, where a server's default is up to a day."""
    waits = _LOCK_WAITS.get(connection.vendor, [])
    before = []
    with connection.cursor() as cursor:
        for read, change, limit in waits:
            cursor.execute(read)
            before.append((change, cursor.fetchone()[0]))
            cursor.execute(change.format(limit))
    try:
        yield
    finally:
        # A connection that broke meanwhile takes its settings with it.
        with suppress(DatabaseError), connection.cursor() as cursor:
            for change, value in before:
                cursor.execute(change.format(value))


@contextmanager
def _postgres_lock_wait(alias: str) -> Iterator[None]:
    connection = connections[alias]
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        # LOCAL: behind a pooler the session belongs to others as well.
        cursor.execute("SET LOCAL lock_timeout = '3s'")
        yield
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
