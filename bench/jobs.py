"""The jobs that are measured: they do nothing but tell when they were called; and one that is in their way."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from cronjobs import job
from cronjobs.logs import JobContext

NAME = "bench-noop"
CHILD = "bench-child"
BUSY = "bench-busy"


@job(NAME)
def noop(context: JobContext) -> dict[str, str]:
    """Return the time."""
    return {"calledAt": datetime.now(UTC).isoformat()}


@job(CHILD, executor="process", overlap="allow")
def child(context: JobContext) -> dict[str, str]:
    """Return the time, from a process of its own."""
    return {"calledAt": datetime.now(UTC).isoformat()}


@job(BUSY, executor="thread", overlap="allow")
def busy(context: JobContext, *, seconds: float) -> None:
    """Keep a thread of the node busy in Python's own code."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        sum(range(1_000))
