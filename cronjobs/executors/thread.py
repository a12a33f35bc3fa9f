"""The default executor: a fixed pool of threads in the node's process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from django.db import close_old_connections, connections

from cronjobs.executors.attempts import attempt, discard
from cronjobs.executors.base import Done, Executor
from cronjobs.runner import Claim

logger = logging.getLogger(__name__)


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
        # A connection that the server has dropped since the last attempt must not fail this one.
        _let_go_of_old_connections()
        ending = attempt(claim, now=self._now)
        _let_go_of_old_connections()
        with self._lock:
            self._busy -= 1
        self._done(claim, ending)


def _let_go_of_old_connections() -> None:
    try:
        close_old_connections()
        # A site that keeps connections may have left Django's own check of them off, which is meant for requests.
        for connection in connections.all(initialized_only=True):
            connection.health_check_enabled = True  # type: ignore[attr-defined]  # the stubs do not know it
    except Exception:
        logger.exception("A connection could not be closed; it is forgotten.")
        for connection in connections.all(initialized_only=True):
            discard(connection)
