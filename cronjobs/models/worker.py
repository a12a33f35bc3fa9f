"""A Celery worker that can perform jobs, as it describes itself at every heartbeat."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Self

from django.db import models
from django.db.models import Case, CharField, Count, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from cronjobs.conf import get_settings
from cronjobs.database import database_now_plus
from cronjobs.models.batches import EngineManager
from cronjobs.models.choices import NodeStatus
from cronjobs.models.execution import JobExecution


class Crew(NamedTuple):
    """How many Celery workers are alive, how many of these drain, and what the others can do at once."""

    alive: int
    draining: int
    concurrency: int


class WorkerQuerySet(models.QuerySet["CeleryWorker"]):
    """Workers, by whether they live."""

    def alive(self) -> Self:
        """Return those that have not stopped and whose last heartbeat is younger than a lease."""
        return self.filter(stopped_at=None, heartbeat_at__gt=database_now_plus(-get_settings().lease))

    def serving(self, queue: str) -> list[CeleryWorker]:
        """Return those that are alive, do not drain, and take messages from `queue`."""
        return [each for each in self.alive().filter(draining=False) if queue in each.queue_names]

    def crew(self) -> Crew:
        """Count those that are alive, in one statement."""
        goes_on = Q(draining=False)
        found = self.alive().aggregate(
            alive=Count("pk"), working=Count("pk", filter=goes_on), concurrency=Sum("concurrency", filter=goes_on)
        )
        return Crew(found["alive"], found["alive"] - found["working"], found["concurrency"] or 0)

    def with_running(self) -> Self:
        """Return them with how many executions are `running` on each, as those say."""
        mine = JobExecution.objects.using(self.db).running().filter(node=OuterRef("name")).order_by().values("node")
        number = Subquery(mine.annotate(number=Count("pk")).values("number"))
        return self.annotate(running=Coalesce(number, 0))

    def queues_served(self) -> set[str]:
        """Return the queues that those which are alive take messages from."""
        return {queue for each in self.alive() for queue in each.queue_names}

    def with_state(self) -> Self:
        """Return them with their `state`, a `NodeStatus`, as it is by the database's clock."""
        silent_since = database_now_plus(-get_settings().lease)
        return self.annotate(
            state=Case(
                When(stopped_at__isnull=False, then=Value(NodeStatus.STOPPED)),
                When(heartbeat_at__lte=silent_since, then=Value(NodeStatus.SILENT)),
                When(draining=True, then=Value(NodeStatus.DRAINING)),
                default=Value(NodeStatus.ALIVE),
                output_field=CharField(),
            )
        )


class CeleryWorker(models.Model):
    """One ``celery worker``, with all its processes. Claims are not tied to this row: deleting it loses nothing."""

    name = models.CharField(_("name"), max_length=150, unique=True)
    hostname = models.CharField(_("host"), max_length=100)
    pid = models.PositiveIntegerField(_("process"))
    version = models.CharField(_("version"), max_length=50)
    concurrency = models.PositiveIntegerField(_("at once"))
    queues = models.JSONField(_("queues"), default=list)
    started_at = models.DateTimeField(_("started"))
    heartbeat_at = models.DateTimeField(_("last heartbeat"))
    # It finishes what it has begun, and takes no more.
    draining = models.BooleanField(_("draining"), default=False)
    stopped_at = models.DateTimeField(_("stopped"), null=True)
    rss_bytes = models.PositiveBigIntegerField(_("memory"), null=True, help_text=_("Of all its processes together."))

    objects = EngineManager.from_queryset(WorkerQuerySet)()

    class Meta:
        verbose_name = _("Celery worker")
        verbose_name_plural = _("Celery workers")
        ordering = ("-heartbeat_at",)
        indexes: ClassVar = [models.Index(fields=["heartbeat_at"], name="cronjobs_worker_heartbeat")]

    def __str__(self) -> str:
        return self.name

    @property
    def queue_names(self) -> list[str]:
        """The queues that it takes messages from, as Celery calls them."""
        return [each for each in self.queues if isinstance(each, str)] if isinstance(self.queues, list) else []
