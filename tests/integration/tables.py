"""Every row of every table, to see that nothing has changed."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connection

# What is recorded of requests that are refused, too.
_RECORDS_OF_REQUESTS = frozenset[str]()


def everything() -> dict[str, list[Any]]:
    """Return the rows of each table as the database has them, which takes a few milliseconds."""
    tables = {each._meta.db_table for each in apps.get_models(include_auto_created=True)} - _RECORDS_OF_REQUESTS
    with connection.cursor() as cursor:
        return {table: _rows(cursor, table) for table in sorted(tables)}


def _rows(cursor: Any, table: str) -> list[Any]:
    # By the first column, which is the key.
    cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)} ORDER BY 1")  # noqa: S608 - a name of our own
    return list(cursor.fetchall())
