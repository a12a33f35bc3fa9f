"""A Celery worker that can perform jobs, as it describes itself at every heartbeat."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Self

from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from cronjobs.models.batches import EngineManager
from cronjobs.models.execution import JobExecution
from cronjobs.models.process import Process, ProcessQuerySet


class Crew(NamedTuple):
    """How many Celery workers are alive, how many of these drain, and what the others can do at once."""

    alive: int
    draining: int
    concurrency: int


class WorkerQuerySet(ProcessQuerySet["CeleryWorker"]):
    """Workers, by whether they live."""

    DRAINS = Q(draining=True)

    def serving(self, queue: str) -> list[CeleryWorker]:
        """Return those that are alive, do not drain, and take messages from `queue`."""
        return [each for each in self.at_work() if queue in each.queue_names]

    def crew(self) -> Crew:
        """Count those that are alive, in one statement."""
        goes_on = ~self.DRAINS
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


class CeleryWorker(Process):
    """One ``celery worker``, with all its processes."""

    concurrency = models.PositiveIntegerField(_("at once"))
    queues = models.JSONField(_("queues"), default=list)
    # It finishes what it has begun, and takes no more.
    draining = models.BooleanField(_("draining"), default=False)

    objects = EngineManager.from_queryset(WorkerQuerySet)()

    class Meta(Process.Meta):
        verbose_name = _("Celery worker")
        verbose_name_plural = _("Celery workers")
        indexes: ClassVar = [models.Index(fields=["heartbeat_at"], name="cronjobs_worker_heartbeat")]

    @property
    def queue_names(self) -> list[str]:
        """The queues that it takes messages from, as Celery calls them."""
        return [each for each in self.queues if isinstance(each, str)] if isinstance(self.queues, list) else []
