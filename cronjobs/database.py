"""What the engine needs from any of the databases: one clock, and transactions that survive conflicts."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from django.db import OperationalError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    BigIntegerField,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    Func,
    Model,
    QuerySet,
    Value,
)
from django.db.models.expressions import Combinable

from cronjobs.conf import words_to_mask
from cronjobs.storable import storable_text

logger = logging.getLogger(__name__)

R = TypeVar("R")

# Deadlocks, serialization failures and lock time-outs: the same work, done again, can succeed.
_RETRYABLE_SQLSTATES = frozenset({"40001", "40P01", "55P03"})
_RETRYABLE_MYSQL = frozenset({1205, 1213, 1020})
_RETRYABLE_SQLITE = ("database is locked", "database table is locked")

# Whoever is called after a commit may begin the next transaction on the same thread.
_sqlite_writer = threading.RLock()
_thread = threading.local()


class DatabaseNow(Func):
    """The database server's clock, in UTC, whatever the server's or the session's zone.

    Plain ``Now()`` is the server's zone on MariaDB and the transaction's start on PostgreSQL.
    On SQLite it has milliseconds, as text: compare it with ``<`` and ``<=`` only.
    """

    # A query of its own is asked once, and its answer sought in an index; the bare function is called for every row.
    template = "(SELECT CLOCK_TIMESTAMP())"
    output_field = DateTimeField()

    def as_mysql(self, compiler: Any, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **extra)

    # Halved twice: by this template, and by the parameters; under DEBUG one halving fewer is an error.
    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f','NOW')", **extra
        )


def database_now_plus(delta: timedelta) -> Combinable:
    """Return the expression for the database clock's present time plus `delta`."""
    return ExpressionWrapper(DatabaseNow() + Value(delta, DurationField()), output_field=DateTimeField())


