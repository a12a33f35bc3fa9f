"""A broker that others use as well: what is sent there has names of its own, and is removed in the end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from kombu import Connection

USUAL = {"redis": "redis://127.0.0.1:6379/0", "amqp": "amqp://guest:guest@127.0.0.1:5672//"}


@contextmanager
def cleared(broker: str, *, prefix: str, queues: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield the variables that lead to `broker`, a name or a URL; remove the keys with `prefix`, or the queues, in the end."""
    url = USUAL.get(broker, broker)
    is_redis = url.startswith("redis")
    try:
        yield {
            "CELERY_BROKER_URL": url,
            "BENCH_TRANSPORT": json.dumps({"global_keyprefix": prefix} if is_redis else {}),
        }
    finally:
        with Connection(url) as connection:
            _remove_keys(connection, prefix) if is_redis else _remove_queues(connection, queues)


def _remove_keys(connection: Connection, prefix: str) -> None:
    client = connection.default_channel.client
    for key in client.scan_iter(f"{prefix}*"):
        client.delete(key)


def _remove_queues(connection: Connection, queues: Iterable[str]) -> None:
    channel = connection.default_channel
    for name in queues:
        channel.queue_delete(name)
        # Celery calls the exchange of a queue like the queue.
        channel.exchange_delete(name)
