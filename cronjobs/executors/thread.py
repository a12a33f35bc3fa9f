"""The default executor: a fixed pool of threads in the node's process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from django.db import close_old_connections, connections

from cronjobs.executors.base import Done, Executor
from cronjobs.runner import Claim, internal_failure, perform


class ThreadExecutor(Executor):
    """Runs each attempt in one of `size` threads. A thread cannot be killed, only waited for."""

    def __init__(self, *, size: int, now: Callable[[], datetime], done: Done) -> None:
        self._size, self._now, self._done = size, now, done
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="cronjobs-worker")
        self._lock = threading.Lock()
        self._busy = 0

    def free(self) -> int:
        with self._lock:
            return self._size - self._busy

    def submit(self, claim: Claim) -> None:
        with self._lock:
            self._busy += 1
        self._pool.submit(self._run, claim)

    def shutdown(self) -> None:
        self._pool.shutdown(wait=False)

    def _run(self, claim: Claim) -> None:
        try:
            # A connection that the server has dropped since the last attempt must not fail this one.
            close_old_connections()
            ending = perform(claim, now=self._now)
            _close_connections()
        except BaseException as error:  # noqa: BLE001 - a claim that never ends would be renewed for ever
            ending = internal_failure(claim, error, self._now())
        with self._lock:
            self._busy -= 1
        self._done(claim, ending)


def _close_connections() -> None:
    """Undo what a job may have left on this thread's connections, then let go of the old ones."""
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block or not connection.get_autocommit():
            # A job left a transaction open; only closing is sure to end it.
            connection.close()
    close_old_connections()
