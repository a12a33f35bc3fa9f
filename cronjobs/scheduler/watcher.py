"""Looks, again and again, for what people have to be told of; beside the executions, and never in their way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from cronjobs.alerting.looks import look_around, take_turn
from cronjobs.conf import get_settings
from cronjobs.database import Backoff, SteadyClock, belongs_to_the_engine, drop_connection, engine_alias
from cronjobs.models import AlertState
from cronjobs.vitals import Pulse

logger = logging.getLogger(__name__)


class Watcher(threading.Thread):
    """A thread that looks in each interval in which no other node's does.

    `is_calm` says whether the silence of other nodes means anything; `on_alert` is called when
    there is something to send.
    """

    def __init__(
        self,
        *,
        time: SteadyClock,
        is_calm: Callable[[], bool] = lambda: False,
        on_alert: Callable[[], None] = lambda: None,
        on_death: Callable[[BaseException], None] = lambda error: None,
        pulse: Pulse | None = None,
    ) -> None:
        super().__init__(name="cronjobs-watcher", daemon=True)
        self._pulse = pulse or Pulse("watcher")
        self._time, self._is_calm, self._on_alert, self._on_death = time, is_calm, on_alert, on_death
        self._closed = threading.Event()
        self._alias = engine_alias(AlertState)
        self._backoff = Backoff(self._alias, "Looking for what is wrong")

    def close(self, *, timeout: float) -> None:
        """Look no more, and wait so many seconds for the look that is under way."""
        self._closed.set()
        if self.is_alive():
            self.join(timeout)

    def look_once(self) -> None:
        """Look now, whoever else does: what has just ended may be worth an alert. Nothing is raised."""
        try:
            self._look()
        except Exception:
            logger.exception("Nobody has looked for what is wrong.")

    def _look(self) -> None:
        if look_around(self._time.now(), is_calm=self._is_calm()):
            self._on_alert()

    def run(self) -> None:
        belongs_to_the_engine(get_settings().lease / 2)
        # Whoever has just started has had no time yet to begin what waits.
        wait = get_settings().alerts.interval.total_seconds()
        try:
            with self._pulse.watched():
                while not self._pause(wait):
                    wait = self._round()
        except BaseException as error:
            logger.critical("The watcher has stopped: %r", error)
            self._on_death(error)
            raise
        finally:
            drop_connection(self._alias)

    def _pause(self, seconds: float) -> bool:
        self._pulse.beat(rest=seconds)
        is_over = self._closed.wait(seconds)
        self._pulse.beat()
        return is_over

    def _round(self) -> float:
        """Look, if it is this node's turn; return the seconds until the next time."""
        try:
            if take_turn(self._time.now()):
                self._look()
        except Exception as error:  # noqa: BLE001 - the loop cannot die of a database
            return max(self._backoff.failed(error), 0.1)
        self._backoff.succeeded()
        return get_settings().alerts.interval.total_seconds()
