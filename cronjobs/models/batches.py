"""Many rows in one statement: inserts that may be repeated, and updates of each row to its own values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model, QuerySet
from django.db.models.expressions import Combinable

M = TypeVar("M", bound=Model)

# SQLite's default limit of bound variables was 999 before 3.32; rows are sent in chunks below it.
_MOST_VARIABLES = 900
_LARGEST_BATCH = 500


class EngineManager(models.Manager[M]):
    """Reads where the engine writes: a replica that lags would make it decide by the past."""

    def get_queryset(self) -> QuerySet[M]:
        rows = super().get_queryset()
        return rows if self._db else rows.using(router.db_for_write(self.model))


def upsert(
    rows: QuerySet[Any], instances: list[Any], *, unique_fields: Sequence[str], update_fields: Sequence[str]
) -> None:
    """Insert `instances`; where a row with the same `unique_fields` exists, set its `update_fields` instead.

    Naming one of the unique columns as the field to update makes it an insert that changes
    nothing the second time. Django's ``ignore_conflicts`` is INSERT IGNORE on MariaDB, which
    also hides real errors and cuts long values.
    """
    # MariaDB takes any unique key for the target and refuses to be told one.
    has_target = connections[rows.db].features.supports_update_conflicts_with_target
    rows.bulk_create(
        instances,
        batch_size=_LARGEST_BATCH,
        update_conflicts=True,
        update_fields=update_fields,
        unique_fields=unique_fields if has_target else None,
    )


def upsert_values(
    model: type[Model], *, using: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], unique: Sequence[str]
) -> None:
    """Insert rows of values; where one with the same `unique` columns exists, set the others to these values instead.

    For many wide rows: making an instance of each takes longer than writing them. Columns are names of fields.
    """
    if not rows:
        return
    connection = connections[using]
    quote, fields = connection.ops.quote_name, [model._meta.get_field(name) for name in columns]  # noqa: SLF001 - Django's documented API
    is_mysql = connection.vendor == "mysql"
    names = {each.attname: quote(each.column) for each in fields}  # type: ignore[union-attr, arg-type]  # no relations among them
    new = "VALUES({})" if is_mysql else "excluded.{}"
    changes = ", ".join(f"{name} = {new.format(name)}" for each, name in names.items() if each not in unique)
    conflict = (
        "DUPLICATE KEY UPDATE" if is_mysql else f"CONFLICT ({', '.join(names[each] for each in unique)}) DO UPDATE SET"
    )
    sql = (
        f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(names.values())})"  # noqa: S608, SLF001 - names of our own columns
        f" VALUES ({', '.join(['%s'] * len(fields))}) ON {conflict} {changes}"
    )
    # Whole numbers are what they are, and most of it.
    prepared = [
        [v if type(v) is int else f.get_db_prep_save(v, connection) for f, v in zip(fields, row, strict=True)]  # type: ignore[union-attr]  # as above
        for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(sql, prepared)


def update_from_values(
    model: type[Model],
    *,
    using: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    match: Sequence[str],
    where: Mapping[str, Any],
    also: Mapping[str, Any],
) -> int:
    """Set `columns` of each row from `rows` where the `match` columns agree; return how many rows did.

    `where` holds conditions and `also` assignments, of values or expressions, that are the same for every row.
    Columns are names of fields. Must run in a transaction: large batches take several statements.
    """
    connection = connections[using]
    fields = [model._meta.get_field(name) for name in columns]  # noqa: SLF001 - Django's documented API
    chunk = max(1, _MOST_VARIABLES // len(columns))
    updated = 0
    for start in range(0, len(rows), chunk):
        statement = _Statement(connection, model, fields, match=match, where=where, also=also)  # type: ignore[arg-type]  # no relations among them
        updated += statement.execute(rows[start : start + chunk])
    return updated


class _Statement:
    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        model: type[Model],
        fields: Sequence[Field[Any, Any]],
        *,
        match: Sequence[str],
        where: Mapping[str, Any],
        also: Mapping[str, Any],
    ) -> None:
        self._connection, self._model, self._fields = connection, model, fields
        self._match, self._where = match, where
        self._same = {name: self._constant(name, value) for name, value in also.items()}
        self._table = connection.ops.quote_name(model._meta.db_table)  # noqa: SLF001 - as above

    def execute(self, rows: Sequence[Sequence[Any]]) -> int:
        values = [self._prepare(field, value) for row in rows for field, value in zip(self._fields, row, strict=True)]
        same = [param for _, params in self._same.values() for param in params]
        conditions = [self._prepare(self._field(name), value) for name, value in self._where.items()]
        is_mysql = self._connection.vendor == "mysql"
        params = [*values, *conditions, *same] if is_mysql else [*same, *values, *conditions]
        with self._connection.cursor() as cursor:
            cursor.execute(self._mysql(len(rows)) if is_mysql else self._standard(len(rows)), params)
            return int(cursor.rowcount)

    def _standard(self, count: int) -> str:
        row = f"({', '.join(self._placeholder(field) for field in self._fields)})"
        names = ", ".join(field.attname for field in self._fields)
        values = f"(VALUES {', '.join([row] * count)})"
        if self._connection.vendor == "sqlite":
            # SQLite cannot name the columns of VALUES; it calls them column1, column2, …
            renamed = ", ".join(f"column{i} AS {field.attname}" for i, field in enumerate(self._fields, 1))
            source = f"(SELECT {renamed} FROM {values}) AS v"  # noqa: S608 - names of our own columns
        else:
            source = f"{values} AS v ({names})"
        return f"UPDATE {self._table} SET {self._assignments('')} FROM {source} WHERE {self._conditions()}"  # noqa: S608 - names of our own columns

    def _mysql(self, count: int) -> str:
        named = ", ".join(f"{self._placeholder(field)} AS {field.attname}" for field in self._fields)
        source = " UNION ALL ".join([f"SELECT {named}"] * count)
        assignments = self._assignments(f"{self._table}.")
        matching = " AND ".join(f"{self._table}.{name} = v.{name}" for name in self._match)
        joined = " AND ".join([matching, *(f"{self._table}.{name} = %s" for name in self._where)])
        return f"UPDATE {self._table} JOIN ({source}) AS v ON {joined} SET {assignments}"  # noqa: S608 - as above

    def _assignments(self, prefix: str) -> str:
        changed = [field.attname for field in self._fields if field.attname not in self._match]
        from_values = [f"{prefix}{name} = v.{name}" for name in changed]
        same = [f"{prefix}{name} = {sql}" for name, (sql, _) in self._same.items()]
        # PostgreSQL and SQLite bind in the order of the text: constants first.
        return ", ".join([*from_values, *same] if prefix else [*same, *from_values])

    def _conditions(self) -> str:
        matching = [f"{self._table}.{name} = v.{name}" for name in self._match]
        return " AND ".join([*matching, *(f"{self._table}.{name} = %s" for name in self._where)])

    def _placeholder(self, field: Field[Any, Any]) -> str:
        if self._connection.vendor != "postgresql":
            return "%s"
        # A bare NULL or literal in VALUES would be text.
        return f"%s::{field.rel_db_type(self._connection)}"

    def _constant(self, name: str, value: Any) -> tuple[str, Sequence[Any]]:
        if isinstance(value, Combinable):
            return _compiled(value, self._model, self._connection.alias)
        return "%s", (self._prepare(self._field(name), value),)

    def _prepare(self, field: Field[Any, Any], value: Any) -> Any:
        return field.get_db_prep_save(value, self._connection)

    def _field(self, name: str) -> Field[Any, Any]:
        return self._model._meta.get_field(name)  # type: ignore[return-value]  # noqa: SLF001 - as above


# The same few for every claim.
@lru_cache(maxsize=32)
def _compiled(expression: Any, model: type[Model], alias: str) -> tuple[str, Sequence[Any]]:
    query = model._base_manager.using(alias).all().query  # noqa: SLF001 - as above
    sql, params = query.get_compiler(alias).compile(expression.resolve_expression(query))
    return str(sql), tuple(params)
