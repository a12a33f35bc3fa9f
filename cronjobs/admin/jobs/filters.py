"""What the list of jobs can be narrowed to; the choices are those that there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from cronjobs.models import Job, JobExecution
from cronjobs.registry import registry
from cronjobs.states import ExecutionStatus

# More are no list of choices; they can still be searched for.
_MOST = 200
_NEVER = "never"


def _in_use(request: Any) -> list[tuple[str, str | None, str]]:
    """Return the definitions, queues and owners that jobs have, together: read once for a page."""
    if not hasattr(request, "cron_jobs_in_use"):
        rows = Job.objects.order_by().values_list("definition", "queue", "owner").distinct()
        request.cron_jobs_in_use = list(rows)
    found: list[tuple[str, str | None, str]] = request.cron_jobs_in_use
    return found


def _inherited_queue(definition: str) -> str:
    return registry[definition].queue if definition in registry else ""


def _choices(names: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, name) for name in sorted({name for name in names if name})[:_MOST]]


class ChoiceFilter(admin.SimpleListFilter):
    """A filter that is shown where there is something to choose, or has been chosen."""

    def has_output(self) -> bool:
        return len(self.lookup_choices) > 1 or self.value() is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value()
        if value is None:
            return queryset
        # PostgreSQL refuses to look for it.
        if "\0" in value:
            raise IncorrectLookupParameters
        return queryset.filter(self.condition(value))

    def condition(self, value: str) -> Q:
        """Return what the jobs have in common for which `value` was chosen."""
        return Q(**{str(self.parameter_name): value})


class DefinitionFilter(ChoiceFilter):
    """Jobs of one definition, for which there may be several."""

    title = _("definition")
    parameter_name = "definition"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return _choices(definition for definition, _, _ in _in_use(request))


class QueueFilter(ChoiceFilter):
    """Jobs whose executions wait in one queue, whether they say so themselves or their definition does."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return _choices(queue or _inherited_queue(definition) for definition, queue, _ in _in_use(request))

    def condition(self, value: str) -> Q:
        inheriting = [each.name for each in registry if each.queue == value]
        says_nothing = Q(queue__isnull=True) | Q(queue="")
        return Q(queue=value) | (says_nothing & Q(definition__in=inheriting))


class OwnerFilter(ChoiceFilter):
    """Jobs of one owner."""

    title = _("owner")
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return _choices(owner for _, _, owner in _in_use(request))

    def has_output(self) -> bool:
        # One owner is still told from none.
        return bool(self.lookup_choices) or self.value() is not None


class OutcomeFilter(admin.SimpleListFilter):
    """Jobs by how their newest execution stands: for each job one look at the end of an index."""

    title = _("last execution")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*ExecutionStatus.choices, (_NEVER, _("None yet"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value()
        if value is None:
            return queryset
        if value != _NEVER and value not in ExecutionStatus.values:
            raise IncorrectLookupParameters
        history = JobExecution.objects.filter(job=OuterRef("pk")).order_by("-id")
        jobs = queryset.annotate(last_status=Subquery(history.values("status")[:1]))
        return jobs.filter(last_status__isnull=True) if value == _NEVER else jobs.filter(last_status=value)
