"""Questions that are asked again and again: put together once, and whether a row has changed since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func, QuerySet, TextField, Value
from django.db.models.lookups import In

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    name: str


def given(name: str) -> Value:
    """Return what stands in a query for a number, a text or a time that is not known before it is asked."""
    return Value(_Place(name))


@lru_cache(maxsize=512)
def _compiled(make: Callable[[str], QuerySet[Any]], alias: str) -> tuple[str, Row]:
    sql, params = make(alias).query.get_compiler(alias).as_sql()
    return str(sql), tuple(params)


@lru_cache(maxsize=512)
def _converter(make: Callable[[str], QuerySet[Any]], alias: str) -> Callable[[list[Row]], Iterable[list[Any]]]:
    # What converts holds on to its connection: to one of its own, which stays closed, and not to that of some thread.
    connection = connections.create_connection(alias)
    try:
        compiler = make(alias).query.get_compiler(connection=connection)
        compiler.setup_query()
        converters = compiler.get_converters([column for column, _, _ in compiler.select])
        return lambda rows: compiler.apply_converters(rows, converters)
    finally:
        connection.close()


def ask(make: Callable[[str], QuerySet[Any]], alias: str, **values: int | str | datetime) -> list[Row]:
    """Return the rows of the query that `make` returns for a database, as the driver hands them out.

    It must always be the same query, but for the `values` of what is `given` in it: it is put
    together once, which else takes as long as asking it does, and often much longer.
    """
    sql, params = _compiled(make, alias)
    connection = connections[alias]
    known = {name: _adapted(value, connection) for name, value in values.items()}
    with connection.cursor() as cursor:
        cursor.execute(sql, filled(params, **known))
        return list(cursor.fetchall())


def is_asked_about(column: str, places: int) -> In:
    """Return the condition that a column has one of so many primary keys, for `ask_about`."""
    return In(F(column), [given(f"key{n}") for n in range(places)])


def ask_about(
    make: Callable[[int], Callable[[str], QuerySet[Any]]],
    alias: str,
    keys: Collection[int],
    **values: int | str | datetime,
) -> list[Row]:
    """Return what `ask` does of a query about primary keys, at least one; `make` is told how many it has places for.

    They are as many as a power of two, so that few queries have to be put together; the last key fills what is left.
    What `make` returns must be the same object for the same number.
    """
    places = 1 << (len(keys) - 1).bit_length()
    padded = [*keys, *[max(keys)] * (places - len(keys))]
    return ask(make(places), alias, **values, **{f"key{n}": key for n, key in enumerate(padded)})


def filled(params: Row, **values: Any) -> Row:
    """Return the parameters of a compiled query with the `values`, as the driver takes them, of what is `given` in it."""
    return tuple(values[each.name] if type(each) is _Place else each for each in params)


def _adapted(value: int | str | datetime, connection: BaseDatabaseWrapper) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


def ask_converted(make: Callable[[str], QuerySet[Any]], alias: str, **values: int | str | datetime) -> list[Row]:
    """Return the rows as `ask` does, with each column as its field has it in Python."""
    return [tuple(row) for row in _converter(make, alias)(ask(make, alias, **values))]


class RowText(Func):
    """Columns as one text, by which to tell whether any of them has changed: nobody reads it.

    The database makes it of whatever they hold, also of what Python cannot hold. PostgreSQL has
    something shorter: which version of its row each is from.
    """

    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> Any:
        columns: list[Any] = self.source_expressions
        tables = dict.fromkeys(column.alias for column in columns)
        versions = (f"{name}.ctid, {name}.xmin" for name in map(compiler.quote_name_unless_alias, tables))
        return f"CONCAT_WS(' ', {', '.join(versions)})", []

    def as_mysql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        # NULL if it becomes longer than a packet.
        return self.as_sql(
            compiler, connection, template="CONCAT(QUOTE(%(expressions)s))", arg_joiner="), ',', QUOTE(", **extra
        )

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        # Each quoted, or NULL; a chain of QUOTE and || copies the text once for each column. A text column may
        # hold what is no text, hence the bytes.
        quoted = ",".join(["%%%%Q"] * len(self.source_expressions))
        template = f"CAST(PRINTF('{quoted}', %(expressions)s) AS BLOB)"
        return self.as_sql(compiler, connection, template=template, **extra)
