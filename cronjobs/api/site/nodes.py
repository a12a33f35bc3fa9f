"""Which nodes there are, also those that have stopped or fallen silent; asking one to drain, and calling that off."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.api.executions.answers import time
from cronjobs.api.requests.actors import actor_of
from cronjobs.api.requests.orders import read_nothing
from cronjobs.api.requests.queries import Query
from cronjobs.api.views import CronView
from cronjobs.journal import changed, record_changes
from cronjobs.manager.status import node_document
from cronjobs.models import Node
from cronjobs.models.draining import Answer, drain, undrain
from cronjobs.storable import rfc3339

# Of more, only those are shown that have been heard of last: those that are alive before all others.
MOST = 500


class NodesView(CronView):
    """``GET nodes``: every node that is known, those heard of last first; ``state`` is alive, draining, silent or stopped.

    ``isCut`` says that there are more than the 500 that are shown.
    """

    permissions = (permissions.VIEW_JOBS,)

    def get(self, request: Request) -> Response:
        Query(request, known=()).done()
        nodes = list(Node.objects.with_state().defer("memory_trend").order_by("-heartbeat_at", "pk")[: MOST + 1])
        document = {
            "success": True,
            "nodes": [_document(each) for each in nodes[:MOST]],
            "isCut": len(nodes) > MOST,
            "timestamp": rfc3339(timezone.now()),
        }
        return Response(document)


class DrainNodeView(CronView):
    """``POST nodes/<name>/drain``: it claims nothing more, and ends when what it runs has ended. The body is empty."""

    permissions = (permissions.DRAIN_NODES,)

    def post(self, request: Request, name: str) -> Response:
        read_nothing(request)
        return Response(_told(request, drain(name, by=request.user.get_username())))


class UndrainNodeView(CronView):
    """``POST nodes/<name>/undrain``: one that drains, and has not ended, keeps working. The body is empty."""

    permissions = (permissions.DRAIN_NODES,)

    def post(self, request: Request, name: str) -> Response:
        read_nothing(request)
        return Response(_told(request, undrain(name, by=request.user.get_username())))


def _told(request: Request, answer: Answer) -> dict[str, Any]:
    if answer.is_new:
        record_changes(actor_of(request), [changed(answer.node, {"drain_requested_at": answer.drained_since})])
    return {"success": True, **_document(answer.node), "timestamp": rfc3339(timezone.now())}


def _document(node: Any) -> dict[str, Any]:
    return {**node_document(node), "stoppedAt": time(node.stopped_at), "rssBytes": node.rss_bytes}
