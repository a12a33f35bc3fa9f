"""The addresses of one execution: look at it, call it off, run it again."""

from __future__ import annotations

from http import HTTPStatus

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.api.executions.answers import located_document
from cronjobs.api.requests.access import may
from cronjobs.api.requests.actors import actor_of
from cronjobs.api.requests.lookups import executions_at, find_execution
from cronjobs.api.requests.orders import read_nothing, read_reason
from cronjobs.api.requests.throttles import EXECUTE
from cronjobs.api.views import CronView
from cronjobs.exceptions import NotOpen
from cronjobs.journal import tell_of_cancellation, tell_of_execution
from cronjobs.models.moves import cancel
from cronjobs.models.reruns import retry
from cronjobs.models.waiting import why_waiting

ASKED = "It runs, and has been asked to stop: it is cancelled when its code has ended."
ASKED_BEFORE = "It runs, and had been asked to stop before: it is cancelled when its code has ended."
RETRIED_BEFORE = "It is being run again already: this is that execution."


class ExecutionView(CronView):
    """``GET executions/<number>``: where an execution stands, why it waits if it does, and its result.

    Its ``traceback`` is for those who may view executions: it shows more than the result of what one may run.
    """

    permissions = (permissions.VIEW_EXECUTIONS, permissions.RUN_JOBS)
    takes_limited_keys = True

    def get(self, request: Request, pk: str) -> Response:
        execution = find_execution(request, pk)
        waits_because = why_waiting(execution, now=timezone.now()) or None
        document = {**located_document(request, execution), "waitsBecause": waits_because}
        if may(request, permissions.VIEW_EXECUTIONS):
            document["traceback"] = execution.traceback or None
        return Response(document)


class CancelView(CronView):
    """``POST executions/<number>/cancel``: call an execution off. The body is empty, or ``{"reason": "…"}``.

    200: it waited, and has ended now. 202: it runs, and has been asked to stop; ``url`` tells
    when it has. 409 ``not_open``: it had ended before.
    """

    permissions = (permissions.CANCEL_EXECUTIONS,)
    takes_limited_keys = True

    def post(self, request: Request, pk: str) -> Response:
        find_execution(request, pk)
        reason = read_reason(request)
        done = cancel(executions_at(request, pk), reason=reason, by=request.user.get_username())
        execution = find_execution(request, pk)
        if done.cancelled | done.asked:
            tell_of_cancellation(actor_of(request), [execution])
        if done.cancelled:
            return Response(located_document(request, execution))
        if not done.asked | done.asked_before:
            raise NotOpen(execution.pk, execution.status)
        document = {**located_document(request, execution), "note": ASKED if done.asked else ASKED_BEFORE}
        return Response(document, status=HTTPStatus.ACCEPTED, headers={"Location": document["url"]})


class RetryView(CronView):
    """``POST executions/<number>/retry``: run an execution that has ended again, as a new one. The body is empty.

    201: the new execution, which waits for a worker. 200: it is being run again already, by
    the execution that is answered. 409: it cannot be run again, and ``error`` says why.
    """

    permissions = (permissions.RETRY_EXECUTIONS,)
    takes_limited_keys = True
    write_scope = EXECUTE

    def post(self, request: Request, pk: str) -> Response:
        asked = find_execution(request, pk)
        read_nothing(request)
        execution, is_new = retry(asked.pk, requested_by=request.user.get_username())
        if is_new:
            tell_of_execution(actor_of(request), asked, execution)
        document = located_document(request, execution)
        if not is_new:
            document["note"] = RETRIED_BEFORE
        status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
        return Response(document, status=status, headers={"Location": document["url"]})
