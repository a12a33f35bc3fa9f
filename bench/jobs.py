"""The jobs that are measured: most do nothing but tell when they were called."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.backends.signals import connection_created

from bench import counting, ticks
from bench.witness import Call
from cronjobs import RetryPolicy, job
from cronjobs.logs import JobContext

NAME = "bench-noop"
TICK = "bench-tick"
CHILD = "bench-child"
BUSY = "bench-busy"
WITNESSED = "bench-witnessed"
TALKATIVE = "bench-talkative"
CHATTY = "bench-chatty"

_SOON = RetryPolicy(max_attempts=3, initial_delay=timedelta(seconds=0.5))


@job(NAME)
def noop(context: JobContext) -> dict[str, str]:
    """Return the time."""
    return {"calledAt": datetime.now(UTC).isoformat()}


@job(TICK, overlap="allow")
def tick(context: JobContext) -> int:
    """Append a line to the file BENCH_TICKS, with one call of the system, as the functions do that are given to peers."""
    ticks.write(f"{context.job_name} {context.execution_id} {time.time():.6f}\n")
    return 1


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


@job(WITNESSED, overlap="allow", retry=_SOON)
def witnessed(context: JobContext, *, path: str, seconds: float = 0.0, failures: int = 0) -> None:
    """Append one line to a file outside the database, take some time, and fail on the first `failures` attempts."""
    call = Call(
        execution=context.execution_id,
        attempt=context.attempt,
        job=context.job_name,
        due=context.scheduled_for,
        pid=os.getpid(),
        at=datetime.now(UTC),
    )
    call.append_to(path)
    time.sleep(seconds)
    if context.attempt <= failures:
        raise RuntimeError(f"attempt {context.attempt}")


@job(TALKATIVE, overlap="allow", retry=RetryPolicy(max_attempts=1))
def talkative(context: JobContext, *, fails: bool = False) -> dict[str, int]:
    """Use the database, log by both ways, and fail or tell how many handlers the root logger has."""
    connection.ensure_connection()
    context.log.progress("Some text", data={"number": context.execution_id})
    logging.getLogger(__name__).warning("Some other text")
    if fails:
        raise RuntimeError("boom")
    return {"handlers": len(logging.getLogger().handlers)}


@job(CHATTY, overlap="allow")
def chatty(context: JobContext, *, seconds: float) -> None:
    """Log five lines a second for so long, or until somebody wants it to end."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not context.cancelled:
        context.log.progress("Still talking", data={"left": round(deadline - time.monotonic(), 1)})
        time.sleep(0.2)


def _write_down_what_is_slow(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 - as Django calls it
    """Append each statement that takes BENCH_SLOW_MS or longer to the file BENCH_STATEMENTS: when, how long, what."""
    begun = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        took = (time.perf_counter() - begun) * 1_000
        if took >= float(os.environ["BENCH_SLOW_MS"]):
            with open(os.environ["BENCH_STATEMENTS"], "a", encoding="utf-8") as file:  # noqa: PTH123 - nothing else of the path is asked
                file.write(f"{time.time():.3f} {took:.1f} {' '.join(str(sql).split())}\n")


def _watch(connection: Any, **_: Any) -> None:
    if _write_down_what_is_slow not in connection.execute_wrappers:
        connection.execute_wrappers.append(_write_down_what_is_slow)


if "BENCH_STATEMENTS" in os.environ:
    connection_created.connect(_watch)
counting.count_for_others()
