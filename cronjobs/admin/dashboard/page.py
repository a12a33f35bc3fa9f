"""The page itself: who may see it, what is read for it, and in which order."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.text import capfirst

from cronjobs import permissions
from cronjobs.admin.dashboard import panels
from cronjobs.admin.dashboard.firing import read_firing
from cronjobs.admin.dashboard.hours import last_hours
from cronjobs.admin.dashboard.jobs import read_jobs
from cronjobs.admin.dashboard.mongodb import mongodb_probe
from cronjobs.admin.dashboard.nodes import read_nodes
from cronjobs.admin.dashboard.queues import read_waiting
from cronjobs.admin.dashboard.state import Findings
from cronjobs.admin.dashboard.timeline import read_timeline
from cronjobs.admin.dashboard.upcoming import upcoming
from cronjobs.admin.dashboard.workers import read_workers
from cronjobs.admin.pages import ReadOnlyAdmin

# Seconds from one look to the next, of a browser that shows the page.
REFRESH = 5


class DashboardAdmin(ReadOnlyAdmin):
    """One page where other models have a list; there is nothing to open, to add or to change."""

    class Media:
        css: ClassVar = {"all": ("cronjobs/dashboard.css",)}

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person may see what jobs there are, and what they did."""
        return request.user.has_perms((permissions.VIEW_JOBS, permissions.VIEW_EXECUTIONS))

    def get_urls(self) -> list[URLPattern]:
        # Not Django's others: behind the dashboard's name there are jobs, whose parameters would be shown unmasked.
        return [path("", self.admin_site.admin_view(self.changelist_view), name="cronjobs_dashboard_changelist")]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if (complaint := self._complaint(request)) is not None:
            return complaint
        if not self.has_view_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(self.opts.verbose_name_plural),
            "subtitle": None,
            "opts": self.opts,
            "media": self.media,
            "live_seconds": REFRESH,
            "zone": timezone.get_current_timezone_name(),
            **_panels(),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/cronjobs/dashboard/page.html", context)


def _panels() -> dict[str, Any]:
    """Return what each panel shows, by the name that its template has for it."""
    nodes = read_nodes()
    now = nodes.now
    firing, paused = read_firing()
    waiting = read_waiting(now, paused)
    jobs = read_jobs(now, is_everything_paused=waiting.is_everything_paused)
    timeline = read_timeline(jobs)
    hours = last_hours(now, timezone.get_current_timezone())
    workers = read_workers()
    findings = Findings(
        nodes=nodes,
        workers=workers,
        waiting=waiting,
        mongodb=mongodb_probe(),
        broken=jobs.broken,
        failed=len(timeline.bad),
        firing=firing,
    )
    return {
        "state": panels.state_panel(findings, timeline),
        "failures": panels.failures_panel(timeline),
        "timeline": panels.timeline_panel(timeline, jobs),
        "hours": panels.hours_panel(hours),
        "ranking": panels.ranking_panel(hours, jobs),
        "upcoming": panels.upcoming_panel(
            upcoming(jobs, workers=nodes.workers + (workers.concurrency if workers else 0)), jobs, waiting
        ),
        "cleanup": panels.cleanup_panel(hours, jobs),
        "memory": panels.memory_panel(nodes),
    }
