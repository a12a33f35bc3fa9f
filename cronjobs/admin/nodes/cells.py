"""How a node's state, load, clock and work look, in a list and on its page; all of it escaped.

What is said of work and heartbeats holds for Celery workers as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cronjobs.admin import rendering
from cronjobs.admin.badges import node_badge
from cronjobs.health import longest_silence
from cronjobs.models import JobExecution
from cronjobs.models.choices import NodeStatus
from cronjobs.scheduler.dispatcher import SKEW_TO_STOP
from cronjobs.scheduler.upkeep import SKEW_TO_MENTION

# Of what a node runs, a list names so many.
_MOST_NAMED = 3
_SHOWN = ("job_name", "node", "status", "started_at", "deadline_at", "duration_ms")


def is_there(node: Any) -> bool:
    """Return whether the node, which has its `state`, is alive, draining or not."""
    return node.state in {NodeStatus.ALIVE, NodeStatus.DRAINING}


def running_on(names: Collection[str]) -> Mapping[str, list[JobExecution]]:
    """Return the executions that run, those that began first before others, by the node: in one statement."""
    found: defaultdict[str, list[JobExecution]] = defaultdict(list)
    rows = JobExecution.objects.running().filter(node__in=names).only(*_SHOWN)
    for each in rows.order_by("started_at", "pk"):
        found[each.node].append(each)
    return found


def state(node: Any) -> SafeString:
    """Return the label of a node's state and, while it drains, who wants that and since when."""
    if node.state != NodeStatus.DRAINING:
        return node_badge(node.state)
    return rendering.lines(node_badge(node.state), rendering.quiet(drain_request(node)))


def stuck_warning(node: Any) -> str:
    """Return which threads of a node hang; empty if none does, or nobody is there."""
    if not is_there(node) or not node.stuck_threads:
        return ""
    return _late(_("Stuck: %(threads)s") % {"threads": ", ".join(node.stuck_threads)})


def broker_warning(node: Any) -> str:
    """Return for how long a node has been without the broker; empty if it is not, or nobody is there."""
    if not is_there(node) or node.broker_away_since is None:
        return ""
    return _late(_("No broker for %(duration)s") % {"duration": broker_away_for(node)})


def broker_away_for(node: Any) -> str:
    """Return for how long a node, which is, has been without the broker."""
    return rendering.duration(max(node.now - node.broker_away_since, timedelta(0)))


def drain_request(node: Any) -> str:
    """Return who has asked the node to drain, and how long ago."""
    since = rendering.duration(max(node.now - node.drain_requested_at, timedelta(0)))
    facts = {"user": node.drain_requested_by, "duration": since}
    return _("by %(user)s, %(duration)s ago") % facts if node.drain_requested_by else _("%(duration)s ago") % facts


def load(node: Any, running: int) -> str:
    """Return how many of the node's workers are busy, as a bar and in words."""
    if not is_there(node):
        return rendering.NOTHING
    # What was claimed a little ahead has no worker yet.
    taken = min(running, node.workers)
    facts = {"running": taken, "workers": node.workers}
    words = ngettext("%(running)d of %(workers)d worker", "%(running)d of %(workers)d workers", node.workers) % facts
    return busy(taken, node.workers, label=_("Busy workers"), words=words)


def busy(running: int, most: int, *, label: str, words: str) -> SafeString:
    """Return how many of `most` places are taken, as a bar and in words."""
    bar = '<span class="cron-progress"><progress max="{}" value="{}" aria-label="{}">{}</progress> {}</span>'
    return format_html(bar, most, min(running, most), label, words, words)


def cpu(node: Any) -> str:
    """Return how much of a processor the node's own process uses."""
    is_known = is_there(node) and node.cpu_percent is not None
    return _("%(percent)d %%") % {"percent": node.cpu_percent} if is_known else rendering.NOTHING


def heartbeat(node: Any) -> str:
    """Return when the node was heard of last."""
    return rendering.ago(node.heartbeat_at, now=node.now)


def tick(node: Any) -> str:
    """Return when the node last decided what is due; emphasized where it should have done so since."""
    if node.last_tick_at is None:
        return _("none yet") if is_there(node) else rendering.NOTHING
    said = rendering.ago(node.last_tick_at, now=node.now)
    if node.state == NodeStatus.DRAINING:
        return rendering.lines(said, rendering.quiet(_("others decide")))
    if node.state == NodeStatus.ALIVE and node.now - node.last_tick_at > longest_silence():
        return rendering.lines(said, _late(_("too long ago")))
    return said


def skew(node: Any) -> str:
    """Return how far the clock of the node's machine is off; emphasized if that is worth a look."""
    if node.clock_skew_ms is None:
        return rendering.NOTHING
    span = timedelta(milliseconds=node.clock_skew_ms)
    facts = {"duration": rendering.duration(abs(span))}
    said = _("%(duration)s ahead") % facts if span >= timedelta(0) else _("%(duration)s behind") % facts
    if abs(span) <= SKEW_TO_MENTION:
        return said
    if abs(span) <= SKEW_TO_STOP:
        return rendering.lines(_late(said), _("Jobs read this clock: make it agree with the database's."))
    return rendering.lines(_late(said), _("The node claims nothing until its clock agrees with the database's."))


def skew_warning(node: Any) -> str:
    """Return a few words about a clock that is off; empty if it is not, or nobody is there to be misled."""
    span = timedelta(milliseconds=node.clock_skew_ms or 0)
    if not is_there(node) or abs(span) <= SKEW_TO_MENTION:
        return ""
    facts = {"duration": rendering.duration(abs(span))}
    if abs(span) > SKEW_TO_STOP:
        return _late(_("Clock %(duration)s off: claims nothing") % facts)
    return _late(_("Clock %(duration)s off") % facts)


def work(node: Any, executions: Sequence[JobExecution], *, are_links: bool) -> str:
    """Return the first of what the node runs, each with how long it has been running."""
    if not executions:
        return rendering.NOTHING
    named = [
        rendering.sentence(
            _("{execution}, {duration}"),
            execution=link(each) if are_links else str(each),
            duration=rendering.running_time(each, now=node.now),
        )
        for each in executions[:_MOST_NAMED]
    ]
    more = len(executions) - _MOST_NAMED
    rest = [rendering.quiet(ngettext("and %d more", "and %d more", more) % more)] if more > 0 else []
    return rendering.lines(*named, *rest)


def link(execution: JobExecution) -> SafeString:
    """Return the execution's name as a link to its page."""
    url = reverse("admin:cronjobs_jobexecution_change", args=[execution.pk])
    return format_html('<a href="{}">{}</a>', url, execution)


def _late(text: str) -> SafeString:
    return format_html('<span class="cron-late">{}</span>', text)
