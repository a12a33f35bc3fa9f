"""Probes, which say whether every part of the installation is as it should be, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cronjobs.health._celery import broker_sentence, check_broker, check_celery
from cronjobs.health._delays import LATE, check_lag
from cronjobs.health._engine import (
    LONG_WAIT,
    PAUSED,
    check_configuration,
    check_definitions,
    check_jobs,
    check_nodes,
    check_notifiers,
    check_queue,
    check_ticks,
    longest_silence,
)
from cronjobs.health._errors import NOT_MIGRATED, explain_database_error
from cronjobs.health._machine import check_memory, check_zones
from cronjobs.health._mongodb import check_mongodb, mongodb_configured
from cronjobs.health._probes import Probe, Status
from cronjobs.health._sql import check_clock, check_migrations, check_reading, check_sql
from cronjobs.health._threads import check_node, check_threads, stuck_sentence

__all__ = [
    "LATE",
    "LONG_WAIT",
    "NOT_MIGRATED",
    "PAUSED",
    "Probe",
    "Status",
    "broker_sentence",
    "check_all",
    "check_broker",
    "check_celery",
    "check_clock",
    "check_configuration",
    "check_definitions",
    "check_jobs",
    "check_lag",
    "check_memory",
    "check_migrations",
    "check_mongodb",
    "check_node",
    "check_nodes",
    "check_notifiers",
    "check_queue",
    "check_reading",
    "check_scheduling",
    "check_sql",
    "check_threads",
    "check_ticks",
    "check_zones",
    "explain_database_error",
    "is_scheduling",
    "longest_silence",
    "mongodb_configured",
    "report",
    "stuck_sentence",
    "why_not_scheduling",
    "why_unhealthy",
]

_WITH_SQL: tuple[Callable[[], Probe], ...] = (
    check_migrations,
    check_clock,
    check_nodes,
    check_ticks,
    check_threads,
    check_lag,
    check_celery,
    check_queue,
    check_jobs,
    check_zones,
    check_configuration,
)
_WITHOUT_SQL: tuple[Callable[[], Probe], ...] = (check_definitions, check_mongodb, check_memory)


# What it takes for jobs to fire, and what must not be wrong beside that.
_SCHEDULING = ("nodes", "ticks")
_HINDRANCES = ("threads", "lag")


def check_all(*, may_write: bool = True) -> list[Probe]:
    """Run every probe; those that need the SQL database are left out if it cannot be used.

    Whether it can be written to is tried only if that `may_write`.
    """
    sql = check_sql() if may_write else check_reading()
    # One sentence about a database that is away is enough.
    return [sql, *(check() for check in (*(_WITH_SQL if sql.is_healthy else ()), *_WITHOUT_SQL))]


def check_scheduling() -> list[Probe]:
    """Run the probes that say whether jobs fire; a pause is a decision, and changes nothing about them."""
    return [check_nodes(), check_ticks(), check_threads(), check_lag()]


def is_scheduling(probes: Sequence[Probe]) -> bool:
    """Return whether `probes`, which may hold others as well, say that jobs fire, and that no node is stuck."""
    found = {each.name: each for each in probes}
    is_hindered = any(name in found and not found[name].is_healthy for name in _HINDRANCES)
    return not is_hindered and all(name in found and found[name].status == Status.OK for name in _SCHEDULING)


def why_not_scheduling(probes: Sequence[Probe]) -> str:
    """Return the first reason why `is_scheduling` says no of `probes`."""
    concerned = [each for each in probes if each.name in _SCHEDULING + _HINDRANCES]
    reasons = [each.message for each in concerned if not each.is_healthy]
    return next(iter(reasons), "") or next(each.message for each in concerned if each.status != Status.OK)


def why_unhealthy(probes: Sequence[Probe]) -> str:
    """Return what is unhealthy, and the first reason; empty if nothing is."""
    unhealthy = [each for each in probes if not each.is_healthy]
    return f"Unhealthy: {', '.join(each.name for each in unhealthy)}. {unhealthy[0].message}" if unhealthy else ""


def report(probes: Sequence[Probe]) -> dict[str, Any]:
    """Return what probes found as JSON data: the names of what is not as it should be, and everything by name."""
    return {
        "unhealthy": [each.name for each in probes if not each.is_healthy],
        "warnings": [each.name for each in probes if each.status == Status.WARNING],
        "checks": {each.name: each.as_json() for each in probes},
    }