class MillisecondsBetween(Func):
    """How many milliseconds lie between two columns of times, the earlier one first; NULL if one of them is.

    A difference of times in Django is a call of Python for every row on SQLite.
    """

    template = "CAST(ROUND(EXTRACT(EPOCH FROM (%(later)s - %(earlier)s)) * 1000) AS BIGINT)"
    output_field = BigIntegerField()

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper, *args: Any, **extra: Any) -> Any:
        earlier, later = (compiler.compile(each)[0] for each in self.get_source_expressions())
        return extra.get("template", self.template) % {"earlier": earlier, "later": later}, []

    def as_mysql(self, compiler: Any, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        template = "CAST(ROUND(TIMESTAMPDIFF(MICROSECOND, %(earlier)s, %(later)s) / 1000) AS SIGNED)"
        return self.as_sql(compiler, connection, template=template)

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        template = "CAST(ROUND((JULIANDAY(%(later)s) - JULIANDAY(%(earlier)s)) * 86400000) AS INTEGER)"
        return self.as_sql(compiler, connection, template=template)


def engine_alias(model: type[Model]) -> str:
    """Return the alias of the database that the engine's tables live in."""
    return router.db_for_write(model)


def read_clock(alias: str) -> datetime:
    """Return the database server's present time, aware, in UTC."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {clock_sql(connection)}")
        return as_utc(cursor.fetchone()[0])


class SteadyClock:
    """The database's time between two readings of it: steady, whatever happens to the machine's clock."""

    def __init__(self) -> None:
        self._reading: tuple[datetime, float] | None = None

    def set(self, reading: datetime) -> timedelta:
        """Take over a reading just made; return by how much it differs from what was expected."""
        step = timedelta(0) if self._reading is None else reading - self.now()
        self._reading = (reading, time.monotonic())
        return step

    @property
    def skew(self) -> timedelta:
        """How far this machine's clock is ahead of the database's."""
        return datetime.now(UTC) - self.now()

    def now(self) -> datetime:
        """Return the database's present time, aware, in UTC; this machine's before the first reading."""
        if self._reading is None:
            return datetime.now(UTC)
        reading, at = self._reading
        return reading + timedelta(seconds=time.monotonic() - at)


_last_error_line = -math.inf


def _error_line_is_due() -> bool:
    """Return whether a second has passed since any thread of this process logged that the database is away."""
    global _last_error_line  # noqa: PLW0603 - one process, one log
    is_due = time.monotonic() - _last_error_line >= 1.0
    if is_due:
        _last_error_line = time.monotonic()
    return is_due


class Backoff:
    """How a thread of the engine lives through errors: how long it waits, and what it says.

    The first failure in a row is retried at once and mentioned at debug level only: most
    often it is an idle connection that the server has dropped. Later ones wait up to a
    second and are logged, at most one line a second over all threads.
    """

    LONGEST = 1.0

    def __init__(self, alias: str, what: str) -> None:
        self._alias, self._what = alias, what
        self._failures = 0

    def failed(self, error: Exception) -> float:
        """Drop the connection, say what happened, and return the seconds to wait before trying again."""
        self._failures += 1
        drop_connection(self._alias)
        level = logging.ERROR if self._failures > 1 and _error_line_is_due() else logging.DEBUG
        logger.log(level, "%s failed: %s: %s", self._what, type(error).__name__, _said(error))
        return 0.0 if self._failures == 1 else min(0.125 * 2.0 ** min(self._failures, 8), self.LONGEST)

    def succeeded(self) -> None:
        """Forget earlier failures."""
        if self._failures > 1:
            logger.info("%s works again after %d failures.", self._what, self._failures)
        self._failures = 0


def _said(error: Exception) -> str:
    return storable_text(error, mask=words_to_mask()).strip()


def clock_sql(connection: BaseDatabaseWrapper) -> str:
    """Return the SQL text that reads the database's clock in UTC."""
    return {
        "postgresql": "CLOCK_TIMESTAMP()",
        "mysql": "UTC_TIMESTAMP(6)",
        "sqlite": "STRFTIME('%Y-%m-%d %H:%M:%f','NOW')",
    }[connection.vendor]


def as_utc(value: datetime | str) -> datetime:
    """Return a time as a driver hands it out (text, naive UTC, aware) as aware UTC."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    # Reading the text again is quicker than a copy with another zone: ten times.
    return datetime.fromisoformat(f"{value}+00:00") if isinstance(value, str) else moment.replace(tzinfo=UTC)


# Whoever looks again and again is told the same times.
@lru_cache(maxsize=4_096)
def readable_time(text: str) -> datetime | None:
    """Return a time as a database writes it, aware, in UTC; None for one that Python does not have."""
    try:
        return as_utc(text)
    except (ValueError, OverflowError):
        return None


def belongs_to_the_engine(longest_idle: timedelta) -> None:
    """Say that this thread is the engine's: the server may end a transaction in which it stands still so long.

    A node that is stopped or cut off in the middle of a tick would else hold its locks, and
    with them every other node's clock rows, for as long as the network takes to notice.
    """
    _thread.longest_idle = longest_idle


def _bound_idleness(connection: BaseDatabaseWrapper) -> None:
    longest = getattr(_thread, "longest_idle", None)
    if longest is None or connection.in_atomic_block:
        return
    connection.ensure_connection()
    if getattr(_thread, "bounded", None) is connection.connection:
        return
    seconds = max(1, round(longest.total_seconds()))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{seconds}s'")
        elif getattr(connection, "mysql_is_mariadb", False):
            cursor.execute(f"SET SESSION idle_transaction_timeout = {seconds}")
    _thread.bounded = connection.connection


@contextmanager
def engine_transaction(alias: str) -> Iterator[None]:
    """Open a transaction that takes the write lock at once where there is only one (SQLite).

    A deferred transaction that reads first and writes later fails on SQLite with "database
    is locked" without waiting, whatever the timeout.
    """
    connection = connections[alias]
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        _bound_idleness(connection)
        with transaction.atomic(using=alias):
            yield
        return
    with _turn(alias):
        connection.ensure_connection()
        configured = connection.transaction_mode  # type: ignore[attr-defined]  # the SQLite wrapper's
        connection.transaction_mode = "IMMEDIATE"  # type: ignore[attr-defined]
        try:
            with transaction.atomic(using=alias):
                yield
        finally:
            connection.transaction_mode = configured  # type: ignore[attr-defined]


def in_transaction(
    alias: str, work: Callable[[], R], *, attempts: int = 5, sleep: Callable[[float], Any] = time.sleep
) -> R:
    """Return what `work` returns, run in an engine transaction; conflicts run it again from the start."""
    return _through_conflicts(engine_transaction, alias, work, attempts=attempts, sleep=sleep)


def in_one_statement(alias: str, work: Callable[[], R]) -> R:
    """Return what `work` returns, which writes by a single statement, and so needs no transaction; conflicts run it again.

    A transaction takes two more round trips, which for a small piece of work is half of the time.
    """
    return _through_conflicts(_turn, alias, work)


def _through_conflicts(
    around: Callable[[str], AbstractContextManager[None]],
    alias: str,
    work: Callable[[], R],
    *,
    attempts: int = 5,
    sleep: Callable[[float], Any] = time.sleep,
) -> R:
    for attempt in range(1, attempts + 1):
        try:
            with around(alias):
                return work()
        except OperationalError as error:
            if attempt == attempts or connections[alias].in_atomic_block or not is_conflict(error):
                raise
            logger.debug("Transaction conflict, trying again.", extra={"attempt": attempt})
        sleep(random.uniform(0.005, 0.05) * attempt)  # noqa: S311 - spreads rivals, hides nothing
    raise AssertionError("unreachable")


@contextmanager
def _turn(alias: str) -> Iterator[None]:
    """Wait until it is this thread's turn to write, where there is only one writer (SQLite)."""
    connection = connections[alias]
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    # This process's threads queue up here, where waiting is fair; SQLite itself only polls.
    with _sqlite_writer:
        yield


def is_conflict(error: BaseException) -> bool:
    """Return whether `error` means that another transaction was in the way."""
    cause = error.__cause__
    if getattr(cause, "sqlstate", None) in _RETRYABLE_SQLSTATES:
        return True
    code = error.args[0] if error.args else None
    return code in _RETRYABLE_MYSQL or any(text in str(error) for text in _RETRYABLE_SQLITE)


def drop_connection(alias: str) -> None:
    """Close this thread's connection after an error, so that the next statement opens a new one."""
    connection = connections[alias]
    if connection.in_atomic_block:
        return
    try:
        connection.close()
    except Exception:  # noqa: BLE001 - closing a broken connection may fail in any way
        connection.connection = None


def lock_unlocked(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return `rows` locked for update, without those that another transaction has locked (where there are locks)."""
    return rows.select_for_update(skip_locked=connections[rows.db].features.has_select_for_update_skip_locked)
