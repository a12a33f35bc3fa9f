"""How the processes talk: a JSON document a line, ``{"kind": …, "payload": …}``, over socket pairs.

Nothing that comes from a job is ever unpickled.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

# Nothing that is sent comes near it; whoever sends more is not one of us.
_LONGEST = 64 * 2**20
_CHUNK = 2**16


class Outlet:
    """Sends messages over a blocking socket, from any thread; the order is that of the calls."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket, self._lock = sock, threading.RLock()

    def send(self, kind: str, payload: Any = None) -> None:
        """Send one message; raise `OSError` if nobody is there to read it."""
        line = json.dumps({"kind": kind, "payload": payload}).encode() + b"\n"
        with self._lock:
            self._socket.sendall(line)


class Inlet:
    """Receives messages from a socket, and never waits for the rest of one that is incomplete."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket, self.is_open = sock, True
        self._buffer = bytearray()

    def receive(self) -> Iterator[tuple[str, Any]]:
        """Yield what has arrived; `is_open` is false once the other side has closed."""
        data = self._read()
        if not data:
            return
        self._buffer += data
        if len(self._buffer) > _LONGEST:
            # Its sender must not wait for somebody who does not listen any more.
            self.is_open = False
            self._buffer.clear()
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RD)
        if b"\n" not in data:
            return
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = rest
        for line in lines:
            # A job may write to any descriptor it finds: what makes no sense is left out.
            with suppress(ValueError, TypeError, KeyError):
                message = json.loads(line)
                yield str(message["kind"]), message["payload"]

    def _read(self) -> bytes:
        try:
            data = self.socket.recv(_CHUNK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        self.is_open = bool(data)
        return data
