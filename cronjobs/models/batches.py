"""Many rows in one statement: inserts that may be repeated, and updates of each row to its own values."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model, QuerySet
from django.db.models.expressions import Combinable

M = TypeVar("M", bound=Model)
R = TypeVar("R")

LARGEST_BATCH = 500
# SQLite's default limit of bound variables was 999 before 3.32, and MariaDB's of a statement is 16 MB; rows are sent
# in chunks below that. Values bound to one statement.
_MOST_VALUES = {"postgresql": 20_000}
_FEW_VALUES = 900
# A cast to varchar(9) would cut what is longer; the column refuses it.
_UNLIMITED = re.compile(r"\([0-9]+\)$")


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


class _ManyRows:
    """A statement about any number of rows of a model, which it takes as a table of values.

    PostgreSQL takes an array for each column: a place for each value would have to be looked for in a text that is
    as long as they are many, which takes longer than all the rest. The others take row by row.
    """

    def __init__(self, connection: BaseDatabaseWrapper, model: type[Model], columns: Sequence[str], *more: str) -> None:
        get_field = model._meta.get_field  # noqa: SLF001 - Django's documented API
        self._fields: dict[str, Field[Any, Any]] = {name: get_field(name) for name in (*columns, *more)}  # type: ignore[misc]  # fields all of them
        self._columns = tuple(columns)
        self._takes_arrays = connection.vendor == "postgresql"
        self.most_rows = max(1, _MOST_VALUES.get(connection.vendor, _FEW_VALUES) // len(columns))
        # The table, which all rows together make if there are no arrays.
        self._row, self._between = f"({', '.join(['%s'] * len(columns))})", ", "
        self._arrays = ", ".join(f"%s::{_UNLIMITED.sub('', self._type_of(name, connection))}[]" for name in columns)

    def _type_of(self, name: str, connection: BaseDatabaseWrapper) -> str:
        return str(self._fields[name].rel_db_type(connection))

    def table(self, count: int) -> str:
        """Return the text of a table of so many rows: what follows FROM, or INSERT."""
        return f"unnest({self._arrays})" if self._takes_arrays else self._between.join([self._row] * count)

    def bound(self, rows: Sequence[Sequence[Any]], connection: BaseDatabaseWrapper) -> list[Any]:
        """Return the parameters of the table."""
        columns = [
            self._prepared(name, values, connection)
            for name, values in zip(self._columns, zip(*rows, strict=True), strict=True)
        ]
        if self._takes_arrays:
            # What is shorter than the others is filled up with NULL.
            return [values or None for values in columns]
        nothing = [None] * len(rows)
        return [value for row in zip(*(values or nothing for values in columns), strict=True) for value in row]

    def _prepared(self, name: str, values: Sequence[Any], connection: BaseDatabaseWrapper) -> list[Any]:
        """Return what a column holds; nothing, if that is NULL in every row."""
        if all(value is None for value in values):
            return []
        return [self.prepare(name, value, connection) for value in values]

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
    with connection.cursor() as cursor:
        for part in _parts(instances, insert.most_rows):
            insert.fill_in(part)
            cursor.execute(insert.sql(len(part)), insert.bound([insert.values_of(each) for each in part], connection))


def _parts(rows: Sequence[R], most: int) -> Iterator[Sequence[R]]:
    return (rows[start : start + most] for start in range(0, len(rows), most))


class _Insert(_ManyRows):
    """An INSERT of rows that may be there already."""

    def __init__(self, model: type[Model], alias: str, unique: Collection[str], unchanged: str) -> None:
        connection = connections[alias]
        quote = connection.ops.quote_name
        fields = [each for each in model._meta.concrete_fields if not (each.primary_key or each.generated)]  # noqa: SLF001 - as above
        columns = {each.attname: quote(each.column) for each in fields}  # type: ignore[arg-type]  # no relations to several
        super().__init__(connection, model, tuple(columns))
        self.values_of = attrgetter(*columns)
        self._filled_in = [
            each for each in fields if getattr(each, "auto_now", False) or getattr(each, "auto_now_add", False)
        ]
        self._head = f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(columns.values())})"  # noqa: SLF001 - as above
        same = columns[unchanged]
        if connection.vendor == "mysql":
            self._tail = f"ON DUPLICATE KEY UPDATE {same} = VALUES({same})"
        else:
            keys = ", ".join(columns[each] for each in unique)
            self._tail = f"ON CONFLICT ({keys}) DO UPDATE SET {same} = excluded.{same}"

    def sql(self, count: int) -> str:
        """Return the text for so many rows."""
        source = "SELECT * FROM" if self._takes_arrays else "VALUES"
        return f"{self._head} {source} {self.table(count)} {self._tail}"

    def fill_in(self, instances: Iterable[Model]) -> None:
        """Set what a model fills in itself when it is saved."""
        for each in instances:
            for field in self._filled_in:
                field.pre_save(each, add=True)


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
    statement = _update(_Shape(model, using, tuple(columns), tuple(match), tuple(where), assigned))
    constants = [
        statement.prepare(name, value, connection) if name in given else value
        for name, (_, params) in same.items()
        for value in params
    ]
    conditions = [statement.prepare(name, value, connection) for name, value in where.items()]
    updated = 0
    with connection.cursor() as cursor:
        for part in _parts(rows, statement.most_rows):
            values = statement.bound(part, connection)
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


class _Update(_ManyRows):
    """An UPDATE of each row to its own values."""

    def __init__(self, shape: _Shape) -> None:
        connection = connections[shape.alias]
        super().__init__(connection, shape.model, shape.columns, *shape.where, *(name for name, _ in shape.also))
        self._shape, self._is_mysql = shape, connection.vendor == "mysql"
        table = connection.ops.quote_name(shape.model._meta.db_table)  # noqa: SLF001 - as above
        match = " AND ".join(f"{table}.{name} = v.{name}" for name in shape.match)
        condition = " AND ".join([match, *(f"{table}.{name} = %s" for name in shape.where)])
        if self._is_mysql:
            named = ", ".join(f"%s AS {name}" for name in shape.columns)
            self._row, self._between = f"SELECT {named}", " UNION ALL "
            self._head, self._tail = (
                f"UPDATE {table} JOIN (",
                f") AS v ON {condition} SET {self._assigned(f'{table}.')}",
            )
            return
        self._head = f"UPDATE {table} SET {self._assigned('')} FROM "  # noqa: S608 - names of our own columns
        if connection.vendor == "sqlite":
            # SQLite cannot name the columns of VALUES; it calls them column1, column2, …
            renamed = ", ".join(f"column{i} AS {name}" for i, name in enumerate(shape.columns, 1))
            self._head += f"(SELECT {renamed} FROM (VALUES "  # noqa: S608 - names of our own columns
            self._tail = f")) AS v WHERE {condition}"
        else:
            self._tail = f" AS v ({', '.join(shape.columns)}) WHERE {condition}"

    def sql(self, count: int) -> str:
        """Return the text for so many rows."""
        return f"{self._head}{self.table(count)}{self._tail}"

    def ordered(self, values: list[Any], conditions: list[Any], constants: list[Any]) -> list[Any]:
        """Return the parameters in the order in which the text has their places."""
        return [*values, *conditions, *constants] if self._is_mysql else [*constants, *values, *conditions]

    def _assigned(self, prefix: str) -> str:
        from_values = [f"{prefix}{name} = v.{name}" for name in self._shape.columns if name not in self._shape.match]
        same = [f"{prefix}{name} = {sql}" for name, sql in self._shape.also]
        # PostgreSQL and SQLite bind in the order of the text: constants first.
        return ", ".join([*from_values, *same] if prefix else [*same, *from_values])


# The same few for every claim and for every ending.
_update = lru_cache(maxsize=64)(_Update)


@lru_cache(maxsize=32)
def _compiled(expression: Any, model: type[Model], alias: str) -> tuple[str, Sequence[Any]]:
    query = model._base_manager.using(alias).all().query  # noqa: SLF001 - as above
    sql, params = query.get_compiler(alias).compile(expression.resolve_expression(query))
    return str(sql), tuple(params)
