"""Executions by when they were recorded: there is no index on that time, but ids grow with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Subquery

from cronjobs.models.execution import JobExecution

# Ids and times of recording agree but for clocks that differ and transactions that take long.
_DISORDER = timedelta(hours=1)
# So many rows more than asked for may be looked at.
_CLOSE_ENOUGH = 4_000
# So many ids are looked at in one statement, for each of the two ends.
_PROBES = 31


@dataclass(frozen=True, slots=True)
class Recorded:
    """The ids of the oldest and of the newest execution, and when they were recorded (aware)."""

    first_id: int
    first_at: datetime
    last_id: int
    last_at: datetime


@dataclass(slots=True)
class _Edge:
    """A moment, and two ids that come closer: what is up to `low` is earlier, what is from `high` on is not."""

    moment: datetime
    low: int
    high: int

    @property
    def probes(self) -> list[int]:
        width = self.high - self.low
        if width <= _CLOSE_ENOUGH:
            return []
        return sorted({self.low + max(1, width * n // (_PROBES + 1)) for n in range(1, _PROBES + 1)} - {self.high})

    def learn(self, recorded_at: dict[int, datetime | None]) -> None:
        """Take in when the first execution was recorded from each of the probes on; None: there is none."""
        for probe in self.probes:
            at = recorded_at[probe]
            if at is None or at >= self.moment:
                self.high = probe
                return
            self.low = probe


def recorded_span() -> Recorded | None:
    """Return the ends of the history in one statement; None: there is none."""
    newest = JobExecution.objects.order_by("-pk")
    last = {"last_id": Subquery(newest.values("pk")[:1]), "last_at": Subquery(newest.values("queued_at")[:1])}
    row = JobExecution.objects.order_by("pk").annotate(**last).values_list("pk", "queued_at", *last).first()
    return None if row is None else Recorded(*row)


def ids_between(
    since: datetime | None = None, until: datetime | None = None, *, span: Recorded | None = None
) -> tuple[int, int | None]:
    """Return two ids between which all executions are that were recorded from `since` on and before `until` (aware).

    There may be others between them; None: there is no upper bound. Finding them takes a few
    statements: none in a short history, two among a million rows. One more if `span` is not given.
    """
    if since is None and until is None:
        return 0, None
    span = span or recorded_span()
    if span is None:
        return 0, None
    low, high = span.first_id - 1, span.last_id + 1
    # `since` is in the future, and so on: the ends of the history are bounds as good as any.
    begin = None if since is None else _Edge(_moved(since, -_DISORDER), low, high)
    end = None if until is None else _Edge(_moved(until, _DISORDER), low, high)
    _approach([each for each in (begin, end) if each is not None])
    return (0 if begin is None else begin.low), (None if end is None or end.high == high else end.high)


def _moved(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        # The end of time; there are no rows beyond.
        return moment


def _approach(edges: list[_Edge]) -> None:
    """Bring the ids of all edges close to each other; each statement divides the distances by `_PROBES` + 1."""
    while probes := sorted({probe for each in edges for probe in each.probes}):
        recorded_at = _recorded_at(probes)
        for each in edges:
            each.learn(recorded_at)


def _recorded_at(ids: Sequence[int]) -> dict[int, datetime | None]:
    """Return when the first execution was recorded from each id on: ids have gaps. None: there is none."""
    by_id = JobExecution.objects.order_by("pk")
    looks = [Subquery(by_id.filter(pk__gte=each).values("queued_at")[:1]) for each in ids]
    row = by_id.values_list(*looks).first()
    return dict.fromkeys(ids) if row is None else dict(zip(ids, row, strict=True))
