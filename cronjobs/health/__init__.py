"""Probes, which say whether every part of the installation is as it should be, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable

from cronjobs.health._engine import (
    PAUSED,
    check_configuration,
    check_definitions,
    check_jobs,
    check_nodes,
    check_queue,
    check_ticks,
)
from cronjobs.health._errors import NOT_MIGRATED, explain_database_error
from cronjobs.health._machine import check_memory, check_zones
from cronjobs.health._mongodb import check_mongodb, mongodb_configured
from cronjobs.health._probes import Probe, Status
from cronjobs.health._sql import check_clock, check_migrations, check_sql

__all__ = [
    "NOT_MIGRATED",
    "PAUSED",
    "Probe",
    "Status",
    "check_all",
    "check_clock",
    "check_configuration",
    "check_definitions",
    "check_jobs",
    "check_memory",
    "check_migrations",
    "check_mongodb",
    "check_nodes",
    "check_queue",
    "check_sql",
    "check_ticks",
    "check_zones",
    "explain_database_error",
    "mongodb_configured",
]

_WITH_SQL: tuple[Callable[[], Probe], ...] = (
    check_migrations,
    check_clock,
    check_nodes,
    check_ticks,
    check_queue,
    check_jobs,
    check_zones,
    check_configuration,
)
_WITHOUT_SQL: tuple[Callable[[], Probe], ...] = (check_definitions, check_mongodb, check_memory)


def check_all() -> list[Probe]:
    """Run every probe; those that need the SQL database are left out if it cannot be used."""
    sql = check_sql()
    # One sentence about a database that is away is enough.
    return [sql, *(check() for check in (*(_WITH_SQL if sql.is_healthy else ()), *_WITHOUT_SQL))]
