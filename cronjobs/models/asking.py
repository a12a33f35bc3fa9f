"""Questions that are asked again and again: put together once, and whether a row has changed since."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import connections
from django.db.models import Func, QuerySet, TextField, Value

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    name: str


def given(name: str) -> Value:
    """Return what stands in a query for a number or a text that is not known before it is asked."""
    return Value(_Place(name))


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    sql: str
    params: Row
    # From rows as the driver hands them out to rows of what the fields make of that.
    convert: Callable[[list[Row]], Iterable[Row]]

    def ask(self, alias: str, values: dict[str, int | str]) -> list[Row]:
        params = [values[each.name] if type(each) is _Place else each for each in self.params]
        with connections[alias].cursor() as cursor:
            cursor.execute(self.sql, params)
            return list(cursor.fetchall())


@lru_cache(maxsize=32)
def _put_together(make: Callable[[str], QuerySet[Any]], alias: str) -> _Question:
    compiler = make(alias).query.get_compiler(alias)
    sql, params = compiler.as_sql()
    converters = compiler.get_converters([column for column, _, _ in compiler.select])
    return _Question(str(sql), tuple(params), lambda rows: compiler.apply_converters(rows, converters))


def ask(make: Callable[[str], QuerySet[Any]], alias: str, **values: int | str) -> list[Row]:
    """Return the rows of the query that `make` returns for a database, as the driver hands them out.

    It must always be the same query, but for the `values` of what is `given` in it: it is put
    together once, which else takes as long as asking it does, and often much longer.
    """
    return _put_together(make, alias).ask(alias, values)


def ask_converted(make: Callable[[str], QuerySet[Any]], alias: str, **values: int | str) -> list[Row]:
    """Return the rows as `ask` does, with each column as its field has it in Python."""
    question = _put_together(make, alias)
    return [tuple(row) for row in question.convert(question.ask(alias, values))]


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
