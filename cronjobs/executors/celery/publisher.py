"""Hands executions to the broker: one message each, in the queue and with the priority of the execution."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from celery import Celery

from cronjobs.executors.celery.app import connection_for, load_app
from cronjobs.models import JobExecution

TASK: Final = "cronjobs.perform"
# Once more over a new connection, for one that the broker has dropped meanwhile; then it is the caller's turn to wait.
_RETRY_POLICY: Final = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
# Celery's way of counting in Redis, where 0 is first: to each of our priorities one of the four lists that it keeps.
_IN_REDIS: Final = {1: 9, 2: 9, 3: 6, 4: 3, 5: 0}


class Publisher:
    """Sends messages, over a connection of its own. One thread at a time may use it."""

    def __init__(self) -> None:
        self._app: Celery = load_app()
        self._connection = connection_for(self._app)
        self._is_redis = self._connection.transport.driver_type == "redis"

    def publish(self, executions: Iterable[JobExecution]) -> Iterator[JobExecution]:
        """Send the message of each, and yield it when the broker has it; raise what Celery raises if it takes none."""
        with self._app.amqp.Producer(self._connection, auto_declare=False) as producer:
            for each in executions:
                self._app.send_task(
                    TASK,
                    args=(each.pk, each.claim_token),
                    queue=each.queue,
                    # RabbitMQ knows as many levels as a queue declares, and takes the highest for a higher one.
                    priority=_IN_REDIS.get(each.priority, 6) if self._is_redis else each.priority,
                    producer=producer,
                    ignore_result=True,
                    retry=True,
                    retry_policy=_RETRY_POLICY,
                )
                yield each

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.release()
