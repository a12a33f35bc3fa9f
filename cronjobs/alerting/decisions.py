"""What changes, given what was found: which alerts begin and which are over. Values in, values out."""

from __future__ import annotations

from cronjobs.alerting.changes import Change
from cronjobs.alerting.evidence import Evidence
from cronjobs.alerting.judging import failing, happened
from cronjobs.alerting.sights import (
    late,
    overrunning,
    silent_processes,
    stuck_queues,
    unreachable_mongodb,
    without_success,
)
from cronjobs.alerts import AlertKind
from cronjobs.models.alerts import NoticeOf


def decide(found: Evidence) -> list[Change]:
    """Return everything that changes."""
    changes = [
        *failing(found),
        *happened(found, AlertKind.LOST, NoticeOf.LOST),
        *happened(found, AlertKind.MISSED, NoticeOf.MISSED),
        *overrunning(found),
        *late(found),
        *without_success(found),
        *silent_processes(found),
        *stuck_queues(found),
        *unreachable_mongodb(found),
    ]
    return [each for each in changes if each.after != each.before]
