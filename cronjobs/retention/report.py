"""What a purge came to, as people read it and as programs do."""

from __future__ import annotations

from typing import Any

from cronjobs.retention.policy import Policy
from cronjobs.retention.purged import Purged
from cronjobs.storable import rfc3339

_NAMES = {
    "executions": ("execution", "executions"),
    "attempts": ("attempt", "attempts"),
    "log_lines": ("line of a log", "lines of logs"),
    "audit_entries": ("audit entry", "audit entries"),
    "suspects": ("suspect", "suspects"),
    "alerts": ("alert", "alerts"),
    "rollups": ("roll-up", "roll-ups"),
}


def sentence(purged: Purged, *, verb: str = "Deleted") -> str:
    """Return how many rows of each kind went, or would: "Deleted 3 executions, 1 line of a log."."""
    counts = [(getattr(purged, name), names) for name, names in _NAMES.items()]
    parts = [f"{number:,} {names[number != 1]}" for number, names in counts if number]
    return f"{verb} {', '.join(parts) or 'nothing'}."


def count_document(purged: Purged) -> dict[str, int]:
    """Return the same as JSON data."""
    return {
        "deletedCount": purged.executions,
        "attemptCount": purged.attempts,
        "logLineCount": purged.log_lines,
        "auditEntryCount": purged.audit_entries,
        "suspectCount": purged.suspects,
        "alertCount": purged.alerts,
        "rollupCount": purged.rollups,
    }


def time_document(policy: Policy) -> dict[str, Any]:
    """Return before which times things must have ended to go, as JSON data."""
    return {
        "endedBefore": rfc3339(policy.others_before),
        "failedBefore": rfc3339(policy.failures_before),
        "keptPerJob": policy.per_job,
        "waitsForRollupsSince": None if policy.held_back is None else rfc3339(policy.held_back),
    }
