"""A node: one ``runcron`` process, as it describes itself at every heartbeat."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from cronjobs.conf import get_settings
from cronjobs.database import database_now_plus
from cronjobs.models.batches import EngineManager


class NodeQuerySet(models.QuerySet["Node"]):
    """Nodes, by whether they live."""

    def alive(self) -> Self:
        """Return the nodes that have not stopped and whose last heartbeat is younger than a lease."""
        return self.filter(stopped_at=None, heartbeat_at__gt=database_now_plus(-get_settings().lease))

    def dead(self) -> Self:
        """Return the nodes that fell silent without saying that they stop."""
        return self.filter(stopped_at=None, heartbeat_at__lte=database_now_plus(-get_settings().lease))


class Node(models.Model):
    """One ``runcron`` process. Claims are not tied to this row: deleting it loses nothing."""

    name = models.CharField(_("name"), max_length=150, unique=True)
    hostname = models.CharField(_("host"), max_length=100)
    pid = models.PositiveIntegerField(_("process"))
    version = models.CharField(_("version"), max_length=50)
    workers = models.PositiveSmallIntegerField(_("workers"))
    running = models.PositiveSmallIntegerField(_("running"), default=0)
    started_at = models.DateTimeField(_("started"))
    heartbeat_at = models.DateTimeField(_("last heartbeat"))
    last_tick_at = models.DateTimeField(_("last tick"), null=True)
    stopped_at = models.DateTimeField(_("stopped"), null=True)
    rss_bytes = models.PositiveBigIntegerField(_("memory"), null=True)
    clock_skew_ms = models.BigIntegerField(_("clock skew in ms"), null=True)

    objects = EngineManager.from_queryset(NodeQuerySet)()

    class Meta:
        verbose_name = _("node")
        verbose_name_plural = _("nodes")
        ordering = ("-heartbeat_at",)
        indexes: ClassVar = [models.Index(fields=["heartbeat_at"], name="cronjobs_node_heartbeat")]

    def __str__(self) -> str:
        return self.name
