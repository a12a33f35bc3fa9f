"""Rows of other schedulers' tables, whether their packages are installed or not.

The models here describe the columns that are read, belong to no app, and are never migrated: so Django turns
what each database stores into times and booleans, and columns that an older release lacks are left out. A column
with pickles is not described, and so cannot be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.apps.registry import Apps
from django.db import connections, models

from cronjobs.exceptions import CronJobsError

_LABEL: Final = "cronjobs_importing"
_apps = Apps()

Rows = list[dict[str, Any]]


class TableMissing(CronJobsError, LookupError):
    """The database has no table of that name."""

    def __init__(self, table: str, alias: str) -> None:
        self.table, self.alias = table, alias
        super().__init__(f"Database {alias!r} has no table {table}. Say --database if it is in another one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CeleryBeatTables:
    """The rows of django-celery-beat: tasks in the order of their names, schedules by their ids."""

    tasks: Rows
    crontabs: dict[int, dict[str, Any]]
    intervals: dict[int, dict[str, Any]]
    clocked: dict[int, dict[str, Any]]


def celery_beat_tables(alias: str) -> CeleryBeatTables:
    """Return what django-celery-beat has stored in that database; raise `TableMissing`."""
    return CeleryBeatTables(
        tasks=sorted(_rows(_TASKS, alias), key=lambda each: str(each["name"])),
        crontabs=_by_id(_CRONTABS, alias),
        intervals=_by_id(_INTERVALS, alias),
        clocked=_by_id(_CLOCKED, alias),
    )


def stored_job_rows(alias: str) -> Rows:
    """Return the id and the next time of each job that django-apscheduler has stored there; raise `TableMissing`.

    What each of them runs, and on which schedule, only its pickle knows.
    """
    return _rows(_STORED_JOBS, alias)


def _by_id(model: type[models.Model], alias: str) -> dict[int, dict[str, Any]]:
    return {each["id"]: each for each in _rows(model, alias)}


def _rows(model: type[models.Model], alias: str) -> Rows:
    connection, options = connections[alias], model._meta  # noqa: SLF001 - Django's documented API
    with connection.cursor() as cursor:
        if options.db_table not in connection.introspection.table_names(cursor):
            raise TableMissing(options.db_table, alias)
        there = {each.name for each in connection.introspection.get_table_description(cursor, options.db_table)}
    columns = [each.attname for each in options.fields if each.column in there]
    rows: Any = model._default_manager.using(alias).order_by("pk").values(*columns)  # noqa: SLF001 - as above
    return list(rows)


def _model(table: str, **columns: models.Field[Any, Any]) -> type[models.Model]:
    meta = type("Meta", (), {"apps": _apps, "app_label": _LABEL, "managed": False, "db_table": table})
    name = table.replace("_", " ").title().replace(" ", "")
    return type(name, (models.Model,), {"__module__": __name__, "Meta": meta, **columns})


def _id() -> models.Field[Any, Any]:
    return models.BigIntegerField(primary_key=True)


_TASKS = _model(
    "django_celery_beat_periodictask",
    id=_id(),
    name=models.TextField(),
    task=models.TextField(),
    interval_id=models.BigIntegerField(null=True),
    crontab_id=models.BigIntegerField(null=True),
    solar_id=models.BigIntegerField(null=True),
    clocked_id=models.BigIntegerField(null=True),
    args=models.TextField(),
    kwargs=models.TextField(),
    queue=models.TextField(null=True),
    exchange=models.TextField(null=True),
    routing_key=models.TextField(null=True),
    headers=models.TextField(null=True),
    priority=models.BigIntegerField(null=True),
    expires=models.DateTimeField(null=True),
    expire_seconds=models.BigIntegerField(null=True),
    one_off=models.BooleanField(),
    start_time=models.DateTimeField(null=True),
    enabled=models.BooleanField(),
    description=models.TextField(),
)
_CRONTABS = _model(
    "django_celery_beat_crontabschedule",
    id=_id(),
    minute=models.TextField(),
    hour=models.TextField(),
    day_of_month=models.TextField(),
    month_of_year=models.TextField(),
    day_of_week=models.TextField(),
    timezone=models.TextField(),
)
_INTERVALS = _model(
    "django_celery_beat_intervalschedule", id=_id(), every=models.BigIntegerField(), period=models.TextField()
)
_CLOCKED = _model("django_celery_beat_clockedschedule", id=_id(), clocked_time=models.DateTimeField())
_STORED_JOBS = _model(
    "django_apscheduler_djangojob",
    id=models.TextField(primary_key=True),
    next_run_time=models.DateTimeField(null=True),
)
