"""Running a job at once over HTTP, and waiting for what comes of it."""

from __future__ import annotations

from http import HTTPStatus

from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.api.executions.answers import located_document
from cronjobs.api.executions.waiting import NOT_ASKED_TO_WAIT, bring_to_end
from cronjobs.api.requests.actors import actor_of
from cronjobs.api.requests.lookups import find_runnable
from cronjobs.api.requests.orders import Order, read_key, read_order
from cronjobs.api.requests.throttles import EXECUTE
from cronjobs.api.views import CronView
from cronjobs.journal import tell_of_execution
from cronjobs.models import Job, JobExecution, Trigger
from cronjobs.security import Actor


class ExecuteView(CronView):
    """``POST execute/<name>``: run a job now, and wait for its result through all its attempts.

    The header ``Idempotency-Key`` makes a repeated POST answer with the first one's execution.

    The body is empty, or ``{"params": {…}, "wait": true}``. A row is written, and whoever is
    there performs it: a node, or without one this request, unless EXECUTE_INLINE is ``never``.

    200: it has ended; ``result`` holds what came of it, and for anything but a success
    ``success`` is false and ``code`` says what: ``job_failed``, ``job_skipped``, ….
    202: it has not ended, and ``note`` says why: waiting was not asked for, took longer than
    EXECUTE_TIMEOUT, or was no use. ``url`` is where to ask later.
    """

    permissions = (permissions.RUN_JOBS,)
    takes_limited_keys = True
    write_scope = EXECUTE

    def post(self, request: Request, name: str) -> Response:
        job = find_runnable(name)
        order, key = read_order(request), read_key(request)
        execution, note = _carry_out(job, order, key=key, actor=actor_of(request))
        if execution.is_final:
            return Response(located_document(request, execution))
        document = {**located_document(request, execution), "note": note}
        return Response(document, status=HTTPStatus.ACCEPTED, headers={"Location": document["url"]})


def _carry_out(job: Job, order: Order, *, key: str | None, actor: Actor) -> tuple[JobExecution, str]:
    execution = JobExecution.objects.request(
        job.name, params=order.params, trigger=Trigger.API, requested_by=actor.name, key=key
    )
    tell_of_execution(actor, job, execution)
    return bring_to_end(execution) if order.wait else (execution, NOT_ASKED_TO_WAIT)
