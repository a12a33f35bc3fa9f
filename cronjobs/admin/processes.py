"""What nodes and Celery workers have in common in the admin: a list of processes, and the page of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.db.models.expressions import Combinable
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cronjobs import permissions
from cronjobs.admin import rendering
from cronjobs.admin.badges import node_badge, overrun_badge
from cronjobs.admin.nodes import cells
from cronjobs.admin.pages import ReadOnlyAdmin
from cronjobs.database import DatabaseNow
from cronjobs.models import JobExecution
from cronjobs.models.choices import NodeStatus


class ProcessList(ChangeList):
    """A list of processes, in which each has the executions that run on it."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        processes: list[Any] = list(self.result_list)
        running = cells.running_on([each.name for each in processes])
        may_see = request.user.has_perm(permissions.VIEW_EXECUTIONS)
        for each in processes:
            each.executions, each.are_links = running.get(each.name, []), may_see
        self.result_list = processes

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Combinable]:
        if ORDER_VAR in self.params:
            return super().get_ordering(request, queryset)
        # Not by the heartbeat: while somebody reads, rows must not change places.
        return ["rank", "name"]


class ProcessAdmin(ReadOnlyAdmin):
    """Processes, as they described themselves at their last heartbeat, and what the executions' rows say they run."""

    fields = ("name",)
    search_fields = ("name", "hostname")
    sortable_by = ("name", "version")
    change_list_template = "admin/cronjobs/process/change_list.html"
    change_form_template = "admin/cronjobs/process/change_form.html"

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, process: Any) -> str:
        return node_badge(process.state)

    @admin.display(description=gettext_lazy("load"))
    def shown_load(self, process: Any) -> str:
        load = self.load_of(process, len(process.executions))
        return rendering.nothing() if load == rendering.NOTHING else load

    @admin.display(description=gettext_lazy("runs"))
    def shown_work(self, process: Any) -> str:
        if not process.executions:
            return rendering.nothing()
        return cells.work(process, process.executions, are_links=process.are_links)

    @admin.display(description=gettext_lazy("last heartbeat"))
    def shown_heartbeat_at(self, process: Any) -> str:
        return rendering.labelled(_("Last heartbeat"), cells.heartbeat(process))

    @admin.display(description=gettext_lazy("memory"))
    def shown_memory(self, process: Any) -> str:
        return rendering.labelled(_("Memory"), rendering.memory(process.rss_bytes))

    def load_of(self, process: Any, running: int) -> str:
        """Return how much of what the process can do at once it does, as a bar and in words."""
        raise NotImplementedError

    def page_of(self, process: Any, executions: Sequence[JobExecution]) -> Mapping[str, Any]:
        """Return the template's variables that are this kind's own: banners, figures, facts and signs of life."""
        raise NotImplementedError

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ProcessList]:
        return ProcessList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        processes: Any = super().get_queryset(request)
        # By the database's clock, whatever that of the web server says.
        found: QuerySet[Any] = processes.with_state().annotate(now=DatabaseNow(), rank=_rank())
        return found

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        process: Any = context["original"]
        if process is not None:
            executions = cells.running_on([process.name])[process.name]
            context.update(_page(process, executions), **self.page_of(process, executions))
            context["figures"] = [each for each in context["figures"] if each[1] != rendering.NOTHING]
            context["may_see_executions"] = request.user.has_perm(permissions.VIEW_EXECUTIONS)
        return super().render_change_form(request, context, *args, **kwargs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A row of the table of what a process runs."""

    execution: JobExecution
    overrun: SafeString
    started: str
    duration: str


def up_for(process: Any) -> str:
    """Return for how long a process has been there, if it is."""
    return rendering.duration(process.now - process.started_at) if cells.is_there(process) else rendering.NOTHING


def identity(process: Any) -> Iterator[tuple[str, str]]:
    """Yield which process it is."""
    yield _("Host"), process.hostname
    yield _("Process"), str(process.pid)
    yield _("Version"), process.version


def _page(process: Any, executions: Sequence[JobExecution]) -> dict[str, Any]:
    """Return the template's variables that every process has; it has its `state` and the database's `now`."""
    return {
        "title": process.name,
        "subtitle": None,
        "badge": node_badge(process.state),
        "is_silent": process.state == NodeStatus.SILENT,
        "may_change": process.state != NodeStatus.STOPPED,
        "work": [_work(each, process) for each in executions],
    }


def _work(execution: JobExecution, process: Any) -> Work:
    return Work(
        execution=execution,
        overrun=overrun_badge(execution, now=process.now),
        started=rendering.moment(execution.started_at),
        duration=rendering.running_time(execution, now=process.now),
    )


def _rank() -> Case:
    """Return the expression by which those that are there come first, and those that stopped last."""
    ranks = {NodeStatus.ALIVE: 0, NodeStatus.DRAINING: 0, NodeStatus.SILENT: 1}
    cases = [When(state=state, then=Value(rank)) for state, rank in ranks.items()]
    return Case(*cases, default=Value(2), output_field=IntegerField())
