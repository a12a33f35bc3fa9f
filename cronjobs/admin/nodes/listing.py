"""The list of nodes and the page of one: which processes are there, whether they live, and what they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cronjobs.admin import rendering
from cronjobs.admin.nodes import cells
from cronjobs.admin.nodes.draining import DrainingAdmin
from cronjobs.admin.nodes.page import node_page
from cronjobs.admin.processes import ProcessAdmin, ProcessList
from cronjobs.models import JobExecution
from cronjobs.models.choices import NodeStatus


class NodeList(ProcessList):
    """The list of nodes."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        # Its page alone shows a node's trend.
        return super().get_queryset(request, *args, **kwargs).defer("memory_trend")


class NodeAdmin(DrainingAdmin, ProcessAdmin):
    """Nodes, which people may ask to drain."""

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

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, process: Any) -> str:
        warnings = cells.stuck_warning(process), cells.broker_warning(process), cells.skew_warning(process)
        return rendering.lines(cells.state(process), *warnings)

    @admin.display(description=gettext_lazy("load"))
    def shown_load(self, process: Any) -> str:
        load, cpu = super().shown_load(process), cells.cpu(process)
        processor = rendering.quiet(_("CPU %(percent)s") % {"percent": cpu}) if cpu != rendering.NOTHING else ""
        return rendering.lines(load, processor)

    @admin.display(description=gettext_lazy("last tick"))
    def shown_last_tick_at(self, node: Any) -> str:
        return rendering.labelled(_("Last tick"), cells.tick(node))

    def load_of(self, process: Any, running: int) -> str:
        return cells.load(process, running)

    def page_of(self, process: Any, executions: Sequence[JobExecution]) -> Mapping[str, Any]:
        return node_page(process, executions)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[NodeList]:
        return NodeList

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        node: Any = context["original"]
        if node is not None:
            may_drain = self.has_drain_permission(request, node)
            context["may_drain"] = may_drain and node.state == NodeStatus.ALIVE
            context["may_undrain"] = may_drain and node.state == NodeStatus.DRAINING
        return super().render_change_form(request, context, *args, **kwargs)
