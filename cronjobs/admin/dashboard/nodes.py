"""The processes that run jobs: whether they live, when they last ticked, and what memory they took lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Exists, OuterRef
from django.utils import timezone

from cronjobs.database import DatabaseNow
from cronjobs.models import Node

# Those that stopped are passed over; of the others no more are read.
MOST: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """A node that has not stopped. Its memory is in bytes, `trend` what that was at times (UTC), oldest first."""

    name: str
    is_alive: bool
    is_draining: bool
    workers: int
    heartbeat_at: datetime
    # None: it can hand executions to Celery's broker, as far as it has tried.
    broker_away_since: datetime | None
    ticked_at: datetime
    rss_bytes: int | None
    trend: Sequence[tuple[datetime, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """The nodes, by name, and the time that the database had when they were read."""

    now: datetime
    nodes: Sequence[NodeFacts]

    @property
    def alive(self) -> list[NodeFacts]:
        """Those that live, whether or not they take on more work."""
        return [each for each in self.nodes if each.is_alive]

    @property
    def at_work(self) -> list[NodeFacts]:
        """Those of the living that take on more work."""
        return [each for each in self.alive if not each.is_draining]

    @property
    def draining(self) -> list[NodeFacts]:
        """Those of the living that finish what they have, and then stop."""
        return [each for each in self.alive if each.is_draining]

    @property
    def silent(self) -> list[NodeFacts]:
        """Those that fell silent without saying that they stop."""
        return [each for each in self.nodes if not each.is_alive]

    @property
    def cut_off(self) -> list[NodeFacts]:
        """Those of the living that can hand nothing to Celery's broker."""
        return [each for each in self.alive if each.broker_away_since is not None]

    @property
    def workers(self) -> int:
        """How many executions can run at the same time."""
        return sum(each.workers for each in self.at_work)

    @property
    def tick_age(self) -> timedelta | None:
        """How long ago a node that takes work last looked for due jobs; None: there is none."""
        ages = [self.now - each.ticked_at for each in self.at_work]
        # A node may have written since the time was read.
        return max(min(ages), timedelta(0)) if ages else None


def read_nodes() -> Nodes:
    """Return the nodes; takes one query."""
    is_alive = Exists(Node.objects.alive().filter(pk=OuterRef("pk")))
    rows: Any = Node.objects.filter(stopped_at=None).annotate(is_alive=is_alive, now=DatabaseNow())
    # The newest first: of very many, those that live.
    found = list(rows.order_by("-heartbeat_at")[:MOST])
    now = found[0].now if found else timezone.now()
    return Nodes(now=now, nodes=sorted(map(_facts, found), key=lambda each: each.name))


def _facts(node: Any) -> NodeFacts:
    return NodeFacts(
        name=node.name,
        is_alive=bool(node.is_alive),
        is_draining=node.drain_requested_at is not None,
        workers=node.workers,
        heartbeat_at=node.heartbeat_at,
        broker_away_since=node.broker_away_since,
        ticked_at=node.last_tick_at or node.started_at,
        rss_bytes=node.rss_bytes,
        trend=[(datetime.fromtimestamp(at, UTC), size) for at, size in node.memory_points()],
    )
