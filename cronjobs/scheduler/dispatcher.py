"""Claims due executions whenever the executor has room for them, and hands them to it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

from cronjobs.conf import get_settings
from cronjobs.database import Backoff, SteadyClock, belongs_to_the_engine, drop_connection, engine_alias
from cronjobs.executors.base import Executor
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import adopt, claim, new_token
from cronjobs.runner import Claim
from cronjobs.scheduler.holdings import Holdings
from cronjobs.scheduler.looks import Look
from cronjobs.vitals import Pulse

logger = logging.getLogger(__name__)

_GRAIN = 16
SKEW_TO_STOP = timedelta(seconds=30)


class Dispatcher(threading.Thread):
    """A thread that claims when it is woken.

    `held` takes every claim before its attempt starts, so that its lease is renewed.
    """

    def __init__(
        self,
        *,
        node: str,
        time: SteadyClock,
        executor: Executor,
        held: Holdings,
        queues: Collection[str] | None = None,
        on_death: Callable[[BaseException], None] = lambda error: None,
        pulse: Pulse | None = None,
    ) -> None:
        super().__init__(name="cronjobs-dispatcher", daemon=True)
        self._pulse = pulse or Pulse("dispatcher")
        self._node, self._time, self._executor, self._held = node, time, executor, held
        self._queues, self._on_death = queues, on_death
        self._woken, self._closed = threading.Event(), threading.Event()
        self._poll = get_settings().poll_interval.total_seconds()
        self._alias = engine_alias(JobExecution)
        self._is_stopped_by_skew = self._is_retrying = False
        # Held from the decision to claim until the executor has what was claimed.
        self._claiming = threading.Lock()
        self._is_draining = False
        # Claims that ended in an error, by token, with the monotonic time of each.
        self._unanswered: dict[str, float] = {}
        self._is_apart = False
        # Whether a worker that becomes free, or an ending, may let something start that waits now.
        self._is_more = True
        self._backoff, self._wait = Backoff(self._alias, "Claiming"), self._poll

    def heed(self, seen: Look) -> None:
        """Take note of what the clock saw: beside a paused queue, which may hold many rows, claiming goes another way.

        While the node drains nothing is claimed; when this returns, no claim is under way then.
        """
        self._is_apart = seen.is_any_queue_paused
        if seen.is_draining != self._is_draining:
            with self._claiming:
                self._is_draining = seen.is_draining

    @property
    def is_owed_an_answer(self) -> bool:
        """Whether a claim ended in an error so lately that it may turn out to have got something."""
        oldest = self._oldest_unanswered()
        return any(since > oldest for since in list(self._unanswered.values()))

    def wake(self) -> None:
        """Look for work now."""
        self._woken.set()

    def wake_if_waiting(self) -> None:
        """Look for work if the last look left something due behind: a worker or a job's place has become free."""
        if self._is_more and self._executor.free() > 0:
            self.wake()

    def close(self) -> None:
        """Claim nothing more; when this returns, no claim is under way."""
        self._closed.set()
        self._woken.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        belongs_to_the_engine(get_settings().lease / 2)
        try:
            with self._pulse.watched():
                while not self._closed.is_set():
                    self._round()
        except BaseException as error:
            logger.critical("The dispatcher has stopped: %r", error)
            self._on_death(error)
            raise
        finally:
            drop_connection(self._alias)

    def claim_once(self) -> int:
        """Claim as many due executions as the executor has room for, hand them to it, and return how many."""
        self._pulse.beat()
        with self._claiming:
            if adopted := self._adopt():
                return self._start(adopted)
            free = min(self._executor.free(), self._held.room())
            if free <= 0 or self._is_draining or get_settings().paused or self._is_out_of_time():
                return 0
            # Of large numbers only some: each takes a query that has to be put together once.
            return self._claim(free if free < _GRAIN else free - free % _GRAIN)

    def _claim(self, free: int) -> int:
        # Until the claim says otherwise: what becomes free meanwhile may be too late for it.
        self._is_more = True
        token = new_token()
        self._unanswered[token] = time.monotonic()
        claimed = claim(
            node=self._node,
            limit=free,
            at_once=self._executor.at_once(),
            now=self._time.now(),
            queues=self._queues,
            token=token,
            is_apart=self._is_apart,
        )
        del self._unanswered[token]
        self._is_more = claimed.is_more
        return self._start(claimed.executions)

    def _adopt(self) -> list[tuple[JobExecution, Job | None]]:
        """Return what earlier claims have got although an error hid it: then that is what there is to do.

        A claim may be committed a while after its connection is gone; so it is looked for until
        its lease would have run out.
        """
        oldest = self._oldest_unanswered()
        self._unanswered = {token: since for token, since in self._unanswered.items() if since > oldest}
        for token in list(self._unanswered):
            if adopted := adopt(token):
                del self._unanswered[token]
                return adopted
        return []

    def _oldest_unanswered(self) -> float:
        return time.monotonic() - get_settings().lease.total_seconds()

    def _start(self, executions: Sequence[tuple[JobExecution, Job | None]]) -> int:
        for one in Claim.of_each(executions):
            self._held.take(one)
            self._executor.submit(one)
        return len(executions)

    def _is_out_of_time(self) -> bool:
        """Return whether this machine's clock is so wrong that jobs, which read it, had better run elsewhere."""
        skew = self._time.skew
        is_wrong = abs(skew) > SKEW_TO_STOP
        if is_wrong != self._is_stopped_by_skew:
            self._is_stopped_by_skew = is_wrong
            log = logger.error if is_wrong else logger.info
            log(
                "This machine's clock differs from the database's by %.1f s: claiming %s.",
                skew.total_seconds(),
                "nothing until they agree" if is_wrong else "again",
            )
        return is_wrong

    def _round(self) -> None:
        self._pulse.beat(rest=self._wait)
        # The clock looks for claimable rows on this thread's behalf, and wakes it.
        if not self._woken.wait(self._wait) and not self._is_retrying:
            return
        self._woken.clear()
        try:
            while not self._closed.is_set() and self.claim_once() and self._is_more:
                pass
        except Exception as error:  # noqa: BLE001 - the loop cannot die of a database
            self._wait, self._is_retrying = self._backoff.failed(error), True
        else:
            self._backoff.succeeded()
            self._wait, self._is_retrying = self._poll, False
