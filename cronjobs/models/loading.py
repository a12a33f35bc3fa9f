"""Rows that hold what Python cannot: SQL let it in, and a driver or a field fails on the whole result."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import InterfaceError, OperationalError
from django.db.models import Model, QuerySet

if TYPE_CHECKING:
    from cronjobs.models.job import Job

M = TypeVar("M", bound=Model)
K = TypeVar("K")

logger = logging.getLogger(__name__)


def load_each(rows: QuerySet[M], *, singly: QuerySet[M] | None = None) -> tuple[list[M], dict[int, Exception]]:
    """Return the rows that can be read and, by primary key, why the others cannot.

    Only if they cannot be read together are they read apart, with the annotations of `singly`
    if they are needed: half of them, and half of those, until what is to blame is by itself.
    """
    try:
        return list(rows), {}
    except Exception as error:
        if not is_the_rows_fault(error):
            raise
        logger.warning("Some rows of %s cannot be read together.", rows.model._meta.label)  # noqa: SLF001 - Django's documented API
    one = rows.model._base_manager.using(rows.db) if singly is None else singly  # noqa: SLF001 - as above
    ids = list(rows.prefetch_related(None).values_list("pk", flat=True))
    good, bad = _read_apart(one.in_bulk, ids)
    return [good[pk] for pk in ids if pk in good], bad


def load_jobs(rows: QuerySet[Job]) -> list[Job]:
    """Return jobs, for showing them: one whose row cannot be read comes without what is to blame, and is broken."""
    good, bad = load_each(rows)
    if not bad:
        return good
    found: dict[int, Job | None] = {job.pk: job for job in good}
    found |= {pk: _without_what_is_unreadable(rows.model._base_manager.using(rows.db).filter(pk=pk)) for pk in bad}  # noqa: SLF001 - as above
    ids = rows.prefetch_related(None).values_list("pk", flat=True)
    return [job for pk in ids if (job := found.get(pk)) is not None]


def load_job(rows: QuerySet[Job]) -> Job | None:
    """Return the first of the jobs as `load_jobs` does; None if there is none."""
    return next(iter(load_jobs(rows[:1])), None)


def _without_what_is_unreadable(row: QuerySet[Job]) -> Job | None:
    names = [each.attname for each in row.model._meta.concrete_fields]  # noqa: SLF001 - as above
    try:
        values, unreadable = _read_apart(lambda some: row.values(*some).get(), names)
    except ObjectDoesNotExist:
        return None
    job = row.model.from_db(row.db, names, [values.get(name) for name in names])
    job.unreadable = tuple(name for name in names if name in unreadable)
    return job


def _read_apart(
    read: Callable[[Sequence[K]], Mapping[K, Any]], keys: Iterable[K]
) -> tuple[dict[K, Any], dict[K, Exception]]:
    """Return what `read` returns for `keys` and, by key, why it fails for the others."""
    good: dict[K, Any] = {}
    bad: dict[K, Exception] = {}
    parts = [list(keys)]
    while parts:
        part = parts.pop()
        try:
            good |= read(part)
        except ObjectDoesNotExist:
            raise
        except Exception as error:
            if not is_the_rows_fault(error):
                raise
            half = len(part) // 2
            parts += [part[:half], part[half:]] if half else []
            bad |= {} if half else {part[0]: error}
    return good, bad


def is_the_rows_fault(error: Exception) -> bool:
    """Return whether rows cannot be read because of what they hold, rather than because the database is away."""
    # Of SQLite, bytes in a text column that are no text.
    is_no_text = "decode to UTF-8" in str(error)
    return is_no_text or not isinstance(error, OperationalError | InterfaceError)
