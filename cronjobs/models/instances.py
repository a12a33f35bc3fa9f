"""Instances of models made of a plain row: what Django does for a query, for one that was put together once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from django.db.models import Model


@lru_cache(maxsize=32)
def columns_of(model: type[Model]) -> tuple[str, ...]:
    """Return the names of the model's columns, in the order in which `next_instance` takes them."""
    return tuple(field.attname for field in model._meta.concrete_fields)  # noqa: SLF001 - Django's documented API


def next_instance(model: type[Model], alias: str, row: Iterator[Any]) -> Any:
    """Return the instance that the next columns of `row` make; None where there is none."""
    columns = columns_of(model)
    values = list(islice(row, len(columns)))
    return model.from_db(alias, columns, values) if _is_there(columns, values) else None


def _is_there(columns: Sequence[str], values: Sequence[Any]) -> bool:
    # Its key is read where it is pointed to, whether it is there or not.
    return any(value is not None for name, value in zip(columns, values, strict=True) if name != "id")
