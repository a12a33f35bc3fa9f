"""The rows of django-celery-beat, as entries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cronjobs.exceptions import InvalidSchedule
from cronjobs.importing.celery_cron import NotCron, cron_of
from cronjobs.importing.commands import without_names
from cronjobs.importing.entries import Entry, Reading
from cronjobs.importing.tables import CeleryBeatTables
from cronjobs.schedules import At, Every, parse_schedule, parse_time_zone

Row = Mapping[str, Any]

_PERIODS = {
    "days": timedelta(days=1),
    "hours": timedelta(hours=1),
    "minutes": timedelta(minutes=1),
    "seconds": timedelta(seconds=1),
    "microseconds": timedelta(microseconds=1),
}
_CRON_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
# Celery's own, for its result backend.
_HOUSEKEEPING = "celery.backend_cleanup"
_SOLAR = "It follows the sun, which no schedule here does."
_ONE_OFF = "It runs once, at the next due time, and then no more: runjob --at does that."
_NOT_SECONDS = "It is due every {every} {period}, and an interval here is a whole number of seconds, 1 at least."


class _Cannot(ValueError):
    """Why no job can do what a row says."""


def read_celery_beat(tables: CeleryBeatTables, *, now: datetime) -> Reading:
    """Return an entry for each periodic task; what is over `now` becomes no job."""
    return Reading(tuple(_entry(row, tables, now) for row in tables.tasks))


def _entry(row: Row, tables: CeleryBeatTables, now: datetime) -> Entry:
    task, columns, problem = str(row["task"]), dict[str, Any](), ""
    try:
        columns = {**_schedule(row, tables, now), **_others(row, now)}
    except _Cannot as error:
        problem = str(error)
    return Entry(
        place=f"row {row['id']}",
        name=str(row["name"]),
        runs=task.rpartition(".")[2],
        handles=(task,),
        columns=columns,
        notes=tuple(_notes(row)),
        problem=problem,
        only_by_rule=_without_names(row),
    )


def _schedule(row: Row, tables: CeleryBeatTables, now: datetime) -> dict[str, Any]:
    """Return the columns that say when it is due."""
    if row["task"] == _HOUSEKEEPING:
        raise _Cannot("It clears Celery's result backend, which is no business of a job.")
    if row.get("solar_id") is not None:
        raise _Cannot(_SOLAR)
    if (clocked := tables.clocked.get(row.get("clocked_id") or 0)) is not None:
        return {"schedule": _once(clocked["clocked_time"], now)}
    if row.get("one_off"):
        raise _Cannot(_ONE_OFF)
    if (crontab := tables.crontabs.get(row.get("crontab_id") or 0)) is not None:
        return _cron(crontab)
    if (interval := tables.intervals.get(row.get("interval_id") or 0)) is not None:
        return {"schedule": _interval(interval)}
    raise _Cannot("It has no schedule.")


def _cron(crontab: Row) -> dict[str, Any]:
    # Releases before 1.5 had no zone: Celery's own counted, which is UTC unless it is told otherwise.
    zone = str(crontab.get("timezone") or "UTC")
    try:
        schedule = cron_of(**{each: str(crontab[each]) for each in _CRON_FIELDS})
        parse_schedule(schedule)
        parse_time_zone(zone)
    except (NotCron, InvalidSchedule) as error:
        raise _Cannot(str(error)) from error
    return {"schedule": schedule, "time_zone": zone}


def _interval(interval: Row) -> str:
    unit = _PERIODS.get(interval["period"])
    try:
        return str(Every(int(interval["every"]) * (unit or timedelta(0))))
    except (InvalidSchedule, OverflowError) as error:
        raise _Cannot(_NOT_SECONDS.format(every=interval["every"], period=interval["period"])) from error


def _once(at: datetime, now: datetime) -> str:
    if at <= now:
        raise _Cannot(f"It was to run once, at {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, which has passed.")
    # To the second, and not before the time that was asked for.
    whole = at.replace(microsecond=0)
    return str(At(whole if whole == at else whole + timedelta(seconds=1)))


def _others(row: Row, now: datetime) -> dict[str, Any]:
    """Return the columns that do not say when it is due."""
    ends_at = row.get("expires")
    if ends_at is not None and ends_at <= now:
        raise _Cannot(f"It expired at {ends_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC.")
    columns = {
        "params": _kwargs(row),
        "enabled": bool(row["enabled"]),
        "starts_at": row.get("start_time") or None,
        "ends_at": ends_at,
        "queue": row.get("queue") or None,
        "description": row.get("description") or None,
    }
    return {name: value for name, value in columns.items() if value is not None}


def _kwargs(row: Row) -> dict[str, Any]:
    found = _parsed(row, "kwargs", {})
    if not isinstance(found, dict):
        raise _Cannot("Its keyword arguments are no JSON object.")
    return found


def _without_names(row: Row) -> str:
    try:
        found = _parsed(row, "args", [])
    except _Cannot as error:
        return str(error)
    return without_names(len(found) if isinstance(found, list) else 1) if found else ""


def _parsed(row: Row, column: str, empty: Any) -> Any:
    try:
        return json.loads(row[column] or "null") or empty
    except (ValueError, RecursionError) as error:
        raise _Cannot(f"Its {column} are no JSON.") from error


def _notes(row: Row) -> Iterator[str]:
    if row.get("priority") is not None:
        yield f"Its priority, {row['priority']}, is left out: which is the highest depends on the broker."
    if row.get("expire_seconds") is not None:
        yield f"That a message expires after {row['expire_seconds']} s is left out: misfire_grace says what is too late."
    routes = [each for each in ("exchange", "routing_key") if row.get(each)]
    if (row.get("headers") or "{}") not in ("{}", "null"):
        routes.append("headers")
    if routes:
        yield f"Left out, since no message is sent: {', '.join(routes)}."
