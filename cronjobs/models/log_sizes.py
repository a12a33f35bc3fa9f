"""How much of a log the database holds already."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, Count, Func, Sum, TextField
from django.db.models.functions import Cast, Coalesce

from cronjobs.logs import LINE_BYTES
from cronjobs.models.attempt import ExecutionLog


class _OctetLength(Func):
    """The number of bytes of a text."""

    function = "OCTET_LENGTH"
    output_field = BigIntegerField()

    # Older ones than 3.43 have no function for it.
    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="LENGTH(CAST(%(expressions)s AS BLOB))", **extra)


def logged_bytes(ids: Collection[int]) -> dict[int, int]:
    """Return the size of what these executions have logged, by id, as their collectors count it."""
    if not ids:
        return {}
    data = Coalesce(Sum(_OctetLength(Cast("data", TextField()))), 0)
    rows = ExecutionLog.objects.filter(execution_id__in=ids).order_by().values("execution_id")
    sums = rows.annotate(size=Sum(_OctetLength("message")) + data, lines=Count("pk"))
    return {row["execution_id"]: int(row["size"]) + LINE_BYTES * row["lines"] for row in sums}
