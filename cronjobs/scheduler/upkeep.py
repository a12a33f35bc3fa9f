"""What a node does beside its work: say that it lives, and look after rows that nobody else will."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet

from cronjobs.conf import get_settings
from cronjobs.database import DatabaseNow, SteadyClock, database_now_plus
from cronjobs.executors.leases import renewal_interval
from cronjobs.models import CeleryWorker, Node
from cronjobs.models.moves import give_to_nodes, recall, rescue
from cronjobs.models.node import stuck_text
from cronjobs.processes import installed_version, resident_bytes
from cronjobs.scheduler.clock import Clock
from cronjobs.scheduler.trends import CpuLoad, MemoryTrend

logger = logging.getLogger(__name__)

SKEW_TO_MENTION = timedelta(seconds=2)
# Rows of nodes that ended longer ago than this are removed; nothing hangs on them.
_REMEMBERED = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """What the upkeep reports about its node: who it is, and what it is doing."""

    name: str
    workers: int
    time: SteadyClock
    clock: Clock
    running: Callable[[], int]
    # The names of its threads that are stuck.
    stuck: Callable[[], Sequence[str]] = tuple


class Upkeep:
    """Keeps the node's row up to date, and rescues what silent nodes left behind."""

    def __init__(self, node: NodeState) -> None:
        self._node = node
        self._memory, self._cpu = MemoryTrend(), CpuLoad()
        # A lease may have run out because its owner, like us, could not reach the database:
        # so much time without an error must pass before anybody's work is declared lost.
        self._patience = renewal_interval() + 2
        self._calm_since = self._last_beat = time.monotonic()

    def introduce(self) -> None:
        """Insert the node's row and forget nodes and Celery workers of long ago."""
        for model in (Node, CeleryWorker):
            model.objects.filter(heartbeat_at__lt=database_now_plus(-_REMEMBERED)).delete()
        self._insert()
        self._calm_since = self._last_beat = time.monotonic()

    def _insert(self) -> None:
        now, size = DatabaseNow(), resident_bytes()
        self._memory.add(self._node.time.now(), size)
        Node.objects.create(
            name=self._node.name,
            hostname=socket.gethostname()[:100],
            pid=os.getpid(),
            version=installed_version(),
            workers=self._node.workers,
            started_at=now,
            heartbeat_at=now,
            rss_bytes=size,
            memory_trend=self._memory.as_json(),
        )

    def beat(self) -> None:
        """Say that the node lives; after a time of calm, rescue what silent nodes left."""
        self._look_back()
        self._report()
        # The report may have waited for the database, as others did who wanted to renew their leases.
        self._look_back()
        if self.is_calm():
            self._rescue()
            self._recall()

    def _look_back(self) -> None:
        """Begin anew to wait for calm if it is long ago that this was done: others may have been cut off as well."""
        now = time.monotonic()
        if now - self._last_beat > self._patience:
            self._calm_since = now
        self._last_beat = now

    def is_calm(self) -> bool:
        """Return whether the database has answered for so long that the silence of a node means that it is gone."""
        now = time.monotonic()
        return now - self._calm_since >= self._patience >= now - self._last_beat

    def distrust(self) -> None:
        """Begin anew to wait for calm: the database did not answer, perhaps to others neither."""
        self._calm_since = time.monotonic()

    def leave(self) -> bool:
        """Mark the node as stopped if it is still asked to drain, and return whether it is: then nobody can call it off."""
        asked = self._row().filter(drain_requested_at__isnull=False)
        return bool(asked.update(stopped_at=DatabaseNow(), running=self._node.running()))

    def say_goodbye(self) -> None:
        """Mark the node as stopped; a database that is away makes no difference to anybody else."""
        changes = {"stopped_at": DatabaseNow(), "heartbeat_at": DatabaseNow(), "running": self._node.running()}
        try:
            self._row().update(**changes)
        except Exception:  # noqa: BLE001 - the missing heartbeat will say it
            logger.warning("Node %s could not be marked as stopped.", self._node.name)

    def _report(self) -> None:
        skew = self._node.time.skew
        if abs(skew) > SKEW_TO_MENTION:
            logger.warning("This machine's clock differs from the database's by %.1f s.", skew.total_seconds())
        size = resident_bytes()
        is_known = self._row().update(
            heartbeat_at=DatabaseNow(),
            last_tick_at=self._node.clock.last_tick_at,
            running=self._node.running(),
            stuck=stuck_text(self._node.stuck()),
            rss_bytes=size,
            cpu_percent=self._cpu.percent(),
            clock_skew_ms=int(skew / timedelta(milliseconds=1)),
            # Written once a minute: it is long.
            **({"memory_trend": self._memory.as_json()} if self._memory.add(self._node.time.now(), size) else {}),
        )
        if not is_known:
            # Somebody deleted the row of a node that lives.
            self._insert()

    def _recall(self) -> None:
        if recalled := recall():
            logger.warning("No worker has begun executions %s in time: they are dispatched again.", recalled)
        if not get_settings().celery_app and (number := give_to_nodes()):
            logger.warning("There is no Celery here any more: nodes perform %d executions that waited for it.", number)

    def _rescue(self) -> None:
        for execution in rescue(until=self._node.time.now()):
            logger.warning("%s was lost by %s: it is %s now.", execution, execution.node, execution.status)

    def _row(self) -> QuerySet[Node]:
        return Node.objects.filter(name=self._node.name)
