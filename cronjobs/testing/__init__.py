"""The test kit: runs jobs in a test of yours, and says what is scheduled, enqueued and told.

Nothing here is imported before it is asked for, since the plugin for pytest is loaded before there are settings.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cronjobs.testing._alerts import CapturedAlerts, capture_alerts
    from cronjobs.testing._contexts import make_context
    from cronjobs.testing._definitions import temporary_jobs
    from cronjobs.testing._enqueued import assert_enqueued, assert_not_enqueued, enqueued
    from cronjobs.testing._running import run_due, run_job, run_queued
    from cronjobs.testing._scheduled import assert_not_scheduled, assert_scheduled, next_runs

__all__ = [
    "CapturedAlerts",
    "assert_enqueued",
    "assert_not_enqueued",
    "assert_not_scheduled",
    "assert_scheduled",
    "capture_alerts",
    "enqueued",
    "make_context",
    "next_runs",
    "run_due",
    "run_job",
    "run_queued",
    "temporary_jobs",
]

_HOMES: Final = {
    "CapturedAlerts": "_alerts",
    "assert_enqueued": "_enqueued",
    "assert_not_enqueued": "_enqueued",
    "assert_not_scheduled": "_scheduled",
    "assert_scheduled": "_scheduled",
    "capture_alerts": "_alerts",
    "enqueued": "_enqueued",
    "make_context": "_contexts",
    "next_runs": "_scheduled",
    "run_due": "_running",
    "run_job": "_running",
    "run_queued": "_running",
    "temporary_jobs": "_definitions",
}

# Type checkers know the names from above, and are to complain about all others.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
