"""A list of executions as CSV, sent while it is read: few rows are in memory, however many there are."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, cast

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy

from cronjobs.admin import rendering
from cronjobs.admin.executions.found import ExecutionList, selected, with_tails
from cronjobs.admin.pages import ReadOnlyAdmin
from cronjobs.admin.streams import streamed
from cronjobs.conf import words_to_mask
from cronjobs.models import JobExecution
from cronjobs.storable import rfc3339, storable_text

# A web server gives up on an answer that takes minutes. The newest come first.
MOST_EXPORTED: Final = 100_000
_PIECE: Final = 1_000

# With what a spreadsheet takes for a formula, some also in their wide forms.
_FORMULA: Final = tuple("=+-@＝＋－＠")  # noqa: RUF001 - the wide forms are meant


def _time(at: datetime | None) -> str:
    return "" if at is None else rfc3339(at)


def _inert(text: str) -> str:
    """Return text such that no spreadsheet computes it."""
    begin = text.lstrip(" ")[:1]
    return f"'{text}" if begin and (begin in _FORMULA or not begin.isprintable()) else text


def _said(text: str) -> str:
    """Return what people and programs have said: masked again, by the words of today."""
    return _inert(storable_text(text, mask=words_to_mask())) if text else ""


def _lateness(execution: JobExecution) -> int | None:
    late = execution.lateness
    return None if late is None else round(late.total_seconds() * 1000)


# Named as in the API. Times are RFC 3339 in UTC.
COLUMNS: Final[dict[str, Callable[[Any], object]]] = {
    "executionId": lambda row: row.pk,
    "jobName": lambda row: _inert(row.job_name),
    "status": lambda row: _inert(row.status),
    "trigger": lambda row: _inert(row.trigger),
    "scheduledFor": lambda row: _time(row.scheduled_for),
    "queuedAt": lambda row: _time(row.queued_at),
    "firstStartedAt": lambda row: _time(row.first_started_at),
    "startedAt": lambda row: _time(row.started_at),
    "finishedAt": lambda row: _time(row.finished_at),
    "lateMs": _lateness,
    "durationMs": lambda row: row.duration_ms,
    "attempt": lambda row: row.attempt,
    "maxAttempts": lambda row: row.max_attempts,
    "queue": lambda row: _inert(row.queue),
    "priority": lambda row: row.priority,
    "node": lambda row: _inert(row.node),
    "requestedBy": lambda row: _said(row.requested_by),
    "errorType": lambda row: _said(row.error_type),
    "error": lambda row: _said(rendering.last_line(row.error_tail)),
    "reason": lambda row: _said(rendering.last_line(row.reason_tail)),
    "peakRssBytes": lambda row: row.peak_rss_bytes,
    "cpuMs": lambda row: row.cpu_ms,
    "flow": lambda row: row.flow,
    "retryOf": lambda row: row.retry_of_id,
}
# What these need, beside the ends of messages.
_READ: Final = (
    "job_name", "status", "trigger", "scheduled_for", "queued_at", "due_at", "first_started_at", "started_at",
    "finished_at", "duration_ms", "attempt", "max_attempts", "queue", "priority", "node", "requested_by",
    "error_type", "peak_rss_bytes", "cpu_ms", "flow", "retry_of",
)  # fmt: skip


class ExecutionExportAdmin(ReadOnlyAdmin):
    """What the executions' admin needs to give a list away: an address and an action, for whoever may see it."""

    @admin.action(description=gettext_lazy("Export selected executions as CSV"), permissions=["view"])
    def export_selected(self, request: HttpRequest, executions: QuerySet[JobExecution]) -> HttpResponseBase:
        return csv_response(request, selected(request, executions))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name="cronjobs_jobexecution_export"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"most_exported": MOST_EXPORTED, **(extra_context or {})})

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with the list of the same query string, all its pages and windows, as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            found = cast(ExecutionList, self.get_changelist_instance(request))
        except IncorrectLookupParameters:
            # As the list itself answers to what makes no sense.
            url = reverse("admin:cronjobs_jobexecution_changelist", current_app=self.admin_site.name)
            return HttpResponseRedirect(f"{url}?{ERROR_FLAG}=1")
        return csv_response(request, found.whole)


def csv_response(request: HttpRequest, executions: QuerySet[JobExecution]) -> HttpResponseBase:
    """Return the newest of these executions, at most `MOST_EXPORTED`; the file's name says if there are more."""
    ids = executions.order_by("-pk").values_list("pk", flat=True)
    is_cut = ids[MOST_EXPORTED : MOST_EXPORTED + 1].first() is not None
    part = f"-newest-{MOST_EXPORTED}" if is_cut else ""
    name = f"executions-{timezone.now().astimezone(UTC):%Y%m%dT%H%M%SZ}{part}.csv"
    return streamed(request, csv_pieces(executions), content_type="text/csv; charset=utf-8", filename=name)


def csv_pieces(executions: QuerySet[JobExecution]) -> Iterator[str]:
    """Yield a line with the columns' names, and then many lines at a time, the newest execution first."""
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_NONNUMERIC)
    yield writer.writerow(COLUMNS)
    rows, left, last = with_tails(executions.order_by("-pk")).only(*_READ), MOST_EXPORTED, None
    while left > 0:
        # Each piece goes on below the last: nothing is skipped over, and no cursor is held open.
        piece = list((rows if last is None else rows.filter(pk__lt=last))[: min(left, _PIECE)])
        if not piece:
            return
        yield "".join(writer.writerow([read(each) for read in COLUMNS.values()]) for each in piece)
        last, left = piece[-1].pk, left - len(piece)


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text
