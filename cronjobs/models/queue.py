"""A queue: a name that executions wait under, with how many of them may run at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Self

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from cronjobs.conf import get_settings, settings_or_defaults
from cronjobs.exceptions import QueueNotFound
from cronjobs.models.batches import EngineManager, upsert
from cronjobs.models.execution import ExecutionQuerySet, JobExecution
from cronjobs.models.job import Job
from cronjobs.registry import is_valid_queue, registry

# The row that stands for all queues: while it is paused, nothing is scheduled and nothing is claimed.
EVERYTHING: Final = "*"


def queues_in_use(using: str) -> set[str]:
    """Return the names of the queues that jobs and definitions put their executions into."""
    rows = Job.objects.using(using).order_by().values_list("definition", "queue")
    by_jobs = {queue or (registry[name].queue if name in registry else "") for name, queue in rows}
    return {name for name in by_jobs | {each.queue for each in registry} if is_valid_queue(name)}


def _number(executions: ExecutionQuerySet) -> Coalesce:
    """Return the expression for how many of `executions`, which have one status, a queue has."""
    same = executions.filter(queue=OuterRef("name")).order_by().values("status")
    return Coalesce(Subquery(same.annotate(number=Count("pk")).values("number")), 0)


class QueueQuerySet(models.QuerySet["Queue"]):
    """Queues, by what the engine and operators ask about them."""

    def paused(self) -> Self:
        """Return those of which nothing is started; that of everything may be among them."""
        return self.filter(paused=True).order_by()

    def paused_names(self) -> frozenset[str]:
        """Return the names of those of which nothing is started."""
        return frozenset(self.paused().values_list("name", flat=True))

    def everything_paused(self) -> Self:
        """Return the row that stands for everything, if it is paused."""
        return self.paused().filter(name=EVERYTHING)

    def limited(self) -> Self:
        """Return those of which only so many executions may run at once."""
        return self.filter(limit__isnull=False).order_by()

    def restricted(self) -> Self:
        """Return those that hold something back: paused ones and limited ones."""
        return self.filter(Q(paused=True) | Q(limit__isnull=False))

    def with_counts(self) -> Self:
        """Return them with how many executions are `waiting`, due or not, how many of these `dispatched`, and `running`."""
        rows = JobExecution.objects.using(self.db)
        # Most applications have no broker, and need not pay for it.
        dispatched = _number(rows.dispatched()) if settings_or_defaults().celery_app else Value(0)
        return self.with_running().annotate(waiting=_number(rows.waiting()), dispatched=dispatched)

    def with_running(self) -> Self:
        """Return them with how many executions are `running`, on all nodes."""
        return self.annotate(running=_number(JobExecution.objects.using(self.db).running()))

    def with_places_taken(self) -> Self:
        """Return them with `places_taken`: how many run, and how many are with a broker, to run at any moment."""
        rows = JobExecution.objects.using(self.db)
        taken: Combinable = _number(rows.running())
        if get_settings().celery_app:
            taken += _number(rows.dispatched())
        return self.annotate(places_taken=taken)

    def ensure(self, names: Iterable[str] | None = None) -> None:
        """Create the rows of `names` (None: of every queue in use, and of everything) that are missing.

        What an operator has decided is never touched.
        """
        wanted = {EVERYTHING, *queues_in_use(self.db)} if names is None else set(names)
        known = set(self.filter(name__in=wanted).values_list("name", flat=True))
        if missing := [Queue(name=name) for name in sorted(wanted - known)]:
            upsert(self, missing, unique_fields=["name"], update_fields=["name"])

    def named(self, name: str) -> Self:
        """Return the row of that name, made if it is missing from a queue in use; raise `QueueNotFound` otherwise."""
        row = self.filter(name=name)
        if not row.exists():
            if name != EVERYTHING and name not in queues_in_use(self.db):
                raise QueueNotFound(name)
            self.ensure([name])
        return row

    def pause(self) -> int:
        """Let nothing more of them start; return how many were not paused before."""
        return self.filter(paused=False).update(paused=True)

    def resume(self) -> int:
        """Let what waits in them start again; return how many were paused."""
        return self.filter(paused=True).update(paused=False)


class Queue(models.Model):
    """What an operator has decided about a queue. One without a row is neither limited nor paused."""

    name = models.CharField(_("name"), max_length=50, unique=True)
    limit = models.PositiveIntegerField(
        _("most at once"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("How many executions of this queue may run at the same time, over all nodes. Empty: any number."),
    )
    paused = models.BooleanField(
        _("paused"), default=False, help_text=_("Nothing of a paused queue is started; what runs goes on.")
    )
    description = models.TextField(_("description"), blank=True, default="")

    objects = EngineManager.from_queryset(QueueQuerySet)()

    class Meta:
        verbose_name = _("queue")
        verbose_name_plural = _("queues")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def is_everything(self) -> bool:
        """Whether the row stands for all queues."""
        return self.name == EVERYTHING

    def clean(self) -> None:
        """Refuse what could not be meant, field by field."""
        if self.is_everything and self.limit is not None:
            raise ValidationError({"limit": _("Only single queues are limited; WORKERS limits a node.")})
        if not self.is_everything and not is_valid_queue(self.name):
            raise ValidationError({"name": _("Use up to 50 characters, without commas and spaces around them.")})
