"""This app's rows in django-apscheduler's table: which are ours, and how they are found."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import connections
from django_apscheduler.models import DjangoJob

from cronjobs.database import engine_alias
from cronjobs.models import JobExecution
from cronjobs.models.batches import update_from_values

# Rows of other users of django-apscheduler, whose ids begin otherwise, are never touched.
PREFIX = "cronjobs:"
_AFTER_PREFIX = "cronjobs;"
# A longer number is no primary key.
_MOST_DIGITS = 19
# PostgreSQL knows times that Python does not; what lies outside of these is none of ours.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def clock_id(job_id: int) -> str:
    """Return the primary key of a job's clock row."""
    return f"{PREFIX}{job_id}"


def job_id_of(clock_row_id: str) -> int | None:
    """Return the job whose clock row has that primary key; None for what is not one of ours."""
    number = clock_row_id.removeprefix(PREFIX)
    is_ours = number != clock_row_id and number.isascii() and number.isdigit() and len(number) < _MOST_DIGITS
    return int(number) if is_ours else None


def own_rows() -> Any:
    """Return the queryset of this app's clock rows."""
    alias = engine_alias(JobExecution)
    rows = DjangoJob.objects.using(alias)
    if connections[alias].vendor == "sqlite":
        # LIKE takes CRONJOBS: for the same there. Elsewhere it is exact, and what lies between two texts depends on the collation.
        return rows.filter(id__gt=PREFIX, id__lt=_AFTER_PREFIX)
    return rows.filter(id__startswith=PREFIX)


def set_next_run_times(alias: str, next_times: dict[str, datetime | None]) -> None:
    """Set each clock row's next run time, all of them in one statement."""
    update_from_values(
        DjangoJob,
        using=alias,
        columns=("id", "next_run_time"),
        rows=sorted(next_times.items()),
        match=("id",),
        where={},
        also={},
    )
