"""Many rows in one statement: inserts that may be repeated, and updates of each row to its own values."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model, QuerySet
from django.db.models.expressions import Combinable

M = TypeVar("M", bound=Model)

LARGEST_BATCH = 500
# SQLite's default limit of bound variables was 999 before 3.32, and MariaDB's of a statement is 16 MB; rows are sent
# in chunks below that. Values bound to one statement.
_MOST_VARIABLES = {"postgresql": 20_000}
_FEW_VARIABLES = 900


def _most_variables(connection: BaseDatabaseWrapper) -> int:
    return _MOST_VARIABLES.get(connection.vendor, _FEW_VARIABLES)


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
        batch_size=LARGEST_BATCH,
        update_conflicts=True,
        update_fields=update_fields,
        unique_fields=unique_fields if has_target else None,
    )


class _Columns:
    """Columns of a model, and how their values are handed to the driver."""

    def __init__(self, model: type[Model], names: Iterable[str]) -> None:
        self._fields: dict[str, Field[Any, Any]] = {name: model._meta.get_field(name) for name in names}  # type: ignore[misc]  # noqa: SLF001 - Django's documented API; fields all of them

    def prepare(self, name: str, value: Any, connection: BaseDatabaseWrapper) -> Any:
        """Return the value as the driver takes it."""
        field = self._fields[name]
        # Django asks fields long questions about each; of most values only one answer is possible.
        if value is None or (type(value) is int and not isinstance(field, models.JSONField)):
            return value
        if isinstance(value, str) and not isinstance(field, models.JSONField):
            return str(value)
        if isinstance(value, datetime):
            return connection.ops.adapt_datetimefield_value(value)
        return field.get_db_prep_save(value, connection)


def insert_new(
    model: type[Model], *, using: str, instances: Sequence[Model], unique: Sequence[str], unchanged: str
) -> None:
    """Insert `instances`; one whose `unique` columns exist already changes nothing. They do not learn their keys.

    As `upsert` does, in a third of the time. `unchanged` is a column that is set to itself; columns are names of
    attributes. Must run in a transaction: large batches take several statements.
    """
    if not instances:
        return
    connection = connections[using]
    insert = _insert(model, using, tuple(unique), unchanged)
    chunk = max(1, _most_variables(connection) // len(insert.names))
    with connection.cursor() as cursor:
        for start in range(0, len(instances), chunk):
            part = instances[start : start + chunk]
            values = [insert.prepare(name, getattr(each, name), connection) for each in part for name in insert.names]
            cursor.execute(insert.sql(len(part)), values)


class _Insert(_Columns):
    """An INSERT of rows that may be there already, whose text is made once for each number of rows."""

    def __init__(self, model: type[Model], alias: str, unique: Collection[str], unchanged: str) -> None:
        columns = {each.attname: str(each.column) for each in model._meta.concrete_fields if not each.primary_key}  # noqa: SLF001 - as above
        super().__init__(model, columns)
        self.names = tuple(columns)
        connection = connections[alias]
        quote = connection.ops.quote_name
        self._head = f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(map(quote, columns.values()))}) VALUES "  # noqa: S608, SLF001 - names of our own columns
        same = f"{quote(columns[unchanged])} = "
        if connection.vendor == "mysql":
            self._tail = f" ON DUPLICATE KEY UPDATE {same}VALUES({quote(columns[unchanged])})"
        else:
            keys = ", ".join(quote(columns[each]) for each in unique)
            self._tail = f" ON CONFLICT ({keys}) DO UPDATE SET {same}excluded.{quote(columns[unchanged])}"

    def sql(self, count: int) -> str:
        """Return the text for so many rows."""
        row = f"({', '.join(['%s'] * len(self.names))})"
        return f"{self._head}{', '.join([row] * count)}{self._tail}"


_insert = lru_cache(maxsize=8)(_Insert)


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
    given = {name: "%s" for name, value in also.items() if not isinstance(value, Combinable)}
    same = {name: ("%s", (value,)) if name in given else _compiled(value, model, using) for name, value in also.items()}
    assigned = tuple((name, sql) for name, (sql, _) in same.items())
    statement = _statement(_Shape(model, using, tuple(columns), tuple(match), tuple(where), assigned))
    constants = [
        statement.prepare(name, value, connection) if name in given else value
        for name, (_, params) in same.items()
        for value in params
    ]
    conditions = [statement.prepare(name, value, connection) for name, value in where.items()]
    chunk = max(1, _most_variables(connection) // len(columns))
    updated = 0
    with connection.cursor() as cursor:
        for start in range(0, len(rows), chunk):
            part = rows[start : start + chunk]
            values = [
                statement.prepare(name, value, connection)
                for row in part
                for name, value in zip(columns, row, strict=True)
            ]
            cursor.execute(statement.sql(len(part)), statement.ordered(values, conditions, constants))
            updated += cursor.rowcount
    return updated


class _Shape(NamedTuple):
    """What an UPDATE from values says, but for the values: names of columns, and what is assigned to all rows in SQL."""

    model: type[Model]
    alias: str
    columns: tuple[str, ...]
    match: tuple[str, ...]
    where: tuple[str, ...]
    also: tuple[tuple[str, str], ...]


class _Statement(_Columns):
    """An UPDATE from values, whose text is made once for each number of rows."""

    def __init__(self, shape: _Shape) -> None:
        super().__init__(shape.model, {*shape.columns, *shape.where, *(name for name, _ in shape.also)})
        connection = connections[shape.alias]
        self._vendor, self._shape = connection.vendor, shape
        self._table = connection.ops.quote_name(shape.model._meta.db_table)  # noqa: SLF001 - as above
        # On PostgreSQL a bare NULL or literal in VALUES would be text.
        is_typed = self._vendor == "postgresql"
        types = [f"::{self._fields[name].rel_db_type(connection)}" if is_typed else "" for name in shape.columns]
        self._placeholders = [f"%s{each}" for each in types]
        self._texts: dict[int, str] = {}

    def sql(self, count: int) -> str:
        """Return the text for so many rows."""
        if count not in self._texts:
            self._texts[count] = self._mysql(count) if self._vendor == "mysql" else self._standard(count)
        return self._texts[count]

    def ordered(self, values: list[Any], conditions: list[Any], constants: list[Any]) -> list[Any]:
        """Return the parameters in the order in which the text has their places."""
        is_mysql = self._vendor == "mysql"
        return [*values, *conditions, *constants] if is_mysql else [*constants, *values, *conditions]

    def _standard(self, count: int) -> str:
        row = f"({', '.join(self._placeholders)})"
        values = f"(VALUES {', '.join([row] * count)})"
        if self._vendor == "sqlite":
            # SQLite cannot name the columns of VALUES; it calls them column1, column2, …
            renamed = ", ".join(f"column{i} AS {name}" for i, name in enumerate(self._shape.columns, 1))
            source = f"(SELECT {renamed} FROM {values}) AS v"  # noqa: S608 - names of our own columns
        else:
            source = f"{values} AS v ({', '.join(self._shape.columns)})"
        return f"UPDATE {self._table} SET {self._assignments('')} FROM {source} WHERE {self._conditions()}"  # noqa: S608 - names of our own columns

    def _mysql(self, count: int) -> str:
        named = ", ".join(
            f"{place} AS {name}" for place, name in zip(self._placeholders, self._shape.columns, strict=True)
        )
        source = " UNION ALL ".join([f"SELECT {named}"] * count)
        assignments = self._assignments(f"{self._table}.")
        matching = " AND ".join(f"{self._table}.{name} = v.{name}" for name in self._shape.match)
        joined = " AND ".join([matching, *(f"{self._table}.{name} = %s" for name in self._shape.where)])
        return f"UPDATE {self._table} JOIN ({source}) AS v ON {joined} SET {assignments}"  # noqa: S608 - as above

    def _assignments(self, prefix: str) -> str:
        from_values = [f"{prefix}{name} = v.{name}" for name in self._shape.columns if name not in self._shape.match]
        same = [f"{prefix}{name} = {sql}" for name, sql in self._shape.also]
        # PostgreSQL and SQLite bind in the order of the text: constants first.
        return ", ".join([*from_values, *same] if prefix else [*same, *from_values])

    def _conditions(self) -> str:
        matching = [f"{self._table}.{name} = v.{name}" for name in self._shape.match]
        return " AND ".join([*matching, *(f"{self._table}.{name} = %s" for name in self._shape.where)])


# The same few for every claim and for every ending.
_statement = lru_cache(maxsize=64)(_Statement)


@lru_cache(maxsize=32)
def _compiled(expression: Any, model: type[Model], alias: str) -> tuple[str, Sequence[Any]]:
    query = model._base_manager.using(alias).all().query  # noqa: SLF001 - as above
    sql, params = query.get_compiler(alias).compile(expression.resolve_expression(query))
    return str(sql), tuple(params)
