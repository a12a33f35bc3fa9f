"""What fires now: which alerts are not over, as the watchers have decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from django.db.models import CharField, Value

from cronjobs.alerts import AlertKind
from cronjobs.models import AlertState, Queue

# The dashboard looks for these itself, and tells of them in its own words.
_SEEN_BY_ITSELF: Final = (AlertKind.NODE_GONE, AlertKind.WORKER_GONE, AlertKind.MONGODB_UNREACHABLE)
# Stands where a kind does: what people have paused is read together with what fires.
_PAUSED: Final = "paused"

Firing = Mapping[AlertKind, Sequence[str]]


def read_firing() -> tuple[Firing, frozenset[str]]:
    """Return the subjects of what fires, by kind, and the names of paused queues: takes one query for both."""
    states = AlertState.objects.firing().exclude(kind__in=_SEEN_BY_ITSELF).order_by()
    queues = Queue.objects.paused().values_list(Value(_PAUSED, CharField()), "name")
    rows = list(states.values_list("kind", "subject").union(queues, all=True))
    return _by_kind(rows), frozenset(name for what, name in rows if what == _PAUSED)


def _by_kind(rows: Iterable[tuple[str, str]]) -> Firing:
    found: dict[AlertKind, list[str]] = {kind: [] for kind in AlertKind}
    for kind, subject in sorted(rows):
        if kind in AlertKind:
            found[AlertKind(kind)].append(subject)
    return {kind: subjects for kind, subjects in found.items() if subjects}
