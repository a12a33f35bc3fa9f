"""Whether all is well: what is wrong, in sentences, worst first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cronjobs import health
from cronjobs.admin import rendering
from cronjobs.admin.badges import Tone
from cronjobs.admin.dashboard.firing import Firing
from cronjobs.admin.dashboard.nodes import Nodes
from cronjobs.admin.dashboard.queues import Waiting
from cronjobs.admin.dashboard.workers import Workers
from cronjobs.admin.staff import nobody_at_work
from cronjobs.alerts import AlertKind
from cronjobs.conf import words_to_mask
from cronjobs.models.node import Staff
from cronjobs.storable import storable_text

# A node that died longer ago has been seen by whoever looks here.
_RECENTLY: Final = timedelta(hours=1)
_MOST_NAMED: Final = 3
_GRAVE: Final = frozenset({AlertKind.FAILING, AlertKind.NO_SUCCESS, AlertKind.QUEUE_STUCK})
_GRAVITY: Final = (Tone.BAD, Tone.ODD, Tone.QUIET)


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that is not as it should be, in a sentence; `tone` says how bad that is."""

    tone: Tone
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the sentences are about. `broken` are names of jobs; `failed` is how many executions were of late."""

    nodes: Nodes
    # None: Celery performs nothing.
    workers: Workers | None = None
    waiting: Waiting
    mongodb: health.Probe | None
    broken: Sequence[str]
    failed: int
    firing: Firing = field(default_factory=dict)


def matters(found: Findings) -> list[Matter]:
    """Return what is wrong, worst first; nothing, if all is well."""
    every = [
        *_of_nodes(found.nodes),
        *_of_workers(found),
        *_of_mongodb(found.mongodb),
        *_of_alerts(found.firing),
        *_of_work(found),
    ]
    return sorted(every, key=lambda each: _GRAVITY.index(each.tone))


def mongodb_message(probe: health.Probe) -> str:
    """Return what the probe says of MongoDB, masked."""
    return storable_text(probe.message, mask=words_to_mask())


def _of_nodes(nodes: Nodes) -> Iterator[Matter]:
    age = nodes.tick_age
    if age is None:
        staff = Staff(at_work=len(nodes.at_work), draining=len(nodes.draining))
        yield Matter(Tone.BAD, nobody_at_work(staff))
    elif age > health.longest_silence():
        text = _("Nodes are alive, but the last tick was %(duration)s ago: nothing is scheduled.")
        yield Matter(Tone.BAD, text % {"duration": rendering.duration(age)})
    recent = [each.name for each in nodes.silent if nodes.now - each.heartbeat_at < _RECENTLY]
    if recent:
        text = ngettext(
            "A node fell silent without saying that it stops: %(names)s.",
            "%(count)d nodes fell silent without saying that they stop: %(names)s.",
            len(recent),
        )
        yield Matter(Tone.ODD, text % {"count": len(recent), "names": _names(recent)})


def _of_workers(found: Findings) -> Iterator[Matter]:
    workers = found.workers
    if workers is None:
        return
    yield from _of_broker(found.nodes)
    unserved = found.waiting.unserved(workers.served)
    # Others may be about to begin where some have just ended.
    late = [each.name for each in unserved if each.celery_wait is not None and each.celery_wait > health.LATE]
    if late:
        text = ngettext(
            "No Celery worker that is alive serves a queue in which executions are due: %(names)s.",
            "No Celery worker that is alive serves %(count)d queues in which executions are due: %(names)s.",
            len(late),
        )
        yield Matter(Tone.BAD, text % {"count": len(late), "names": _names(late)})
    recent = [each.name for each in workers.silent if found.nodes.now - each.heartbeat_at < _RECENTLY]
    if recent:
        text = ngettext(
            "A Celery worker fell silent without saying that it stops: %(names)s.",
            "%(count)d Celery workers fell silent without saying that they stop: %(names)s.",
            len(recent),
        )
        yield Matter(Tone.ODD, text % {"count": len(recent), "names": _names(recent)})


def _of_broker(nodes: Nodes) -> Iterator[Matter]:
    away = {each.name: each.broker_away_since for each in nodes.cut_off if each.broker_away_since is not None}
    if not away:
        return
    if all(each.name in away for each in nodes.at_work):
        text = _("No node could hand anything to Celery's broker for %(duration)s.")
        span = max(nodes.now - max(away.values()), timedelta(0))
        yield Matter(Tone.BAD, text % {"duration": rendering.duration(span)})
    else:
        text = ngettext(
            "A node can hand nothing to Celery's broker: %(names)s.",
            "%(count)d nodes can hand nothing to Celery's broker: %(names)s.",
            len(away),
        )
        yield Matter(Tone.ODD, text % {"count": len(away), "names": _names(list(away))})


def _of_mongodb(probe: health.Probe | None) -> Iterator[Matter]:
    # None: nobody knows yet.
    if probe is None:
        return
    if probe.status == health.Status.FAILED:
        yield Matter(Tone.BAD, mongodb_message(probe))
    elif probe.status == health.Status.WARNING:
        # Advice, such as which index would help.
        yield Matter(Tone.QUIET, mongodb_message(probe))


def _of_alerts(firing: Firing) -> Iterator[Matter]:
    for kind, subjects in firing.items():
        text = _("%(kind)s: %(names)s.") % {"kind": kind.label, "names": _names(subjects)}
        yield Matter(Tone.BAD if kind in _GRAVE else Tone.ODD, text)


def _of_work(found: Findings) -> Iterator[Matter]:
    waiting, count = found.waiting, len(found.broken)
    if waiting.is_everything_paused:
        yield Matter(Tone.ODD, _("Everything is paused: nothing is scheduled and nothing is started."))
    if count:
        text = ngettext(
            "A job is broken and cannot run: %(names)s.",
            "%(count)d jobs are broken and cannot run: %(names)s.",
            count,
        )
        yield Matter(Tone.BAD, text % {"count": count, "names": _names(found.broken)})
    wait = waiting.oldest_wait
    if wait is not None and wait > health.LONG_WAIT:
        text = _("What could start is waiting for a worker, the oldest for %(duration)s.")
        yield Matter(Tone.ODD, text % {"duration": rendering.duration(wait)})
    if waiting.held_back and not waiting.is_everything_paused:
        text = ngettext(
            "%(count)d execution waits in a queue that is paused.",
            "%(count)d executions wait in queues that are paused.",
            waiting.held_back,
        )
        yield Matter(Tone.ODD, text % {"count": waiting.held_back})
    if found.failed:
        text = ngettext(
            "%(count)d execution ended badly in the last hour.",
            "%(count)d executions ended badly in the last hour.",
            found.failed,
        )
        yield Matter(Tone.ODD, text % {"count": found.failed})


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    rest = len(names) - _MOST_NAMED
    if rest <= 0:
        return shown
    return ngettext("%(names)s and %(count)d more", "%(names)s and %(count)d more", rest) % {
        "names": shown,
        "count": rest,
    }
