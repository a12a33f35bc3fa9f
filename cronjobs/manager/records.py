"""What an execution leaves behind, as JSON data: attempts that did not succeed, and lines of its log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cronjobs.models import ExecutionAttempt, ExecutionLog
from cronjobs.models.log_lines import level_name
from cronjobs.storable import rfc3339


def attempt_document(row: ExecutionAttempt) -> dict[str, Any]:
    """Return an attempt that did not succeed as JSON data."""
    return {
        "attempt": row.attempt,
        "status": row.status,
        "node": row.node or None,
        "startedAt": _time(row.started_at),
        "finishedAt": _time(row.finished_at),
        "durationMs": row.duration_ms,
        "errorType": row.error_type or None,
        "error": row.error_message or None,
        "traceback": row.traceback or None,
        "peakRssBytes": row.peak_rss_bytes,
        "cpuMs": row.cpu_ms,
    }


def line_document(line: ExecutionLog) -> dict[str, Any]:
    """Return a line of a log as JSON data, with its level by name."""
    return {
        "attempt": line.attempt,
        "number": line.number,
        "level": level_name(line),
        "message": line.message,
        "data": line.data,
        "loggedAt": rfc3339(line.logged_at),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
