"""Celery workers in the admin: whether they live, which queues they serve, and what they run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cronjobs import permissions
from cronjobs.admin import rendering
from cronjobs.admin.badges import node_badge
from cronjobs.admin.nodes import cells
from cronjobs.admin.nodes.listing import ProcessList, rank
from cronjobs.admin.nodes.page import work_rows
from cronjobs.admin.pages import ReadOnlyAdmin
from cronjobs.conf import settings_or_defaults
from cronjobs.database import DatabaseNow
from cronjobs.models import CeleryWorker, JobExecution
from cronjobs.models.choices import NodeStatus


class WorkerAdmin(ReadOnlyAdmin):
    """Workers, as they described themselves at their last heartbeat, and what the executions' rows say they run."""

    list_display = (
        "name",
        "shown_state",
        "shown_load",
        "shown_work",
        "shown_queues",
        "shown_heartbeat_at",
        "shown_memory",
        "version",
    )
    fields = ("name",)
    search_fields = ("name", "hostname")
    sortable_by = ("name", "version")

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, worker: Any) -> str:
        return node_badge(worker.state)

    @admin.display(description=gettext_lazy("load"))
    def shown_load(self, worker: Any) -> str:
        load = _load(worker, len(worker.executions))
        return rendering.nothing() if load == rendering.NOTHING else load

    @admin.display(description=gettext_lazy("runs"))
    def shown_work(self, worker: Any) -> str:
        if not worker.executions:
            return rendering.nothing()
        return cells.work(worker, worker.executions, are_links=worker.are_links)

    @admin.display(description=gettext_lazy("queues"))
    def shown_queues(self, worker: Any) -> str:
        return rendering.labelled(_("Queues"), ", ".join(worker.queue_names) or rendering.NOTHING)

    @admin.display(description=gettext_lazy("last heartbeat"))
    def shown_heartbeat_at(self, worker: Any) -> str:
        return rendering.labelled(_("Last heartbeat"), cells.heartbeat(worker))

    @admin.display(description=gettext_lazy("memory"))
    def shown_memory(self, worker: Any) -> str:
        return rendering.labelled(_("Memory"), rendering.memory(worker.rss_bytes))

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the index leads here: where Celery performs nothing, there is nothing to see."""
        return bool(settings_or_defaults().celery_app) and super().has_module_permission(request)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ProcessList]:
        return ProcessList

    def get_queryset(self, request: HttpRequest) -> QuerySet[CeleryWorker]:
        workers: Any = super().get_queryset(request)
        # By the database's clock, whatever that of the web server says.
        found: QuerySet[CeleryWorker] = workers.with_state().annotate(now=DatabaseNow(), rank=rank())
        return found

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        worker: Any = context["original"]
        if worker is not None:
            context.update(_page(worker, cells.running_on([worker.name])[worker.name]))
            context["subtitle"] = None
            context["may_see_executions"] = request.user.has_perm(permissions.VIEW_EXECUTIONS)
        return super().render_change_form(request, context, *args, **kwargs)


def _page(worker: Any, executions: Sequence[JobExecution]) -> dict[str, Any]:
    """Return the template's variables; the worker has its `state` and the database's `now`."""
    up = rendering.duration(worker.now - worker.started_at) if cells.is_there(worker) else rendering.NOTHING
    figures = (
        (_("Load"), _load(worker, len(executions))),
        (_("Memory"), rendering.memory(worker.rss_bytes)),
        (_("Up for"), up),
    )
    return {
        "title": worker.name,
        "badge": node_badge(worker.state),
        "is_draining": worker.state == NodeStatus.DRAINING,
        "is_silent": worker.state == NodeStatus.SILENT,
        "may_change": worker.state != NodeStatus.STOPPED,
        "figures": [(label, value) for label, value in figures if value != rendering.NOTHING],
        "facts": list(_facts(worker)),
        "signs": list(_signs(worker)),
        "work": work_rows(executions, worker),
    }


def _load(worker: Any, running: int) -> str:
    """Return how much of what the worker can do at once it does, as a bar and in words."""
    if not cells.is_there(worker):
        return rendering.NOTHING
    most = worker.concurrency
    words = ngettext("%(running)d of %(most)d process", "%(running)d of %(most)d processes", most)
    return cells.busy(running, most, label=_("Busy processes"), words=words % {"running": running, "most": most})


def _facts(worker: Any) -> Iterator[tuple[str, str]]:
    yield _("Host"), worker.hostname
    yield _("Process"), str(worker.pid)
    yield _("Version"), worker.version
    yield _("At once"), str(worker.concurrency)
    yield _("Queues"), ", ".join(worker.queue_names) or rendering.NOTHING


def _signs(worker: Any) -> Iterator[tuple[str, str]]:
    yield _("Started"), rendering.moment(worker.started_at)
    yield _("Last heartbeat"), cells.heartbeat(worker)
    if worker.stopped_at is not None:
        yield _("Stopped"), rendering.moment(worker.stopped_at)
