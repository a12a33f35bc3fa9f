"""Which colour says what: the styles of Django's that statuses are shown in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cronjobs.states import ExecutionStatus

Paint = Callable[[str], str]

_STYLES: Final = {
    ExecutionStatus.SUCCEEDED: "SUCCESS",
    ExecutionStatus.FAILED: "ERROR",
    ExecutionStatus.TIMED_OUT: "ERROR",
    ExecutionStatus.LOST: "ERROR",
    ExecutionStatus.MISSED: "WARNING",
    ExecutionStatus.CANCELLED: "WARNING",
    ExecutionStatus.SKIPPED: "WARNING",
}


def status_paint(style: Any, status: str) -> Paint:
    """Return what writes text in the colour of a status, by the `style` of a command; what is still open has none."""
    paint: Paint = getattr(style, _STYLES.get(ExecutionStatus(status), ""), str)
    return paint
