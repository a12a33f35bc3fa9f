"""The executor of a node: a fixed pool of threads, which run attempts or watch the processes that do."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from django.db.backends.base.base import BaseDatabaseWrapper

from cronjobs.conf import get_settings
from cronjobs.executors.attempts import attempt, discard, let_go_of_old_connections
from cronjobs.executors.base import Done, Executor
from cronjobs.executors.prefetch import Prefetch
from cronjobs.executors.process import ForkServer, Stop, attempt_in_process, belongs_in_process, may_be_needed
from cronjobs.models import ResolvedJob
from cronjobs.models.moves import Ending
from cronjobs.runner import Claim, never_begun

logger = logging.getLogger(__name__)


# Beyond the grace: for what the kernel needs to end a process, and for the report of it.
_KILL_PATIENCE = 15.0


class ThreadExecutor(Executor):
    """Gives each attempt one of `size` threads: to run in, or to watch its process from.

    A thread cannot be killed, only waited for; a process can.
    """

    def __init__(self, *, size: int, now: Callable[[], datetime], done: Done) -> None:
        self._size, self._now, self._done = size, now, done
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="cronjobs-worker")
        self._lock = threading.Lock()
        # A node that was frozen, or is cut off from the database, cannot know whether others have rescued what waits.
        self._prefetch = Prefetch(size, patience=get_settings().lease.total_seconds() / 2)
        # How many threads look for what waits, and how many of them watch a process.
        self._at_work = self._in_process = 0
        self._server, self._stop = ForkServer(), Stop()
        # What idle threads keep (CONN_MAX_AGE): a thread that ends closes nothing, so its executor does.
        self._kept: set[BaseDatabaseWrapper] = set()

    def prepare(self) -> None:
        if may_be_needed():
            self._server.start()

    def free(self) -> int:
        with self._lock:
            return self._prefetch.room(time.monotonic())

    def at_once(self) -> int:
        with self._lock:
            return self._prefetch.at_once()

    def submit(self, claim: Claim) -> None:
        with self._lock:
            self._prefetch.add(claim, time.monotonic())
            is_any_idle = self._at_work < self._size
            self._at_work += is_any_idle
        if is_any_idle:
            self._pool.submit(self._work)

    def withdraw(self, *, older_than: float = 0.0, queues: Collection[str] = ()) -> list[Claim]:
        with self._lock:
            before = time.monotonic() - older_than
            return self._prefetch.withdraw(lambda claim, since: since <= before or claim.execution.queue in queues)

    def is_waiting(self, claim: Claim) -> bool:
        with self._lock:
            return self._prefetch.is_waiting(claim)

    def shutdown(self) -> None:
        self._pool.shutdown(wait=False)

    def abort(self, hurry: threading.Event) -> None:
        deadline = time.monotonic() + get_settings().kill_grace.total_seconds() + _KILL_PATIENCE
        self._stop.is_wanted.set()
        # Nothing begins any more; what has not is given up with the rest.
        self.withdraw()
        while self._in_process and time.monotonic() < deadline:
            if hurry.is_set():
                self._stop.is_urgent.set()
            time.sleep(0.05)

    def close(self) -> None:
        self._server.close()
        with self._lock:
            for connection in self._kept:
                discard(connection)
            self._kept.clear()

    def _work(self) -> None:
        """Perform what waits, one after another, until nothing does."""
        while (claim := self._next()) is not None:
            try:
                claim.begins(self._now())
                self._run(claim)
            except BaseException:
                with self._lock:
                    self._at_work -= 1
                    self._prefetch.end(claim, time.monotonic())
                raise

    def _next(self) -> Claim | None:
        with self._lock:
            claim = self._prefetch.begin(time.monotonic())
            # Together: what is submitted from now on needs another thread.
            self._at_work -= claim is None
            return claim

    def _run(self, claim: Claim) -> None:
        # A connection that the server has dropped since the last attempt must not fail this one.
        used = let_go_of_old_connections()
        if used:
            with self._lock:
                self._kept.difference_update(used)
        resolved = belongs_in_process(claim)
        if claim.stop_requested.is_set():
            self._hand_over(claim, never_begun(claim, self._now()))
        elif resolved is None:
            self._hand_over(claim, attempt(claim, now=self._now))
        else:
            self._supervise(claim, resolved)

    def _supervise(self, claim: Claim, resolved: ResolvedJob) -> None:
        with self._lock:
            self._in_process += 1
        try:
            ending = attempt_in_process(claim, resolved, now=self._now, server=self._server, stop=self._stop)
            self._hand_over(claim, ending)
        finally:
            # Not before: who waits in `abort` goes on to give up whatever has no ending.
            with self._lock:
                self._in_process -= 1

    def _hand_over(self, claim: Claim, ending: Ending | None) -> None:
        used = let_go_of_old_connections()
        with self._lock:
            self._prefetch.end(claim, time.monotonic())
            self._kept.update(used)
        if ending is not None:
            self._done(claim, ending)
