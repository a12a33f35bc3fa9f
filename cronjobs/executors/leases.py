"""Keeps the leases of everything this process holds, on a thread that no busy pool can delay."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection

from cronjobs.conf import get_settings
from cronjobs.database import Backoff, belongs_to_the_engine, drop_connection, engine_alias
from cronjobs.models import JobExecution
from cronjobs.models.moves import renew
from cronjobs.vitals import Pulse

logger = logging.getLogger(__name__)


def renewal_interval() -> float:
    """Return the seconds between two renewals: a sixth of the lease, so that five may fail in a row."""
    return get_settings().lease.total_seconds() / 6


class LeaseKeeper(threading.Thread):
    """Renews the leases of `held()` several times per lease until closed.

    `lost` is told of those that another node has taken meanwhile. `beat` is called with each
    round, after the renewal; `failed` instead, when the database did not answer.
    """

    def __init__(
        self,
        *,
        held: Callable[[], Collection[JobExecution]],
        lost: Callable[[Collection[JobExecution]], None] = lambda executions: None,
        beat: Callable[[], None] = lambda: None,
        failed: Callable[[], None] = lambda: None,
        pulse: Pulse | None = None,
    ) -> None:
        super().__init__(name="cronjobs-leases", daemon=True)
        self._pulse = pulse or Pulse("leases")
        self._held, self._lost, self._beat, self._failed = held, lost, beat, failed
        self._closed = threading.Event()
        self._interval = renewal_interval()
        self._alias = engine_alias(JobExecution)
        self._backoff = Backoff(self._alias, "Renewing leases")

    def close(self) -> None:
        """Stop renewing."""
        self._closed.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        belongs_to_the_engine(get_settings().lease / 2)
        # The first round comes early: a node that has just started says what it knows.
        wait = min(1.0, self._interval)
        try:
            with self._pulse.watched():
                while not self._pause(wait):
                    wait = self._round()
        finally:
            drop_connection(self._alias)

    def _pause(self, seconds: float) -> bool:
        self._pulse.beat(rest=seconds)
        return self._closed.wait(seconds)

    def _round(self) -> float:
        """Renew, beat, and return the seconds until the next round."""
        try:
            lost = renew(self._held())
            self._beat()
        except Exception as error:  # noqa: BLE001 - a lease keeper that dies loses everybody's work
            self._failed()
            return self._backoff.failed(error)
        self._backoff.succeeded()
        if lost:
            self._lost(lost)
        return self._interval
