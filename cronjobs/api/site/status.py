"""What every job and every node is doing, in one answer."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from cronjobs import permissions
from cronjobs.api.rendering import StrictJSONRenderer
from cronjobs.api.requests.access import reach
from cronjobs.api.views import CronView
from cronjobs.manager.status import status_text


class StatusView(CronView):
    """``GET status``: what every job and every node is doing."""

    permissions = (permissions.VIEW_JOBS,)
    takes_limited_keys = True

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(status_text(reach(request)), content_type=StrictJSONRenderer.media_type)
