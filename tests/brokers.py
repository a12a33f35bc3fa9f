"""Brokers for tests: where they are, which queues on them are a test's own, and what can be done to messages there."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache

import pytest
from celery import Celery
from kombu import Producer
from kombu.exceptions import OperationalError

from tests.services import find

TASK = "cronjobs.perform"
PRIORITIES = 5


class Broker:
    """A broker, of which nobody else uses the queues with this one's names."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind, self.url = kind, url
        self._prefix = f"cronjobs-{secrets.token_hex(4)}"
        self._queues: set[str] = set()
        # In RabbitMQ names are all that keeps queues apart; in Redis there is more than queues.
        self._options = {"global_keyprefix": f"{self._prefix}:"} if kind == "redis" else {}
        self.app = Celery("tests-broker", broker=url, set_as_current=False)
        self.app.conf.update(broker_transport_options=self._options, task_queue_max_priority=PRIORITIES)

    @property
    def environment(self) -> dict[str, str]:
        """What lets nodes and workers use this broker."""
        return {"TEST_CELERY_BROKER": self.url, "TEST_CELERY_OPTIONS": json.dumps(self._options)}

    def queue(self, name: str = "jobs") -> str:
        """Return the name under which the test's queue `name` is this broker's."""
        full = f"{self._prefix}-{name}"
        self._queues.add(full)
        return full

    def send(self, *arguments: object, queue: str | None = None, task: str = TASK) -> None:
        """Send a message as anybody could who reaches the broker."""
        self.app.send_task(task, args=arguments, queue=queue or self.queue(), ignore_result=True)

    def send_bytes(self, body: bytes, *, content_type: str) -> None:
        """Send what may be no message at all."""
        with self.app.connection_for_write() as connection, connection.channel() as channel:
            queue = self.app.amqp.queues[self.queue()](channel)
            queue.declare()
            producer = Producer(channel, exchange=queue.exchange, routing_key=queue.routing_key)
            producer.publish(body, content_type=content_type, content_encoding="binary")

    def depth(self, queue: str | None = None) -> int:
        """Return how many messages of the queue wait for a worker."""
        with self.app.connection_for_write() as connection, connection.channel() as channel:
            name = queue or self.queue()
            self.app.amqp.queues[name](channel).declare()
            # For Redis a queue that is empty is none.
            return int(channel.queue_declare(name, passive=self.kind != "redis").message_count)

    def lose(self, queue: str | None = None) -> int:
        """Let the messages that wait for a worker be lost; return how many there were."""
        with self.app.connection_for_write() as connection, connection.channel() as channel:
            return int(channel.queue_purge(queue or self.queue()) or 0)

    def close(self) -> None:
        """Leave nothing behind; a broker that has gone meanwhile keeps what it has."""
        with suppress(OperationalError, ConnectionError):
            self._forget()
        self.app.close()

    def _forget(self) -> None:
        if self.kind == "redis":
            import redis

            with redis.Redis.from_url(self.url) as client:
                keys = list(client.scan_iter(match=f"*{self._prefix}*"))
                if keys:
                    client.delete(*keys)
            return
        with self.app.connection_for_write() as connection, connection.channel() as channel:
            for queue in self._queues:
                channel.queue_delete(queue)
                channel.exchange_delete(queue)


@lru_cache
def _found(kind: str) -> tuple[str, str]:
    return find(kind)


@contextmanager
def broker_of(kind: str) -> Iterator[Broker]:
    """Yield a broker of that kind, ``redis`` or ``rabbitmq``; skip the test where there is none."""
    url, what = _found(kind)
    if url == "-":
        pytest.skip(f"there is no {kind}: {what}")
    broker = Broker(kind, url)
    try:
        yield broker
    finally:
        broker.close()
