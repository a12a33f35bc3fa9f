"""How it is now: nodes, queues, MongoDB, and what nodes take of memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cronjobs import health
from cronjobs.admin import rendering
from cronjobs.admin.badges import Tone, badge, status_badge
from cronjobs.admin.dashboard.charts import evenly
from cronjobs.admin.dashboard.nodes import NodeFacts, Nodes
from cronjobs.admin.dashboard.queues import MOST_COUNTED, MOST_QUEUES, QueueDepth
from cronjobs.admin.dashboard.state import Findings, Matter, matters, mongodb_message
from cronjobs.admin.dashboard.timeline import Timeline
from cronjobs.admin.dashboard.workers import Workers

_MOST_FAILURES = 5


class Fact(NamedTuple):
    """One thing about the present: its name, what it is, and what more there is to say."""

    label: str
    value: str
    note: str = ""


def state_panel(found: Findings, timeline: Timeline) -> dict[str, Any]:
    """Return the sentence for the top, the others below it, and the facts behind them."""
    every = matters(found)
    # What could be better is no matter for the top.
    first = every[0] if every and every[0].tone != Tone.QUIET else Matter(Tone.GOOD, _("All is well."))
    return {
        "headline": first,
        "others": [each for each in every if each is not first],
        "facts": list(_facts(found, timeline)),
        "queues": [_queue(each) for each in found.waiting.queues[:MOST_QUEUES]],
        "has_broker": found.workers is not None,
        "more_queues": max(0, len(found.waiting.queues) - MOST_QUEUES),
    }


def failures_panel(timeline: Timeline) -> list[dict[str, Any]]:
    """Return what ended badly last, with the last line of what it says."""
    return [
        {
            "pk": each.pk,
            "name": f"{each.job_name} #{each.pk}",
            "badge": status_badge(each.status),
            "ended": rendering.brief_moment(each.finished_at, now=timeline.now),
            "error": rendering.last_line(each.error),
        }
        for each in timeline.bad[:_MOST_FAILURES]
    ]


def _facts(found: Findings, timeline: Timeline) -> Iterator[Fact]:
    nodes, waiting = found.nodes, found.waiting
    alive = ngettext("%d alive", "%d alive", len(nodes.alive)) % len(nodes.alive)
    yield Fact(_("Nodes"), alive, ", ".join(_other_nodes(nodes)))
    # In whole seconds: what is on the page changes no more often than that.
    age = nodes.tick_age
    ticked = rendering.NOTHING if age is None else _("%(seconds)d s ago") % {"seconds": age.total_seconds()}
    yield Fact(_("Last tick"), ticked, _("as the nodes told last"))
    if found.workers is not None:
        yield from _celery(found.workers, waiting.dispatched)
    yield _mongodb(found.mongodb)
    running = _("more than %d") % timeline.running if timeline.is_running_cut else str(timeline.running)
    yield Fact(_("Running"), running, _places(found, timeline))
    depth = _("more than %d") % MOST_COUNTED if waiting.is_cut else str(waiting.depth)
    held = waiting.held_back
    yield Fact(
        _("Waiting for a worker"),
        depth,
        ngettext("%d more is paused", "%d more are paused", held) % held if held else "",
    )
    wait = waiting.oldest_wait
    yield Fact(_("Oldest of these"), rendering.NOTHING if wait is None else rendering.duration(wait))


def _places(found: Findings, timeline: Timeline) -> str:
    """Return of how many that could run at once these are, on nodes and on Celery workers."""
    places = sum(each.workers for each in found.nodes.alive)
    if found.workers is None:
        return ngettext("of %d worker", "of %d workers", places) % places if places else ""
    if timeline.is_running_cut:
        return ""
    there = sum(timeline.running_on.get(each.name, 0) for each in found.workers.workers)
    facts = {
        # What was claimed a little ahead has no worker yet.
        "here": min(timeline.running - there, places),
        "places": places,
        "there": there,
        "most": sum(each.concurrency for each in found.workers.alive),
    }
    return _("%(here)d of %(places)d on nodes, %(there)d of %(most)d on Celery workers") % facts


def _celery(workers: Workers, dispatched: int) -> Iterator[Fact]:
    alive, draining, silent = len(workers.alive), len(workers.alive) - len(workers.at_work), len(workers.silent)
    notes = [ngettext("%d at once", "%d at once", workers.concurrency) % workers.concurrency]
    if draining:
        notes.append(ngettext("%d of them draining", "%d of them draining", draining) % draining)
    if silent:
        notes.append(ngettext("%d dead", "%d dead", silent) % silent)
    yield Fact(_("Celery workers"), ngettext("%d alive", "%d alive", alive) % alive, ", ".join(notes))
    yield Fact(_("With the broker"), str(dispatched))


def _other_nodes(nodes: Nodes) -> Iterator[str]:
    draining, silent = len(nodes.draining), len(nodes.silent)
    if draining:
        yield ngettext("%d of them draining", "%d of them draining", draining) % draining
    if silent:
        yield ngettext("%d dead", "%d dead", silent) % silent


def _mongodb(probe: health.Probe | None) -> Fact:
    name = "MongoDB"
    if probe is None:
        return Fact(name, badge(_("Asked"), Tone.QUIET), _("not answered yet"))
    shown = {
        health.Status.OK: badge(_("Reachable"), Tone.GOOD),
        health.Status.WARNING: badge(_("Reachable"), Tone.ODD, title=mongodb_message(probe)),
        health.Status.FAILED: badge(_("Away"), Tone.BAD, title=mongodb_message(probe)),
        health.Status.NOT_CONFIGURED: badge(_("Not configured"), Tone.QUIET),
    }
    # Left out is what depends on the settings, of which another page complains.
    return Fact(name, shown.get(probe.status, badge(_("Not checked"), Tone.QUIET)))


def _queue(queue: QueueDepth) -> dict[str, Any]:
    return {
        "name": queue.name,
        "waiting": queue.waiting,
        "dispatched": queue.dispatched,
        "oldest": rendering.duration(queue.oldest_wait),
        "paused": badge(_("Paused"), Tone.ODD) if queue.is_paused else "",
    }


@dataclass(frozen=True, slots=True)
class Memory:
    """A node's memory as a line; without points there is no line to draw yet."""

    name: str
    now: str
    points: str
    width: int
    label: str


def memory_panel(nodes: Nodes) -> list[Memory]:
    """Return the memory of each living node."""
    return [_memory(each) for each in nodes.alive]


def _memory(node: NodeFacts) -> Memory:
    now, sizes = rendering.memory(node.rss_bytes), [size for _at, size in node.trend]
    if len(sizes) < 2:
        return Memory(node.name, now, "", 0, "")
    label = _("Between %(least)s and %(most)s in the last %(duration)s.") % {
        "least": rendering.memory(min(sizes)),
        "most": rendering.memory(max(sizes)),
        "duration": rendering.duration(node.trend[-1][0] - node.trend[0][0]),
    }
    return Memory(node.name, now, evenly(sizes, most=max(*sizes, 1)), len(sizes) - 1, label)
