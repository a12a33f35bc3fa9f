"""What an execution has said, and what went wrong in each of its attempts."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.api.requests.lookups import find_execution
from cronjobs.api.requests.queries import Query, next_address, one_of, whole_number
from cronjobs.api.views import CronView
from cronjobs.manager.records import attempt_document, line_document
from cronjobs.models import ExecutionAttempt, ExecutionLog
from cronjobs.models.log_lines import HIGHEST_ATTEMPT, Place, line_text, parse_place, place_of, read_lines
from cronjobs.storable import rfc3339

MOST_LINES = 1_000
MOST_ATTEMPTS = 100


class AttemptsView(CronView):
    """``GET executions/<number>/attempts?after=&limit=``: the attempts that failed or were lost, oldest first.

    ``next`` is the address of those that follow; null: none do.
    """

    permissions = (permissions.VIEW_EXECUTIONS,)
    takes_limited_keys = True

    def get(self, request: Request, pk: str) -> Response:
        query = Query(request, known=("after", "limit"))
        after = query.read("after", whole_number(HIGHEST_ATTEMPT, least=0), default=0)
        limit = query.read("limit", whole_number(MOST_ATTEMPTS), default=MOST_ATTEMPTS)
        query.done()
        execution = find_execution(request, pk, "status")
        attempts = ExecutionAttempt.objects.filter(execution_id=execution.pk, attempt__gt=after)
        rows = list(attempts.order_by("attempt")[: limit + 1])
        is_more, rows = len(rows) > limit, rows[:limit]
        document = {
            "success": True,
            "executionId": execution.pk,
            "attempts": [attempt_document(each) for each in rows],
            "next": next_address(request, after=rows[-1].attempt) if is_more else None,
            "timestamp": rfc3339(timezone.now()),
        }
        return Response(document)


class LogsView(CronView):
    """``GET executions/<number>/logs?after=&limit=&format=``: what an execution has logged, in its order.

    ``next`` is the address of what follows these lines, also if there is nothing yet; ``isFinal``
    says that nothing will. With ``format=text`` the lines come as plain text, and both in the
    headers ``Link`` and ``X-Is-Final``.
    """

    permissions = (permissions.VIEW_EXECUTIONS,)
    takes_limited_keys = True

    def get(self, request: Request, pk: str) -> HttpResponseBase:
        query = Query(request, known=("after", "limit", "format"))
        after = query.read("after", parse_place, default=Place())
        limit = query.read("limit", whole_number(MOST_LINES), default=MOST_LINES)
        kind = query.read("format", one_of(("json", "text")), default="json")
        query.done()
        # In this order: an execution that had ended before its lines were read has no others.
        execution = find_execution(request, pk, "status")
        lines = read_lines(execution.pk, after=after, limit=limit + 1)
        is_final, lines = execution.is_final and len(lines) <= limit, lines[:limit]
        following = next_address(request, after=place_of(lines[-1]) if lines else after)
        if kind == "text":
            return _text(lines, following=following, is_final=is_final)
        document = {
            "success": True,
            "executionId": execution.pk,
            "status": execution.status,
            "lines": [line_document(each) for each in lines],
            "next": following,
            "isFinal": is_final,
            "timestamp": rfc3339(timezone.now()),
        }
        return Response(document)


def _text(lines: Iterable[ExecutionLog], *, following: str, is_final: bool) -> HttpResponse:
    text = "".join(f"{line_text(each)}\n" for each in lines)
    headers = {
        "Link": f'<{following}>; rel="next"',
        "X-Is-Final": "true" if is_final else "false",
        # A job may log what a browser would take for a page.
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)
