"""Celery workers in the admin: whether they live, which queues they serve, and what they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cronjobs.admin import rendering
from cronjobs.admin.nodes import cells
from cronjobs.admin.processes import ProcessAdmin, identity, up_for
from cronjobs.conf import settings_or_defaults
from cronjobs.models import JobExecution
from cronjobs.models.choices import NodeStatus


class WorkerAdmin(ProcessAdmin):
    """Workers, each with all its processes. There is nothing to ask of them here: Celery stops them."""

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

    @admin.display(description=gettext_lazy("queues"))
    def shown_queues(self, worker: Any) -> str:
        return rendering.labelled(_("Queues"), ", ".join(worker.queue_names) or rendering.NOTHING)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the index leads here: where Celery performs nothing, there is nothing to see."""
        return bool(settings_or_defaults().celery_app) and super().has_module_permission(request)

    def load_of(self, process: Any, running: int) -> str:
        if not cells.is_there(process):
            return rendering.NOTHING
        most = process.concurrency
        words = ngettext("%(running)d of %(most)d process", "%(running)d of %(most)d processes", most)
        return cells.busy(running, most, label=_("Busy processes"), words=words % {"running": running, "most": most})

    def page_of(self, process: Any, executions: Sequence[JobExecution]) -> Mapping[str, Any]:
        figures = (
            (_("Load"), self.load_of(process, len(executions))),
            (_("Memory"), rendering.memory(process.rss_bytes)),
            (_("Up for"), up_for(process)),
        )
        facts, signs = list(_facts(process)), list(_signs(process))
        return {"banners": list(_banners(process)), "figures": figures, "facts": facts, "signs": signs}


def _banners(worker: Any) -> Iterator[str]:
    if worker.state == NodeStatus.DRAINING:
        yield _("It takes no more messages, and ends when what it runs has ended.")
    elif worker.state == NodeStatus.SILENT:
        yield _(
            "It fell silent without saying that it stops. What it ran is given up by nodes when its leases have run out."
        )


def _facts(worker: Any) -> Iterator[tuple[str, str]]:
    yield from identity(worker)
    yield _("At once"), str(worker.concurrency)
    yield _("Queues"), ", ".join(worker.queue_names) or rendering.NOTHING


def _signs(worker: Any) -> Iterator[tuple[str, str]]:
    yield _("Started"), rendering.moment(worker.started_at)
    yield _("Last heartbeat"), cells.heartbeat(worker)
    if worker.stopped_at is not None:
        yield _("Stopped"), rendering.moment(worker.stopped_at)
