"""Everything there is to know about one node, made ready for its template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from cronjobs.admin import rendering
from cronjobs.admin.badges import Tone, node_badge, overrun_badge
from cronjobs.admin.nodes import cells
from cronjobs.admin.pictures import sparkline
from cronjobs.models import JobExecution
from cronjobs.models.choices import NodeStatus

# Two hours of minutes are drawn as so many bars at most: a picture wider than a phone is none.
_MOST_BARS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A row of the table of what the node runs."""

    execution: JobExecution
    overrun: SafeString
    started: str
    duration: str


def node_page(node: Any, executions: Sequence[JobExecution]) -> dict[str, Any]:
    """Return the template's variables; the node has its `state` and the database's `now`."""
    figures = (
        (_("Load"), cells.load(node, len(executions))),
        (_("CPU"), cells.cpu(node)),
        (_("Memory"), rendering.memory(node.rss_bytes)),
        (_("Up for"), rendering.duration(node.now - node.started_at) if cells.is_there(node) else rendering.NOTHING),
    )
    return {
        "title": node.name,
        "node": node,
        "badge": node_badge(node.state),
        "is_draining": node.state == NodeStatus.DRAINING,
        "is_silent": node.state == NodeStatus.SILENT,
        "stuck": ", ".join(node.stuck_threads) if cells.is_there(node) else "",
        "broker_away": cells.broker_banner(node),
        "may_change": node.state != NodeStatus.STOPPED,
        "drain_request": cells.drain_request(node) if node.state == NodeStatus.DRAINING else "",
        "figures": [(label, value) for label, value in figures if value != rendering.NOTHING],
        "facts": list(_facts(node)),
        "signs": list(_signs(node)),
        "work": work_rows(executions, node),
        **memory_section(node.memory_points()),
    }


def memory_section(points: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Return the picture of a node's memory and its words; both empty of less than two points."""
    if len(points) < 2:
        return {"memory_picture": "", "memory_words": ""}
    sizes = [size for _at, size in points]
    words = _("Over the last %(duration)s: from %(least)s to %(most)s, %(last)s at last.") % {
        "duration": rendering.duration(timedelta(seconds=points[-1][0] - points[0][0])),
        "least": rendering.memory(min(sizes)),
        "most": rendering.memory(max(sizes)),
        "last": rendering.memory(sizes[-1]),
    }
    bars = [(float(size), Tone.BUSY) for size in _at_most(sizes, _MOST_BARS)]
    return {"memory_picture": sparkline(bars, label=_("Memory. %s") % words), "memory_words": words}


def _at_most(sizes: Sequence[int], most: int) -> list[int]:
    """Return the sizes, or the largest of each few neighbours if they are more than `most`."""
    step = -(-len(sizes) // most)
    return [max(sizes[n : n + step]) for n in range(0, len(sizes), step)]


def _facts(node: Any) -> Iterator[tuple[str, str]]:
    yield _("Host"), node.hostname
    yield _("Process"), str(node.pid)
    yield _("Version"), node.version
    yield _("Workers"), str(node.workers)


def _signs(node: Any) -> Iterator[tuple[str, str]]:
    yield _("Started"), rendering.moment(node.started_at)
    yield _("Last heartbeat"), cells.heartbeat(node)
    yield _("Last tick"), cells.tick(node)
    yield _("Its clock"), cells.skew(node)
    if node.drain_requested_at is not None:
        yield _("Asked to drain"), rendering.lines(rendering.moment(node.drain_requested_at), node.drain_requested_by)
    if node.stopped_at is not None:
        yield _("Stopped"), rendering.moment(node.stopped_at)


def work_rows(executions: Sequence[JobExecution], process: Any) -> list[Work]:
    """Return the rows of the table of what a node, or a Celery worker, runs; it has the database's `now`."""
    return [_work(each, process) for each in executions]


def _work(execution: JobExecution, node: Any) -> Work:
    return Work(
        execution=execution,
        overrun=overrun_badge(execution, now=node.now),
        started=rendering.moment(execution.started_at),
        duration=rendering.running_time(execution, now=node.now),
    )
