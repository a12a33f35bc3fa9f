"""The one task there is. A worker knows it once its app has looked for tasks in the installed apps."""

from __future__ import annotations

from celery import shared_task

from cronjobs.executors.celery import presence  # noqa: F401 - its receivers do the work
from cronjobs.executors.celery.publisher import TASK
from cronjobs.executors.celery.worker import perform


# Acknowledged when it has ended: what a worker has fetched and not begun goes to another when it stops. What it has
# begun cannot be begun again, whoever gets the message.
@shared_task(name=TASK, ignore_result=True, acks_late=True, store_errors_even_if_ignored=False)
def perform_execution(execution_id: object = None, token: object = None, *_: object, **__: object) -> None:
    """Perform the attempt of that execution, if it was dispatched under `token` and nobody has begun it.

    Anybody who reaches the broker can send anything: what is no such message is refused.
    """
    perform(execution_id, token)
