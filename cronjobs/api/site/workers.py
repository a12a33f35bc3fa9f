"""Which Celery workers there are, also those that have stopped or fallen silent."""

from __future__ import annotations

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.api.requests.queries import Query
from cronjobs.api.views import CronView
from cronjobs.manager.status import worker_document
from cronjobs.models import CeleryWorker
from cronjobs.storable import rfc3339

# Of more, only those are shown that have been heard of last: those that are alive before all others.
MOST = 500


class WorkersView(CronView):
    """``GET workers``: every Celery worker that is known, those heard of last first; ``state`` as of a node.

    None where Celery performs nothing. ``isCut`` says that there are more than the 500 that are shown.
    """

    permissions = (permissions.VIEW_JOBS,)

    def get(self, request: Request) -> Response:
        Query(request, known=()).done()
        rows = CeleryWorker.objects.with_state().with_running().order_by("-heartbeat_at", "pk")
        workers = list(rows[: MOST + 1])
        document = {
            "success": True,
            "workers": [worker_document(each) for each in workers[:MOST]],
            "isCut": len(workers) > MOST,
            "timestamp": rfc3339(timezone.now()),
        }
        return Response(document)
