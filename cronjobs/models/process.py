"""What nodes and Celery workers have in common: a process that says at every heartbeat that it lives."""

from __future__ import annotations

from typing import ClassVar, Self, TypeVar

from django.db import models
from django.db.models import Case, CharField, Q, Value, When
from django.utils.translation import gettext_lazy as _

from cronjobs.conf import get_settings
from cronjobs.database import database_now_plus
from cronjobs.models.choices import NodeStatus

P = TypeVar("P", bound=models.Model)


class ProcessQuerySet(models.QuerySet[P]):
    """Processes, by whether they live."""

    # Which of those that live only finish what they have.
    DRAINS: ClassVar[Q]

    def alive(self) -> Self:
        """Return those that have not stopped and whose last heartbeat is younger than a lease."""
        return self.filter(stopped_at=None, heartbeat_at__gt=database_now_plus(-get_settings().lease))

    def dead(self) -> Self:
        """Return those that fell silent without saying that they stop."""
        return self.filter(stopped_at=None, heartbeat_at__lte=database_now_plus(-get_settings().lease))

    def at_work(self) -> Self:
        """Return those that are alive and take work."""
        return self.alive().exclude(self.DRAINS)

    def draining(self) -> Self:
        """Return those that are alive and only finish what they have."""
        return self.alive().filter(self.DRAINS)

    def with_state(self) -> Self:
        """Return them with their `state`, a `NodeStatus`, as it is by the database's clock."""
        silent_since = database_now_plus(-get_settings().lease)
        return self.annotate(
            state=Case(
                When(stopped_at__isnull=False, then=Value(NodeStatus.STOPPED)),
                When(heartbeat_at__lte=silent_since, then=Value(NodeStatus.SILENT)),
                When(self.DRAINS, then=Value(NodeStatus.DRAINING)),
                default=Value(NodeStatus.ALIVE),
                output_field=CharField(),
            )
        )


class Process(models.Model):
    """A process as it describes itself. Claims are not tied to its row: deleting that loses nothing."""

    name = models.CharField(_("name"), max_length=150, unique=True)
    hostname = models.CharField(_("host"), max_length=100)
    pid = models.PositiveIntegerField(_("process"))
    version = models.CharField(_("version"), max_length=50)
    started_at = models.DateTimeField(_("started"))
    heartbeat_at = models.DateTimeField(_("last heartbeat"))
    stopped_at = models.DateTimeField(_("stopped"), null=True)
    rss_bytes = models.PositiveBigIntegerField(
        _("memory"), null=True, help_text=_("Of a Celery worker, of all its processes together.")
    )

    class Meta:
        abstract = True
        ordering = ("-heartbeat_at",)

    def __str__(self) -> str:
        return self.name
