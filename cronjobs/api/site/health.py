"""How the installation is, part by part, and whether jobs fire: for monitors that have credentials."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import health, permissions
from cronjobs.api.errors import ErrorCode, error_document
from cronjobs.api.requests.queries import Query
from cronjobs.api.site.probes import is_ready
from cronjobs.api.views import CronView
from cronjobs.models.pausing import why_everything_is_paused
from cronjobs.storable import rfc3339


class HealthView(CronView):
    """``GET health``: what the job ``health-check`` looks at, now; nothing is written, not even to try it.

    200, or 503 if a part does not work: ``unhealthy`` names it, and ``checks`` says why. ``probes``
    holds what ``live``, ``ready`` and ``scheduling`` answer.
    """

    permissions = (permissions.VIEW_JOBS,)

    def get(self, request: Request) -> Response:
        Query(request, known=()).done()
        found = health.check_all(may_write=False)
        reason = health.why_unhealthy(found)
        probes = {"live": True, "ready": is_ready(), "scheduling": health.is_scheduling(found)}
        document = {"healthy": not reason, "probes": probes, **health.report(found)}
        return _no(ErrorCode.UNHEALTHY, reason, document) if reason else _yes(document)


class SchedulingView(CronView):
    """``GET scheduling``: a node is alive and ticks, none is stuck, and what is due is decided. The third probe beside live and ready.

    A pause is no fault: ``paused`` says that there is one, and the answer is still 200.
    """

    permissions = (permissions.VIEW_JOBS,)

    def get(self, request: Request) -> Response:
        Query(request, known=()).done()
        found = health.check_scheduling()
        document = {"checks": health.report(found)["checks"]}
        if not health.is_scheduling(found):
            return _no(ErrorCode.NOT_SCHEDULING, health.why_not_scheduling(found), document)
        paused = why_everything_is_paused()
        return _yes({"paused": bool(paused), "pausedBecause": paused or None, **document})


def _yes(document: dict[str, Any]) -> Response:
    return Response({"success": True, **document, "timestamp": rfc3339(timezone.now())})


def _no(code: ErrorCode, reason: str, document: dict[str, Any]) -> Response:
    return Response({**error_document(code, reason), **document}, status=code.status)
