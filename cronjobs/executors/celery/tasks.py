"""The one task there is. A worker knows it once its app has looked for tasks in the installed apps."""

from __future__ import annotations

from contextlib import nullcontext

from celery import Task, shared_task

from cronjobs.executors.celery import presence  # noqa: F401 - its receivers do the work
from cronjobs.executors.celery.connections import connections_kept
from cronjobs.executors.celery.publisher import TASK
from cronjobs.executors.celery.worker import perform


# Acknowledged when it has ended: what a worker has fetched and not begun goes to another when it stops. What it has
# begun cannot be begun again, whoever gets the message.
@shared_task(bind=True, name=TASK, ignore_result=True, acks_late=True, store_errors_even_if_ignored=False)
def perform_execution(self: Task, execution_id: object = None, token: object = None, *_: object, **__: object) -> None:
    """Perform the attempt of that execution, if it was dispatched under `token` and nobody has begun it.

    Anybody who reaches the broker can send anything: what is no such message is refused.
    """
    # Of a caller that performs its task itself the connections are its own.
    is_in_worker = not (self.request.is_eager or self.request.called_directly)
    with connections_kept() if is_in_worker else nullcontext():
        perform(execution_id, token)
