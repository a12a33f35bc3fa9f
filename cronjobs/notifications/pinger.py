"""The thread that sends pings, and what is done about monitors that do not answer."""

from __future__ import annotations

import atexit
import logging
import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import ClassVar, NamedTuple

from cronjobs.addresses import split_address
from cronjobs.conf import settings_or_defaults
from cronjobs.exceptions import InvalidAddress, SendingFailed
from cronjobs.notifications.posting import post, with_path
from cronjobs.storable import storable_text

logger = logging.getLogger(__name__)

TIMEOUT = timedelta(seconds=5)
# Before the second try, and before the third, in seconds; there is no fourth.
DELAYS = (2.0, 10.0)
# So many may wait; what comes then is dropped, since what is old is of little use to a monitor.
MOST = 1_000
BODY_MAX_BYTES = 100_000
# How long a process that ends waits for its pings, in seconds.
_AT_EXIT = 3.0
# The thread ends when it has had nothing to do for so many seconds.
_LONGEST_IDLE = 5.0


class PingKind(StrEnum):
    """What a ping says: the end of the path that says it."""

    START = "/start"
    SUCCESS = ""
    FAILURE = "/fail"
    # Kept by the monitor, and no news to it.
    LOG = "/log"


class Ping(NamedTuple):
    """A call to a monitor. `run` tells the pings of one execution from those of another."""

    address: str
    kind: PingKind = PingKind.SUCCESS
    run: uuid.UUID | None = None
    text: str = ""


def send_ping(ping: Ping, *, hosts: Iterable[str] = ()) -> None:
    """Send a ping now; raise `SendingFailed` if it was not taken.

    `hosts`, if there are any, are the only ones that it may go to: `InvalidAddress` for any other.
    """
    parts = split_address(ping.address, hosts=hosts)
    query = "" if ping.run is None else f"rid={ping.run}"
    body = storable_text(ping.text, max_bytes=BODY_MAX_BYTES).encode()
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    post(with_path(parts, suffix=ping.kind.value, query=query), body, headers=headers, timeout=TIMEOUT)


@dataclass(slots=True)
class _Lane:
    """What waits for one host, in order, and from when on it is tried (again), on the monotonic clock."""

    pings: deque[Ping] = field(default_factory=deque)
    not_before: float = 0.0
    failures: int = 0


class Pinger:
    """Sends pings from a thread of its own, which is there while there are any; in order for each host.

    One that is not taken is tried twice more; meanwhile those for its host wait. Those for other
    hosts wait for the one call at most that is under way.
    """

    def __init__(self, *, delays: Sequence[float] = DELAYS) -> None:
        self._delays = delays
        self._incoming: queue.SimpleQueue[Ping] = queue.SimpleQueue()
        self._lanes: dict[str, _Lane] = {}
        self._lock = threading.Condition()
        self._open = self._dropped = 0
        self._idle_until = 0.0
        self._thread: threading.Thread | None = None
        self._is_flushed_at_exit = False

    def put(self, ping: Ping) -> None:
        """Take over a ping, and return at once."""
        with self._lock:
            if self._open >= MOST:
                self._dropped += 1
                return
            self._open += 1
            self._ensure_thread()
        self._incoming.put(ping)

    def flush(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until nothing is left to send; return whether that is so."""
        with self._lock:
            return self._lock.wait_for(lambda: self._open == 0, timeout)

    def _ensure_thread(self) -> None:
        # A forked process has the object, and not the thread.
        if self._thread is None or not self._thread.is_alive():
            if not self._is_flushed_at_exit:
                atexit.register(self.flush, _AT_EXIT)
                self._is_flushed_at_exit = True
            self._thread = threading.Thread(target=self._run, name="cronjobs-pinger", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._is_needed():
            self._take_in()
            for host, lane in list(self._lanes.items()):
                self._send_waiting(lane)
                if not lane.pings:
                    del self._lanes[host]

    def _is_needed(self) -> bool:
        """Return False, and let the next ping begin another thread, if this one has had nothing to do for a while."""
        with self._lock:
            is_needed = self._open > 0 or time.monotonic() < self._idle_until
            if not is_needed:
                self._thread = None
            return is_needed

    def _take_in(self) -> None:
        """Sort what has come in by hosts; wait for something if there is nothing to do."""
        try:
            ping = self._incoming.get(timeout=self._wait())
            while True:
                self._lanes.setdefault(_host(ping), _Lane()).pings.append(ping)
                ping = self._incoming.get_nowait()
        except queue.Empty:
            return

    def _wait(self) -> float:
        if not self._lanes:
            return _LONGEST_IDLE
        return max(0.0, min(lane.not_before for lane in self._lanes.values()) - time.monotonic())

    def _send_waiting(self, lane: _Lane) -> None:
        """Send until there is no more, or one is not taken: a host that hangs takes the others' time once in each round."""
        is_taken = True
        while is_taken and lane.pings and lane.not_before <= time.monotonic():
            is_taken = self._send_first(lane)

    def _send_first(self, lane: _Lane) -> bool:
        """Send, or give up, the first one, or leave it for another try; return whether it was taken."""
        ping, is_taken = lane.pings[0], False
        try:
            send_ping(ping, hosts=settings_or_defaults().ping_hosts)
            is_taken = True
        except SendingFailed as error:
            if lane.failures < len(self._delays):
                lane.not_before = time.monotonic() + self._delays[lane.failures]
                lane.failures += 1
                return False
            logger.warning("A ping was not taken, and is given up: %s", error)
        except InvalidAddress as error:
            logger.warning("A ping cannot be sent: %s", error)
        except Exception as error:  # noqa: BLE001 - the thread must not die, and its text might hold the address
            logger.error("A ping could not be sent: %s", type(error).__name__)  # noqa: TRY400 - nor must the log
        lane.pings.popleft()
        lane.failures = 0
        self._settle()
        return is_taken

    def _settle(self) -> None:
        with self._lock:
            self._open -= 1
            self._idle_until = time.monotonic() + _LONGEST_IDLE
            dropped, self._dropped = self._dropped, 0
            self._lock.notify_all()
        if dropped:
            logger.warning("%d pings were dropped: %d others were waiting.", dropped, MOST)


class KeptPings(Pinger):
    """Keeps pings, in order, and sends none."""

    # The one that stands in for the process's own; None: none does.
    in_use: ClassVar[KeptPings | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.pings: list[Ping] = []

    def put(self, ping: Ping) -> None:
        self.pings.append(ping)


def process_pinger() -> Pinger:
    """Return the one pinger of this process."""
    return KeptPings.in_use or _own_pinger()


@lru_cache(maxsize=1)
def _own_pinger() -> Pinger:
    return Pinger()


@contextmanager
def pings_kept() -> Iterator[list[Ping]]:
    """Keep what this process would send meanwhile; yield the list of it. Of several, one within the other, the outermost keeps it."""
    if (outer := KeptPings.in_use) is not None:
        yield outer.pings
        return
    KeptPings.in_use = kept = KeptPings()
    try:
        yield kept.pings
    finally:
        KeptPings.in_use = None


def _host(ping: Ping) -> str:
    try:
        return split_address(ping.address).netloc
    except InvalidAddress:
        return ""
