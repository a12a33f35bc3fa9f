"""A flow as one tree: what depends on an execution, and what came of it."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.api.executions.answers import located_document
from cronjobs.api.requests.lookups import find_execution
from cronjobs.api.views import CronView
from cronjobs.exceptions import ExecutionNotFound
from cronjobs.models import JobExecution
from cronjobs.models.flows import Branch, build_tree

# More are no tree that anybody looks at.
MOST = 200


class TreeView(CronView):
    """``GET executions/<number>/tree``: the whole flow of an execution, from its root, ``children`` in ``children``.

    ``isCut`` says that the flow has more executions than the 200 oldest that are shown.
    """

    permissions = (permissions.VIEW_EXECUTIONS, permissions.RUN_JOBS)

    def get(self, request: Request, pk: str) -> Response:
        execution = find_execution(request, pk, "flow")
        members = JobExecution.objects.defer("params", "traceback").of_flow(execution.root_id, limit=MOST + 1)
        if not members:
            raise ExecutionNotFound(execution.pk)
        document = _document(request, build_tree(members[:MOST]))
        return Response({**document, "isCut": len(members) > MOST})


def _document(request: Request, branch: Branch) -> dict[str, Any]:
    children = [_document(request, each) for each in branch.children]
    return {**located_document(request, branch.execution), "children": children}
