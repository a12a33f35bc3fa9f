"""Which job runs after which, and what came of it in one flow, as the admin shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models.functions import Right
from django.utils.safestring import SafeString

from cronjobs.admin import rendering
from cronjobs.admin.badges import status_badge
from cronjobs.admin.windows import WIDE
from cronjobs.models import JobExecution
from cronjobs.models.flows import build_tree

# More are no tree that a person reads.
MOST = 200
_TAIL = 300
_DEEPEST_INDENT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the tree."""

    execution: JobExecution
    indent: int
    is_current: bool
    badge: SafeString
    started: str
    duration: str
    reason: str


def flow_section(execution: JobExecution, *, now: datetime) -> dict[str, Any]:
    """Return the template's variables about an execution's flow; no rows if it is alone in it."""
    tails = {"error_tail": Right("error_message", _TAIL), "reason_tail": Right("reason", _TAIL)}
    found = JobExecution.objects.defer(*WIDE).annotate(**tails).of_flow(execution.root_id, limit=MOST + 1)
    if len(found) < 2:
        return {"flow_rows": [], "flow_is_cut": False}
    rows = [_row(depth, each, execution, now) for depth, each in build_tree(found[:MOST]).walk()]
    return {"flow_rows": rows, "flow_is_cut": len(found) > MOST}


def _row(depth: int, each: Any, current: JobExecution, now: datetime) -> Row:
    return Row(
        execution=each,
        indent=min(depth, _DEEPEST_INDENT),
        is_current=each.pk == current.pk,
        badge=status_badge(each.status),
        started=rendering.brief_moment(each.started_at, now=now),
        duration=rendering.running_time(each, now=now),
        reason=rendering.last_line(each.error_tail) or rendering.last_line(each.reason_tail),
    )
