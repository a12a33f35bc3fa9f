"""The addresses of the API; each view names the permission it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from django.db import connections, transaction
from django.http import HttpResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.api.access import AUTHENTICATION, HasAnyPermission, reach
from cronjobs.api.answers import located_document
from cronjobs.api.errors import NoSuchAddress, handle_error
from cronjobs.api.guards import GuardedView
from cronjobs.api.lookups import find_runnable
from cronjobs.api.orders import Order, read_key, read_order
from cronjobs.api.rendering import JSONOnly, StrictJSONRenderer, Unparsed
from cronjobs.api.throttles import EXECUTE
from cronjobs.api.waiting import NOT_ASKED_TO_WAIT, bring_to_end
from cronjobs.manager.status import status_text
from cronjobs.models import Job, JobExecution, Trigger


class CronView(GuardedView):
    """What every view has in common, fixed here so that no setting of the project opens or breaks it."""

    renderer_classes = (StrictJSONRenderer,)
    parser_classes = (Unparsed,)
    content_negotiation_class = JSONOnly
    authentication_classes: Sequence[type[BaseAuthentication]] = AUTHENTICATION
    permission_classes: Sequence[type[BasePermission]] = (HasAnyPermission,)
    versioning_class = None
    # A description of the project's own leaves these addresses out: theirs is at `schema`.
    schema = None
    http_method_names: Sequence[str] = ("get", "head", "post")

    # Any of them lets a user in.
    permissions: ClassVar[tuple[str, ...]] = ()
    # And those that a method other than GET and HEAD takes instead.
    permissions_by_method: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    # Whether it keeps a key that is limited to some jobs within them; to others it is closed.
    takes_limited_keys: ClassVar[bool] = False

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        # ATOMIC_REQUESTS would hide the row that a node is to perform until the answer is sent.
        view = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def get_exception_handler(self) -> Callable[..., Response]:
        return handle_error

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {**super().default_response_headers, "Cache-Control": "no-store"}


class NoView(CronView):
    """Every other address below that of the API: there is nothing there, whoever asks and by whatever method."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NoSuchAddress


class StatusView(CronView):
    """``GET status``: what every job and every node is doing."""

    permissions = (permissions.VIEW_JOBS,)
    takes_limited_keys = True

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(status_text(reach(request)), content_type=StrictJSONRenderer.media_type)


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
        execution, note = _carry_out(job, order, key=key, requested_by=request.user.get_username())
        if execution.is_final:
            return Response(located_document(request, execution))
        document = {**located_document(request, execution), "note": note}
        return Response(document, status=HTTPStatus.ACCEPTED, headers={"Location": document["url"]})


def _carry_out(job: Job, order: Order, *, key: str | None, requested_by: str) -> tuple[JobExecution, str]:
    execution = JobExecution.objects.request(
        job.name, params=order.params, trigger=Trigger.API, requested_by=requested_by, key=key
    )
    return bring_to_end(execution) if order.wait else (execution, NOT_ASKED_TO_WAIT)
