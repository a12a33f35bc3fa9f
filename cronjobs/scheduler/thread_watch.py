"""The thread that looks after a node's other threads: which of them hang, and where."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from cronjobs.conf import get_settings
from cronjobs.database import Backoff, belongs_to_the_engine, drop_connection, engine_alias
from cronjobs.models import Node
from cronjobs.models.node import stuck_text
from cronjobs.vitals import Pulse, Vitals

logger = logging.getLogger(__name__)

# Seconds between two looks.
_INTERVAL = 1.0


class ThreadWatch(threading.Thread):
    """Says in the log which threads are stuck, and which go on; and in the node's row, as soon as that can be written.

    It uses the database only when there is something new to say, so that what holds up the others
    need not hold it up.
    """

    def __init__(self, *, node: str, vitals: Vitals, on_death: Callable[[BaseException], None]) -> None:
        super().__init__(name="cronjobs-watch", daemon=True)
        self._node, self._vitals, self._on_death = node, vitals, on_death
        self._pulse = vitals.pulse("watch")
        self._closed = threading.Event()
        self._logged: tuple[Pulse, ...] = ()
        self._written: tuple[str, ...] = ()
        self._alias = engine_alias(Node)
        self._backoff = Backoff(self._alias, "Telling of stuck threads")

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        if self.is_alive():
            # If it hangs itself, it is not worth waiting for.
            self.join(timeout=5.0)

    def run(self) -> None:
        belongs_to_the_engine(get_settings().lease / 2)
        wait = _INTERVAL
        try:
            with self._pulse.watched():
                while not self._pause(wait):
                    wait = max(_INTERVAL, self._look())
        except BaseException as error:
            logger.critical("The watch over the threads has stopped: %r", error)
            self._on_death(error)
            raise

    def _pause(self, seconds: float) -> bool:
        self._pulse.beat(rest=seconds)
        return self._closed.wait(seconds)

    def _look(self) -> float:
        """Look, tell, and return how many seconds to wait at least before the next look."""
        self._pulse.beat()
        stuck = self._vitals.stuck()
        self._log(stuck)
        names = tuple(each.name for each in stuck)
        if names == self._written:
            return 0.0
        try:
            Node.objects.filter(name=self._node).update(stuck=stuck_text(names))
        except Exception as error:  # noqa: BLE001 - a database that is away; the log has it already
            return self._backoff.failed(error)
        drop_connection(self._alias)
        self._backoff.succeeded()
        self._written = names
        return 0.0

    def _log(self, stuck: Sequence[Pulse]) -> None:
        for each in stuck:
            if each not in self._logged:
                limit = get_settings().stuck_after.total_seconds()
                sentence = "Node %s: its thread %s has given no sign of life for %g s. It is here:\n%s"
                logger.error(sentence, self._node, each.name, limit, each.whereabouts(), extra=self._facts(each))
        for each in self._logged:
            if each not in stuck:
                logger.warning("Node %s: its thread %s goes on.", self._node, each.name, extra=self._facts(each))
        self._logged = tuple(stuck)

    def _facts(self, pulse: Pulse) -> dict[str, str]:
        return {"node": self._node, "stuck_thread": pulse.name}
