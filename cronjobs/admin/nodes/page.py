"""Everything there is to know about one node, made ready for its template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _

from cronjobs.admin import rendering
from cronjobs.admin.badges import Tone
from cronjobs.admin.nodes import cells
from cronjobs.admin.pictures import sparkline
from cronjobs.admin.processes import identity, up_for
from cronjobs.models import JobExecution
from cronjobs.models.choices import NodeStatus

# Two hours of minutes are drawn as so many bars at most: a picture wider than a phone is none.
_MOST_BARS = 60


def node_page(node: Any, executions: Sequence[JobExecution]) -> dict[str, Any]:
    """Return the template's variables that are nodes' own; the node has its `state` and the database's `now`."""
    figures = (
        (_("Load"), cells.load(node, len(executions))),
        (_("CPU"), cells.cpu(node)),
        (_("Memory"), rendering.memory(node.rss_bytes)),
        (_("Up for"), up_for(node)),
    )
    return {
        "banners": list(_banners(node)),
        "figures": figures,
        "facts": [*identity(node), (_("Workers"), str(node.workers))],
        "signs": list(_signs(node)),
        **memory_section(node.memory_points()),
    }


def _banners(node: Any) -> Iterator[str]:
    if node.state == NodeStatus.DRAINING:
        text = _(
            "It claims nothing more and decides no due times; it ends when what it runs has ended. Asked %(request)s."
        )
        yield text % {"request": cells.drain_request(node)}
    elif node.state == NodeStatus.SILENT:
        yield _(
            "It fell silent without saying that it stops. What it ran is given up by other nodes when its leases have run out."
        )
    if not cells.is_there(node):
        return
    if node.stuck_threads:
        text = _(
            "Threads that give no sign of life: %(threads)s. The log of the node says where they hang; "
            "if they do not go on, restart it."
        )
        yield text % {"threads": ", ".join(node.stuck_threads)}
    if node.broker_away_since is not None:
        text = _(
            "Nothing could be handed to the broker for %(duration)s. %(because)s "
            "What is Celery's to perform waits, and loses nothing; other nodes hand it over if they can."
        )
        yield text % {"duration": cells.broker_away_for(node), "because": node.broker_away_because}


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


def _signs(node: Any) -> Iterator[tuple[str, str]]:
    yield _("Started"), rendering.moment(node.started_at)
    yield _("Last heartbeat"), cells.heartbeat(node)
    yield _("Last tick"), cells.tick(node)
    yield _("Its clock"), cells.skew(node)
    if node.drain_requested_at is not None:
        yield _("Asked to drain"), rendering.lines(rendering.moment(node.drain_requested_at), node.drain_requested_by)
    if node.stopped_at is not None:
        yield _("Stopped"), rendering.moment(node.stopped_at)
