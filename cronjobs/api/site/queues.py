"""The addresses of queues: look at them, pause, resume and limit them, and everything at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Count
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.api.errors import InvalidValues
from cronjobs.api.jobs.columns import QUEUE_KEYS, by_key, read_values
from cronjobs.api.requests.actors import actor_of
from cronjobs.api.requests.orders import read_document, read_nothing
from cronjobs.api.views import CronView
from cronjobs.database import engine_alias, in_transaction
from cronjobs.exceptions import QueueNotFound
from cronjobs.journal import changed, record_changes
from cronjobs.manager.status import queue_document
from cronjobs.models import JobExecution, Queue
from cronjobs.models.execution import ExecutionQuerySet
from cronjobs.models.pausing import why_everything_is_paused
from cronjobs.models.queue import EVERYTHING, queues_in_use
from cronjobs.registry import is_valid_queue
from cronjobs.storable import rfc3339


class QueuesView(CronView):
    """``GET queues``: all queues, with what waits and what runs, and whether everything is paused."""

    permissions = (permissions.VIEW_QUEUES,)

    def get(self, request: Request) -> Response:
        queues: list[Any] = list(Queue.objects.exclude(name=EVERYTHING).with_counts())
        queues += _without_row({each.name for each in queues})
        documents = [queue_document(each) for each in sorted(queues, key=lambda each: each.name)]
        return Response({**_everything(), "queues": documents, "timestamp": rfc3339(timezone.now())})


class QueueView(CronView):
    """``PATCH queues/<name>``: its ``limit``, null for any number, and its ``description``."""

    http_method_names = ("patch",)
    permissions = (permissions.CHANGE_QUEUES,)

    def patch(self, request: Request, name: str) -> Response:
        values = read_values(read_document(request), QUEUE_KEYS)
        return Response(_change(request, _checked(name), values))


class PauseQueueView(CronView):
    """``POST queues/<name>/pause``: start nothing more of it; what runs goes on. The body is empty."""

    permissions = (permissions.CHANGE_QUEUES,)

    def post(self, request: Request, name: str) -> Response:
        read_nothing(request)
        return Response(_change(request, _checked(name), {"paused": True}))


class ResumeQueueView(CronView):
    """``POST queues/<name>/resume``: start again what waits in it, and what will. The body is empty."""

    permissions = (permissions.CHANGE_QUEUES,)

    def post(self, request: Request, name: str) -> Response:
        read_nothing(request)
        return Response(_change(request, _checked(name), {"paused": False}))


class PauseEverythingView(CronView):
    """``POST pause``: schedule and start nothing more, on any node; what runs goes on. The body is empty."""

    permissions = (permissions.CHANGE_QUEUES,)

    def post(self, request: Request) -> Response:
        read_nothing(request)
        _change(request, EVERYTHING, {"paused": True})
        return Response({**_everything(), "timestamp": rfc3339(timezone.now())})


class ResumeEverythingView(CronView):
    """``POST resume``: schedule and start again, from now on. The body is empty.

    ``paused`` stays true, and ``pausedBecause`` says why, while the settings pause everything.
    """

    permissions = (permissions.CHANGE_QUEUES,)

    def post(self, request: Request) -> Response:
        read_nothing(request)
        _change(request, EVERYTHING, {"paused": False})
        return Response({**_everything(), "timestamp": rfc3339(timezone.now())})


def _everything() -> dict[str, Any]:
    reason = why_everything_is_paused()
    return {"success": True, "paused": bool(reason), "pausedBecause": reason or None}


def _checked(name: str) -> str:
    # Nothing else can be a name, and a database may refuse to look for it.
    if not is_valid_queue(name):
        raise QueueNotFound(name)
    return name


def _change(request: Request, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Set columns of the queue `name` and return it; raise `QueueNotFound` and `InvalidValues`."""
    rows = Queue.objects.using(engine_alias(Queue))

    def work() -> None:
        queue: Queue = rows.named(name).select_for_update().get()
        before = {column: getattr(queue, column) for column in values}
        before = {column: stored for column, stored in before.items() if stored != values[column]}
        for column in before:
            setattr(queue, column, values[column])
        try:
            queue.clean_fields()
            queue.clean()
        except ValidationError as error:
            raise InvalidValues(by_key(error.message_dict, QUEUE_KEYS)) from error
        if before:
            queue.save(update_fields=list(before))
            record_changes(actor_of(request), [changed(queue, before)])

    in_transaction(rows.db, work)
    queue: Any = rows.filter(name=name).with_counts().get()
    return {"success": True, **queue_document(queue), "timestamp": rfc3339(timezone.now())}


def _without_row(known: set[str]) -> list[Any]:
    """Return the queues that jobs use and about which nothing has been decided, with their counts."""
    missing = {name: Queue(name=name) for name in queues_in_use(engine_alias(Queue)) - known}
    executions = JobExecution.objects.using(engine_alias(JobExecution))
    columns = {
        "waiting": executions.waiting(),
        "dispatched": executions.dispatched(),
        "running": executions.running(),
    }
    for column, rows in columns.items():
        counts = _counts(rows, missing) if missing else {}
        for name, queue in missing.items():
            setattr(queue, column, counts.get(name, 0))
    return list(missing.values())


def _counts(executions: ExecutionQuerySet, names: Mapping[str, Any]) -> dict[str, int]:
    rows = executions.filter(queue__in=names).order_by().values("queue")
    return dict(rows.annotate(number=Count("pk")).values_list("queue", "number"))
