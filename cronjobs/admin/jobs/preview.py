"""The preview beside a job's form: what the schedule that is being typed would do, or what is wrong with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from cronjobs.admin.pages import PageAdmin
from cronjobs.exceptions import CronJobsError
from cronjobs.models import Job
from cronjobs.parsing import row_id
from cronjobs.scheduler.previews import preview_job
from cronjobs.schedules import Cron, parse_time_zone

_SHOWN = 5
# What decides due times; the rest of the form may still be empty.
_FIELDS = (
    "definition",
    "schedule",
    "on_demand",
    "time_zone",
    "enabled",
    "paused",
    "paused_until",
    "starts_at",
    "ends_at",
    "calendar",
    "jitter",
)


class PreviewAdmin(PageAdmin):
    """What a job's admin needs to show coming due times while somebody types."""

    def get_urls(self) -> list[URLPattern]:
        return [
            path("preview/", self.admin_site.admin_view(self.preview_view), name="cronjobs_job_preview"),
            *super().get_urls(),
        ]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Answer GET, with a form's fields as the query, with a fragment of HTML; nothing is written."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        return TemplateResponse(request, "admin/cronjobs/job/preview.html", self._preview_context(request))

    def _preview_context(self, request: HttpRequest) -> dict[str, Any]:
        number = row_id(request.GET.get("job", ""))
        stored = None if number is None else Job.objects.filter(pk=number).first()
        form = self.get_form(request, stored, change=stored is not None)(request.GET, instance=stored)
        # Validating fills the instance in; what other fields have to say is said when the form is sent.
        form.is_valid()
        complaints = [(name, text) for name, texts in form.errors.items() if name in _FIELDS for text in texts]
        return {"complaints": complaints} if complaints else _preview(form.instance)


def _preview(job: Job) -> dict[str, Any]:
    try:
        resolved = job.resolve()
        found = preview_job(job, after=timezone.now(), count=_SHOWN)
    except CronJobsError as error:
        return {"complaints": [("schedule", str(error))]}
    schedule, zone = resolved.schedule, parse_time_zone(resolved.time_zone)
    advice = schedule.nominal.advice(now=timezone.now()) if schedule and isinstance(schedule.nominal, Cron) else ()
    return {
        "description": schedule.describe() if schedule else "",
        "fires": [(each, _times(each.at, zone)) for each in found.fires],
        "notes": dict.fromkeys([*found.notes, *advice]),
    }


def _times(at: datetime, zone: ZoneInfo) -> list[str]:
    """Return a time as the schedule's zone has it, as whoever looks has it, and in UTC; each once."""
    zones = (zone, timezone.get_current_timezone(), UTC)
    return list(dict.fromkeys(f"{at.astimezone(each):%Y-%m-%d %H:%M:%S %Z}" for each in zones))
