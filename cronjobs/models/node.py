"""A node: one ``runcron`` process, as it describes itself at every heartbeat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

from django.db import models
from django.db.models import Count, Q
from django.utils.translation import gettext_lazy as _

from cronjobs.models.batches import EngineManager
from cronjobs.models.process import Process, ProcessQuerySet
from cronjobs.permissions import NODE_PERMISSIONS


class Staff(NamedTuple):
    """How many nodes are alive: those that take work, and those that only finish theirs."""

    at_work: int
    draining: int


def stuck_text(names: Sequence[str]) -> str:
    """Return names of threads as a row holds them."""
    return ", ".join(names)


# The year 10000, which Python does not have.
_END_OF_TIME = 253_402_300_800


class NodeQuerySet(ProcessQuerySet["Node"]):
    """Nodes, by whether they live. Due times are decided, and executions started, by those at work only."""

    DRAINS = Q(drain_requested_at__isnull=False)

    def stuck(self) -> Self:
        """Return those that are alive and of which a thread hangs."""
        return self.alive().exclude(stuck="")

    def cut_off(self) -> Self:
        """Return those that are alive and can hand nothing to Celery's broker."""
        return self.alive().filter(broker_away_since__isnull=False)

    def staff(self) -> Staff:
        """Count those that are alive, in one statement."""
        found = self.alive().aggregate(alive=Count("pk"), draining=Count("drain_requested_at"))
        return Staff(at_work=found["alive"] - found["draining"], draining=found["draining"])


class Node(Process):
    """One ``runcron`` process."""

    workers = models.PositiveSmallIntegerField(_("workers"))
    running = models.PositiveSmallIntegerField(_("running"), default=0)
    last_tick_at = models.DateTimeField(_("last tick"), null=True)
    cpu_percent = models.PositiveIntegerField(
        _("CPU load in %"),
        null=True,
        help_text=_("Of one processor, by the node's own process, between its last two heartbeats."),
    )
    clock_skew_ms = models.BigIntegerField(_("clock skew in ms"), null=True)
    # Written by whichever of its threads does not hang.
    stuck = models.CharField(
        _("stuck threads"),
        max_length=200,
        blank=True,
        default="",
        help_text=_("Those of its threads that have given no sign of life for too long."),
    )
    # Written by the thread that hands executions to Celery's broker, while that takes none.
    broker_away_since = models.DateTimeField(_("without a broker since"), null=True)
    broker_away_because = models.CharField(_("why"), max_length=200, blank=True, default="")
    drain_requested_at = models.DateTimeField(_("asked to drain"), null=True)
    drain_requested_by = models.CharField(_("asked to drain by"), max_length=150, blank=True, default="")
    # At most 120 pairs of Unix seconds and bytes, a minute apart, oldest first. Lists of nodes need not read it.
    memory_trend = models.JSONField(_("memory trend"), default=list)

    objects = EngineManager.from_queryset(NodeQuerySet)()

    class Meta(Process.Meta):
        verbose_name = _("node")
        verbose_name_plural = _("nodes")
        permissions = NODE_PERMISSIONS
        indexes: ClassVar = [models.Index(fields=["heartbeat_at"], name="cronjobs_node_heartbeat")]

    @property
    def stuck_threads(self) -> list[str]:
        """The names of its threads that hang."""
        return [each for each in self.stuck.split(", ") if each]

    def memory_points(self) -> list[tuple[int, int]]:
        """Return the memory of the last two hours as pairs of Unix seconds and bytes, oldest first."""
        rows = self.memory_trend if isinstance(self.memory_trend, list) else []
        pairs = [row for row in rows if isinstance(row, list) and len(row) == 2]
        # Whatever else may stand in the column is passed over.
        numbers = [(at, size) for at, size in pairs if isinstance(at, int) and isinstance(size, int)]
        return [(at, size) for at, size in numbers if 0 <= at < _END_OF_TIME and size >= 0]
