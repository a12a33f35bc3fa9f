"""The log of an execution: page by page, from a level on, as it grows, and as a file."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from cronjobs.admin import rendering
from cronjobs.admin.pages import ReadOnlyAdmin
from cronjobs.admin.streams import streamed
from cronjobs.models import ExecutionLog, JobExecution
from cronjobs.models.log_lines import Place, level_name, line_text, log_pieces, parse_place, place_of, read_lines
from cronjobs.parsing import row_id

LINES_PER_PAGE: Final = 500
# So many at a time are added to a page that is open.
_LINES_ADDED: Final = 200
# In characters. What is longer is cut, and has an address of its own.
_LONGEST: Final = 2_000

# What `?level=` stands for: the lowest level that is shown.
_LEVELS: Final = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row of the log."""

    place: str
    attempt: int
    level: str
    css_class: str
    time: str
    message: str
    data: SafeString | None
    # Where the whole line is; empty: here.
    url: str


class ExecutionLogAdmin(ReadOnlyAdmin):
    """What the executions' admin needs to show logs: addresses for what is new, and for all of it as a file."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/log/new/", view(self.new_lines_view), name="cronjobs_jobexecution_log_new"),
            path("<path:object_id>/log/text/", view(self.log_text_view), name="cronjobs_jobexecution_log_text"),
            *super().get_urls(),
        ]

    def new_lines_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer with the lines after ``?after=``, as rows of the table, and with the place to go on from.

        With ``?level=`` the lines of lower levels are passed over.
        """
        # In this order: an execution that had ended before its lines were read has no others.
        execution = self._logging(request, object_id)
        after, level = _place(request.GET.get("after", "")), lowest_level(request.GET.get("level"))
        found = read_lines(execution.pk, after=after, limit=_LINES_ADDED + 1)
        is_more, found = len(found) > _LINES_ADDED, found[:_LINES_ADDED]
        lines = table_lines(execution, [each for each in found if each.level >= level])
        answer = {
            "html": render_to_string("admin/cronjobs/jobexecution/log_lines.html", {"log_lines": lines}, request),
            "after": str(place_of(found[-1]) if found else after),
            "isMore": is_more,
            "isFinal": execution.is_final and not is_more,
        }
        return JsonResponse(answer)

    def log_text_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Answer with the whole log as a file, or with the one line at ``?line=`` as text."""
        execution = self._logging(request, object_id)
        if "line" in request.GET:
            return _one_line(execution, _place(request.GET["line"]))
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", execution.job_name)
        pieces, kind = log_pieces(execution.pk), "text/plain; charset=utf-8"
        return streamed(request, pieces, content_type=kind, filename=f"{name}-{execution.pk}.log")

    def _logging(self, request: HttpRequest, object_id: str) -> JobExecution:
        """Return the execution, with as little of it as a log needs."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        execution = JobExecution.objects.only("status", "job_name").filter(pk=row_id(object_id) or 0).first()
        if execution is None:
            raise Http404
        return execution


def log_section(execution: JobExecution, *, page: str | None, level: str | None) -> dict[str, Any]:
    """Return the template's variables; `page` and `level` are as the query string has them.

    The last page of what is not final is shown first, and goes on growing.
    """
    lines = _from_level(execution, lowest_level(level))
    # Read before the page: what is added between the two is shown twice at most, and its rows have ids.
    newest = execution.log_lines.order_by("-attempt", "-number").first() if not execution.is_final else None
    paginator = Paginator(lines, LINES_PER_PAGE)
    log = paginator.get_page(paginator.num_pages if page is None and not execution.is_final else page or 1)
    return {
        "log": log,
        "log_lines": table_lines(execution, log),
        "log_pages": paginator.get_elided_page_range(log.number),
        "log_level": level if level in _LEVELS else "",
        "log_levels": _choices(),
        "log_grows": not execution.is_final and log.number == paginator.num_pages,
        "log_after": str(Place() if newest is None else place_of(newest)),
    }


def lowest_level(name: str | None) -> int:
    """Return the number of the lowest level that a choice shows; 0: whatever there is."""
    return _LEVELS.get(name or "", 0)


def table_lines(execution: JobExecution, rows: Iterable[ExecutionLog]) -> Iterator[Line]:
    """Yield lines made ready for their template."""
    text_url = reverse("admin:cronjobs_jobexecution_log_text", args=[execution.pk])
    for row in rows:
        data = "" if row.data is None else json.dumps(row.data, ensure_ascii=False)
        is_cut = len(row.message) > _LONGEST or len(data) > _LONGEST
        yield Line(
            place=str(place_of(row)),
            attempt=row.attempt,
            level=level_name(row),
            css_class=_level_class(row.level),
            time=rendering.precise_moment(row.logged_at),
            message=_cut(row.message),
            data=_data(row, data),
            url=f"{text_url}?line={place_of(row)}" if is_cut else "",
        )


def _from_level(execution: JobExecution, level: int) -> QuerySet[ExecutionLog]:
    lines = execution.log_lines.order_by("attempt", "number")
    return lines.filter(level__gte=level) if level else lines


def _choices() -> list[tuple[str, str]]:
    return [
        ("", _("All levels")),
        ("info", _("Info and above")),
        ("warning", _("Warnings and errors")),
        ("error", _("Errors")),
    ]


def _data(row: ExecutionLog, text: str) -> SafeString | None:
    if row.data is None:
        return None
    # A part of JSON is none, and can only be masked as text; it was masked before it was stored.
    return rendering.masked_text(_cut(text)) if len(text) > _LONGEST else rendering.compact_json(row.data)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _level_class(level: int) -> str:
    if level >= logging.ERROR:
        return "cron-error"
    if level >= logging.WARNING:
        return "cron-warning"
    return "cron-info" if level >= logging.INFO else "cron-debug"


def _place(text: str) -> Place:
    try:
        return parse_place(text)
    except ValueError as error:
        raise Http404 from error


def _one_line(execution: JobExecution, place: Place) -> HttpResponse:
    line = execution.log_lines.filter(attempt=place.attempt, number=place.number).first()
    if line is None:
        raise Http404
    headers = {"X-Content-Type-Options": "nosniff"}
    return HttpResponse(f"{line_text(line)}\n", content_type="text/plain; charset=utf-8", headers=headers)
