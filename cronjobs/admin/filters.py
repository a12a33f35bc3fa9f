"""What lists can be narrowed to; no choice is found by looking through the history."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from cronjobs.admin.windows import BEFORE
from cronjobs.conf import get_settings
from cronjobs.models import ApiKey, CeleryWorker, Job, JobExecution, Node
from cronjobs.models.choices import KeyState, Staleness
from cronjobs.models.recorded import ids_between
from cronjobs.parsing import row_id
from cronjobs.registry import registry
from cronjobs.storable import storable_text

_MOST_NODES = 50


class JobFilter(admin.SimpleListFilter):
    """Executions of one job."""

    title = _("job")
    parameter_name = "job"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        jobs = Job.objects.order_by("name").values_list("pk", "name")
        return [(str(pk), name) for pk, name in jobs]

    def has_output(self) -> bool:
        # Also when the only job is the one chosen, or when the chosen one is gone.
        return bool(self.lookup_choices) or self.value() is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[JobExecution]) -> QuerySet[JobExecution]:
        job_id = _number(self.value())
        return queryset if job_id is None else queryset.filter(job_id=job_id)


class TimeFilter(admin.SimpleListFilter):
    """Rows of the last hour, day or week, by the time in `column`."""

    title = _("time")
    parameter_name = "past"
    column: str
    spans = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("hour", _("Past hour")), ("day", _("Past 24 hours")), ("week", _("Past 7 days"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        if value not in self.spans:
            raise IncorrectLookupParameters
        return self.narrowed(queryset)

    def narrowed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return those of `rows` that are no older than the chosen span."""
        return rows.filter(**{f"{self.column}__gte": self.since})

    @cached_property
    def since(self) -> datetime:
        """Return the time before which rows are too old."""
        return timezone.now() - self.spans[self.value() or ""]


class RecordedFilter(TimeFilter):
    """Executions that were recorded within the last hour, day or week."""

    parameter_name = "recorded"
    column = "queued_at"

    def narrowed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return those of `rows`; their ids are narrowed as well, since there is no index on the time of recording."""
        return super().narrowed(rows).filter(id__gt=self._last_id_before)

    @cached_property
    def _last_id_before(self) -> int:
        return ids_between(self.since)[0]


class NodeFilter(admin.SimpleListFilter):
    """Executions that one node, or one Celery worker, ran, or ran last."""

    title = _("node")
    parameter_name = "node"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # The last to be heard of come first; each start of a node is one.
        names = list(Node.objects.values_list("name", flat=True)[:_MOST_NODES])
        if get_settings().celery_app:
            names += CeleryWorker.objects.values_list("name", flat=True)[:_MOST_NODES]
        return [(name, name) for name in names]

    def has_output(self) -> bool:
        return bool(self.lookup_choices) or self.value() is not None

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        yield from super().choices(changelist)
        # One that is no longer listed, but that a link has led to.
        value = self.value()
        if value is not None and value not in {name for name, _ in self.lookup_choices}:
            here = changelist.get_query_string({self.parameter_name: value})
            yield {"selected": True, "query_string": here, "display": value}

    def queryset(self, request: HttpRequest, queryset: QuerySet[JobExecution]) -> QuerySet[JobExecution]:
        value = self.value()
        if value is None:
            return queryset
        if storable_text(value) != value:
            # A database may refuse to look for it.
            raise IncorrectLookupParameters
        return queryset.filter(node=value)


class BeforeFilter(admin.SimpleListFilter):
    """Rows older than one of them: the way past the end of the pages."""

    title = _("older than")
    parameter_name = BEFORE

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return []

    def has_output(self) -> bool:
        return self.value() is not None

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        newest = changelist.get_query_string(remove=[self.parameter_name])
        here = changelist.get_query_string({self.parameter_name: self.value()})
        yield {"selected": False, "query_string": newest, "display": _("Newest")}
        yield {"selected": True, "query_string": here, "display": f"#{self.value()}"}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        before = _number(self.value())
        return queryset if before is None else queryset.filter(id__lt=before)


class BrokenFilter(admin.SimpleListFilter):
    """Jobs that cannot run until somebody mends them."""

    title = _("broken")
    parameter_name = "broken"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        # What the nodes found broken, and what they have not looked at yet but cannot be whole.
        broken = Q(stale=Staleness.BROKEN) | ~Q(definition__in=[each.name for each in registry])
        match self.value():
            case None:
                return queryset
            case "yes":
                return queryset.filter(broken)
            case "no":
                return queryset.exclude(broken)
        raise IncorrectLookupParameters


class KeyStateFilter(admin.SimpleListFilter):
    """Keys of the API that are good, and those that are no longer."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(KeyState.choices)

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[ApiKey]:
        value = self.value()
        if value is not None and value not in KeyState.values:
            raise IncorrectLookupParameters
        keys: QuerySet[ApiKey] = queryset
        return keys if value is None else queryset.in_state(KeyState(value), timezone.now())


def _number(value: str | None) -> int | None:
    if value is None:
        return None
    number = row_id(value)
    if number is None:
        raise IncorrectLookupParameters
    return number
