"""Nodes in the admin: which processes are there, and whether they live."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cronjobs.admin import rendering
from cronjobs.admin.badges import Tone, badge
from cronjobs.admin.pages import ReadOnlyAdmin
from cronjobs.models import Node


class NodeAdmin(ReadOnlyAdmin):
    """Nodes, as they described themselves at their last heartbeat."""

    list_display = (
        "name",
        "shown_state",
        "hostname",
        "shown_pid",
        "version",
        "workers",
        "running",
        "shown_heartbeat_at",
        "shown_last_tick_at",
        "shown_memory",
    )
    fields = (
        "name",
        "shown_state",
        "hostname",
        "shown_pid",
        "version",
        "workers",
        "running",
        "shown_started_at",
        "shown_heartbeat_at",
        "shown_last_tick_at",
        "shown_stopped_at",
        "shown_memory",
        "clock_skew_ms",
    )
    search_fields = ("name", "hostname")
    sortable_by = ("name", "hostname", "version", "running")

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, node: Node) -> str:
        if node.stopped_at is not None:
            return badge(_("Stopped"), Tone.QUIET)
        if node.is_alive:  # type: ignore[attr-defined]  # annotated
            return badge(_("Alive"), Tone.GOOD)
        return badge(_("Dead"), Tone.BAD, title=_("It fell silent without saying that it stops."))

    @admin.display(description=gettext_lazy("process"))
    def shown_pid(self, node: Node) -> str:
        return str(node.pid)

    @admin.display(description=gettext_lazy("started"))
    def shown_started_at(self, node: Node) -> str:
        return rendering.moment(node.started_at)

    @admin.display(description=gettext_lazy("last heartbeat"))
    def shown_heartbeat_at(self, node: Node) -> str:
        return rendering.ago(node.heartbeat_at, now=timezone.now())

    @admin.display(description=gettext_lazy("last tick"))
    def shown_last_tick_at(self, node: Node) -> str:
        return rendering.ago(node.last_tick_at, now=timezone.now())

    @admin.display(description=gettext_lazy("stopped"))
    def shown_stopped_at(self, node: Node) -> str:
        return rendering.moment(node.stopped_at)

    @admin.display(description=gettext_lazy("memory"))
    def shown_memory(self, node: Node) -> str:
        return rendering.memory(node.rss_bytes)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        alive = Node.objects.alive().filter(pk=OuterRef("pk"))
        nodes: QuerySet[Node] = super().get_queryset(request)
        return nodes.annotate(is_alive=Exists(alive))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return False
