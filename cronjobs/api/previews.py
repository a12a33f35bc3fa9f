"""What a schedule would do, for programs that are about to use it: checked, and nothing written."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.api.errors import InvalidBody
from cronjobs.api.views import CronView
from cronjobs.conf import get_settings
from cronjobs.schedules import parse_schedule, parse_time_zone, preview
from cronjobs.storable import rfc3339

_MOST = 100


class PreviewView(CronView):
    """GET ?expression=&timeZone=&count=: the schedule in words, its coming due times, and notes on clock changes."""

    permissions = (permissions.VIEW_JOBS,)
    takes_limited_keys = True

    def get(self, request: Request) -> Response:
        """Answer 400 with the field that is to blame for what is not a schedule or not a zone."""
        query = request.query_params
        expression, zone = query.get("expression", ""), query.get("timeZone") or get_settings().time_zone
        parse_time_zone(zone)
        schedule = parse_schedule(expression).in_zone(zone)
        found = preview(schedule, after=timezone.now(), count=read_count(request))
        document: dict[str, Any] = {
            "success": True,
            "expression": str(schedule),
            "timeZone": zone,
            "description": schedule.describe(),
            "fires": [rfc3339(at) for at in found.times],
            "notes": list(found.notes),
            "timestamp": rfc3339(timezone.now()),
        }
        return Response(document)


def read_count(request: Request) -> int:
    """Return how many due times the query asks for; raise `InvalidBody`."""
    text = request.query_params.get("count", "10")
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= _MOST):
        raise InvalidBody(f"count must be a whole number from 1 to {_MOST}.")
    return int(text)
