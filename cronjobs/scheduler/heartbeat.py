"""A node's sign of life to a monitor elsewhere: its silence is the only news of there being no node."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from cronjobs.conf import settings_or_defaults
from cronjobs.exceptions import InvalidAddress, SendingFailed
from cronjobs.notifications.pinger import Ping, send_ping

logger = logging.getLogger(__name__)

# In seconds: until the first one, and between two tries of one that was not taken.
_FIRST, _AGAIN = 1.0, 10.0


class Heartbeat(threading.Thread):
    """Calls HEARTBEAT_URL, if there is one, once an interval, as long as `is_well` says so."""

    def __init__(self, *, is_well: Callable[[], bool]) -> None:
        super().__init__(name="cronjobs-heartbeat", daemon=True)
        self._is_well = is_well
        self._closed = threading.Event()
        self._is_failing = False

    def close(self) -> None:
        """Call no more. A call that is under way is not waited for."""
        self._closed.set()

    def run(self) -> None:
        wait = _FIRST
        while not self._closed.wait(wait):
            wait = self._beat()

    def _beat(self) -> float:
        """Call, if the node is well, and return the seconds until the next time."""
        settings = settings_or_defaults()
        interval = settings.heartbeat_interval.total_seconds()
        if not settings.heartbeat_url:
            return interval
        if not self._is_well():
            return min(_FIRST, interval)
        try:
            send_ping(Ping(settings.heartbeat_url))
        except (SendingFailed, InvalidAddress) as error:
            # Once for each time that it begins; a monitor that is away for a day is one piece of news.
            logger.log(logging.DEBUG if self._is_failing else logging.WARNING, "The heartbeat was not taken: %s", error)
            self._is_failing = True
            return min(_AGAIN, interval)
        except Exception as error:  # noqa: BLE001 - a thread that died would say that there is no node
            # Its text might hold the address.
            logger.error("The heartbeat could not be sent: %s", type(error).__name__)  # noqa: TRY400 - as above
            return min(_AGAIN, interval)
        self._is_failing = False
        return interval
