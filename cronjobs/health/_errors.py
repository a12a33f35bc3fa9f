"""What a database error means, as one sentence without a password."""

from __future__ import annotations

from typing import Any

from django.db import connections

from cronjobs.database import engine_alias
from cronjobs.models import JobExecution

NOT_MIGRATED = "The tables of cronjobs are missing, or are those of another version: run manage.py migrate."

_MISSING_SQLSTATES = frozenset({"42P01", "42703"})
_MISSING_MYSQL = frozenset({1146, 1054})
_MISSING_SQLITE = ("no such table", "no such column", "has no column named")
_NAMES = {"postgresql": "PostgreSQL", "mysql": "MySQL or MariaDB", "sqlite": "SQLite"}


def explain_database_error(error: Exception) -> str:
    """Return one sentence that says what is wrong and with which database, but never a password."""
    if _is_not_migrated(error):
        return NOT_MIGRATED
    connection = connections[engine_alias(JobExecution)]
    settings, vendor = connection.settings_dict, _NAMES.get(connection.vendor, connection.vendor)
    reason = _without(str(settings.get("PASSWORD") or ""), _reason(error))
    return f"{vendor} at {describe_address(settings)} cannot be used: {reason}"


def describe_address(settings: dict[str, Any]) -> str:
    """Return host, port and name of the database that an entry of DATABASES describes."""
    host, port, name = (str(settings.get(key) or "") for key in ("HOST", "PORT", "NAME"))
    where = f"{host}:{port}" if host and port else host
    return f"{where}/{name}" if where else name


def _is_not_migrated(error: Exception) -> bool:
    if getattr(error.__cause__, "sqlstate", None) in _MISSING_SQLSTATES:
        return True
    code = error.args[0] if error.args else None
    return code in _MISSING_MYSQL or any(text in str(error) for text in _MISSING_SQLITE)


def _reason(error: Exception) -> str:
    # MySQL's drivers raise (number, text); what other drivers add below the first line is advice.
    text = str(error.args[1]) if len(error.args) == 2 and isinstance(error.args[0], int) else str(error)
    return (text.strip().splitlines() or [type(error).__name__])[0].strip()


def _without(secret: str, text: str) -> str:
    return text.replace(secret, "***") if secret else text
