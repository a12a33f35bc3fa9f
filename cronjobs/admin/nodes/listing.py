"""The list of nodes and the page of one: which processes are there, whether they live, and what they run."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.db.models.expressions import Combinable
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cronjobs import permissions
from cronjobs.admin import rendering
from cronjobs.admin.nodes import cells
from cronjobs.admin.nodes.draining import DrainingAdmin
from cronjobs.admin.nodes.page import node_page
from cronjobs.database import DatabaseNow
from cronjobs.models import Node
from cronjobs.models.choices import NodeStatus


class ProcessList(ChangeList):
    """A list of processes, in which each has the executions that run on it."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        nodes: list[Any] = list(self.result_list)
        running = cells.running_on([each.name for each in nodes])
        may_see = request.user.has_perm(permissions.VIEW_EXECUTIONS)
        for each in nodes:
            each.executions, each.are_links = running.get(each.name, []), may_see
        self.result_list = nodes

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Combinable]:
        if ORDER_VAR in self.params:
            return super().get_ordering(request, queryset)
        # Not by the heartbeat: while somebody reads, rows must not change places.
        return ["rank", "name"]


class NodeList(ProcessList):
    """The list of nodes."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        # Its page alone shows a node's trend.
        return super().get_queryset(request, *args, **kwargs).defer("memory_trend")


class NodeAdmin(DrainingAdmin):
    """Nodes, as they described themselves at their last heartbeat, and what the executions' rows say they run."""

    list_display = (
        "name",
        "shown_state",
        "shown_load",
        "shown_work",
        "shown_heartbeat_at",
        "shown_last_tick_at",
        "shown_memory",
        "version",
    )
    fields = ("name",)
    search_fields = ("name", "hostname")
    sortable_by = ("name", "version")

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, node: Any) -> str:
        warnings = cells.stuck_warning(node), cells.broker_warning(node), cells.skew_warning(node)
        return rendering.lines(cells.state(node), *warnings)

    @admin.display(description=gettext_lazy("load"))
    def shown_load(self, node: Any) -> str:
        load, cpu = cells.load(node, len(node.executions)), cells.cpu(node)
        processor = rendering.quiet(_("CPU %(percent)s") % {"percent": cpu}) if cpu != rendering.NOTHING else ""
        return rendering.nothing() if load == rendering.NOTHING else rendering.lines(load, processor)

    @admin.display(description=gettext_lazy("runs"))
    def shown_work(self, node: Any) -> str:
        if not node.executions:
            return rendering.nothing()
        return cells.work(node, node.executions, are_links=node.are_links)

    @admin.display(description=gettext_lazy("last heartbeat"))
    def shown_heartbeat_at(self, node: Any) -> str:
        return rendering.labelled(_("Last heartbeat"), cells.heartbeat(node))

    @admin.display(description=gettext_lazy("last tick"))
    def shown_last_tick_at(self, node: Any) -> str:
        return rendering.labelled(_("Last tick"), cells.tick(node))

    @admin.display(description=gettext_lazy("memory"))
    def shown_memory(self, node: Any) -> str:
        return rendering.labelled(_("Memory"), rendering.memory(node.rss_bytes))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[NodeList]:
        return NodeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        nodes: Any = super().get_queryset(request)
        # By the database's clock, whatever that of the web server says.
        found: QuerySet[Node] = nodes.with_state().annotate(now=DatabaseNow(), rank=rank())
        return found

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        node: Any = context["original"]
        if node is not None:
            context.update(node_page(node, cells.running_on([node.name])[node.name]))
            context["subtitle"] = None
            may_drain = self.has_drain_permission(request, node)
            context["may_drain"] = may_drain and node.state == NodeStatus.ALIVE
            context["may_undrain"] = may_drain and node.state == NodeStatus.DRAINING
            context["may_see_executions"] = request.user.has_perm(permissions.VIEW_EXECUTIONS)
        return super().render_change_form(request, context, *args, **kwargs)


def rank() -> Case:
    """Return the expression by which those that are there come first, and those that stopped last."""
    ranks = {NodeStatus.ALIVE: 0, NodeStatus.DRAINING: 0, NodeStatus.SILENT: 1}
    cases = [When(state=state, then=Value(rank)) for state, rank in ranks.items()]
    return Case(*cases, default=Value(2), output_field=IntegerField())
