"""Which nodes there are, also those that have stopped or fallen silent."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.api.executions.answers import time
from cronjobs.api.requests.queries import Query
from cronjobs.api.views import CronView
from cronjobs.manager.status import node_document
from cronjobs.models import Node
from cronjobs.storable import rfc3339

# Of more, only those are shown that have been heard of last: those that are alive before all others.
MOST = 500


class NodesView(CronView):
    """``GET nodes``: every node that is known, those heard of last first; ``state`` is alive, silent or stopped.

    ``isCut`` says that there are more than the 500 that are shown.
    """

    permissions = (permissions.VIEW_JOBS,)

    def get(self, request: Request) -> Response:
        Query(request, known=()).done()
        alive = set(Node.objects.alive().values_list("pk", flat=True))
        nodes = list(Node.objects.order_by("-heartbeat_at", "pk")[: MOST + 1])
        document = {
            "success": True,
            "nodes": [_document(each, is_alive=each.pk in alive) for each in nodes[:MOST]],
            "isCut": len(nodes) > MOST,
            "timestamp": rfc3339(timezone.now()),
        }
        return Response(document)


def _document(node: Node, *, is_alive: bool) -> dict[str, Any]:
    # Silent: it has not said that it stops, and its last heartbeat is older than a lease.
    state = "stopped" if node.stopped_at is not None else "alive" if is_alive else "silent"
    return {**node_document(node), "state": state, "stoppedAt": time(node.stopped_at), "rssBytes": node.rss_bytes}
