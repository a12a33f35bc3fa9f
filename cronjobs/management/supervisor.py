"""What a node tells the systemd that has started it: that it works, what it does, and that it ends (sd_notify(3)).

The protocol is one datagram for each message, on a socket that the environment names. Without
that name, and wherever nobody listens, nothing is said.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress

logger = logging.getLogger(__name__)

# Seconds: whoever does not read must not hold up a node.
_PATIENCE = 1.0
_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Supervisor:
    """The other end of the socket. Every message may be sent again; none ever raises."""

    def __init__(self, address: str = "", *, watchdog: float = 0.0, now: Callable[[], float] = time.monotonic) -> None:
        """Take the socket's `address` ("": nobody is there), and after how many seconds of silence (0: never) it acts."""
        self._address, self._now = address, now
        # Half of it, as systemd recommends: one message may come late.
        self._interval = watchdog / 2 if address and watchdog > 0 else math.inf
        self._fed_at = -math.inf
        self._said = ""

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> Supervisor:
        """Return the one that the variables name, and remove these: they are not for the processes of jobs."""
        address, period, pid = (environment.pop(each, "") for each in _VARIABLES)
        if address[:1] not in ("/", "@"):
            return cls()
        is_for_us = pid in ("", str(os.getpid()))
        return cls(address, watchdog=_seconds(period) if is_for_us else 0.0)

    @property
    def interval(self) -> float:
        """How many seconds may pass between two calls of `feed`; infinite where nobody waits for them."""
        return self._interval

    def ready(self) -> None:
        """Say that the node does its work from now on."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Say that the node ends."""
        self._send("STOPPING=1\nSTATUS=Stopping.")

    def wait(self, *, seconds: float) -> None:
        """Ask for so much more time to become ready, or to stop."""
        self._send(f"EXTEND_TIMEOUT_USEC={seconds * 1_000_000:.0f}")

    def say(self, status: str) -> None:
        """Let the status, one line, be shown beside the unit; what it is already is not sent again."""
        if status != self._said:
            self._said = status
            self._send(f"STATUS={' '.join(status.split())}")

    def feed(self) -> None:
        """Feed the watchdog, if half of its time has passed. Without that the process is ended."""
        now = self._now()
        if math.isfinite(self._interval) and now - self._fed_at >= self._interval:
            self._fed_at = now
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A name in the abstract namespace, which is no file.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as messenger:
                messenger.settimeout(_PATIENCE)
                messenger.sendto(message.encode(), address)
        except OSError as error:
            logger.debug("The supervisor could not be told %r: %s", message, error)


def _seconds(microseconds: str) -> float:
    with suppress(ValueError):
        return max(0, int(microseconds)) / 1_000_000
    return 0.0
