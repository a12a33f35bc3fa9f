"""Metrics over HTTP, as text for a Prometheus server."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from cronjobs import metrics, permissions
from cronjobs.api.requests.queries import Query
from cronjobs.api.views import CronView


class MetricsView(CronView):
    """``GET metrics``: Prometheus' text format, or OpenMetrics for who asks for it. Errors are JSON all the same."""

    permissions = (permissions.VIEW_JOBS,)

    def get(self, request: Request) -> HttpResponse:
        Query(request, known=()).done()
        text, content_type = metrics.exposition(request.headers.get("Accept", ""))
        return HttpResponse(text, content_type=content_type)
