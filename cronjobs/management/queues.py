"""What commands say about queues."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cronjobs.database import engine_alias
from cronjobs.models import Queue
from cronjobs.models.queue import queues_in_use


def limits() -> list[str]:
    """Return a sentence for each queue that is limited and not paused."""
    return [sentence(each) for each in Queue.objects.limited().filter(paused=False).order_by("name").with_counts()]


def state(queue: Queue) -> str:
    """Return what is decided about a queue, in a few words."""
    limit = "" if queue.limit is None else f"at most {queue.limit} at once"
    return ", ".join(filter(None, ["paused" if queue.paused else "", limit])) or "open"


def sentence(queue: Any) -> str:
    """Return what is decided about a queue, and what is in it; it has its counts."""
    dispatched = f" ({queue.dispatched} of them with the broker)" if queue.dispatched else ""
    return f"Queue {queue.name}: {state(queue)}; {queue.waiting} waiting{dispatched}, {queue.running} running."


def unknown_queues(names: Iterable[str]) -> list[str]:
    """Return those of `names` that no job uses and about which nothing has been decided."""
    return sorted(set(names) - queues_in_use(engine_alias(Queue)) - set(Queue.objects.values_list("name", flat=True)))
