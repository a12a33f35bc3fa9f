"""Locks that somebody else holds: a migration, a person at a console, a backup."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from django.db import connection

from cronjobs.models import JobExecution


def table_locked() -> AbstractContextManager[None]:
    """Let nobody else use the table of executions meanwhile; on SQLite, let nobody else write."""
    return _file_locked() if connection.vendor == "sqlite" else _executions_locked()


@contextmanager
def _file_locked() -> Iterator[None]:
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.rollback()
        other.close()


@contextmanager
def _executions_locked() -> Iterator[None]:
    other = connection.copy()
    other.set_autocommit(False)
    how = "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE" if connection.vendor == "postgresql" else "LOCK TABLES {} WRITE"
    try:
        with other.cursor() as cursor:
            cursor.execute(how.format(JobExecution._meta.db_table))
        yield
    finally:
        # With its connection a lock ends, of whatever kind.
        other.close()
