"""What a schedule would do, for programs that are about to use it: checked, and nothing written."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.api.requests.queries import Query, whole_number
from cronjobs.api.views import CronView
from cronjobs.conf import get_settings
from cronjobs.schedules import parse_schedule, parse_time_zone, preview
from cronjobs.storable import rfc3339

MOST = 100


class PreviewView(CronView):
    """GET ?expression=&timeZone=&count=: the schedule in words, its coming due times, and notes on clock changes."""

    permissions = (permissions.VIEW_JOBS,)
    takes_limited_keys = True

    def get(self, request: Request) -> Response:
        """Answer 400 with the field that is to blame for what is not a schedule or not a zone."""
        query = Query(request, known=("expression", "timeZone", "count"))
        expression = query.read("expression", str, default="")
        zone = query.read("timeZone", str, default="") or get_settings().time_zone
        count = read_count(query)
        query.done()
        parse_time_zone(zone)
        schedule = parse_schedule(expression).in_zone(zone)
        found = preview(schedule, after=timezone.now(), count=count)
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


def read_count(query: Query) -> int:
    """Return how many due times the query asks for; 10 if it does not say."""
    return query.read("count", whole_number(MOST), default=10)
