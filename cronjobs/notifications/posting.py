"""One POST to a server that may do anything: refuse, hang, drip, drop the connection, answer nonsense."""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult

from cronjobs.exceptions import SendingFailed

_USER_AGENT = "cronjobs"
# So much of an answer's body is taken off the line, so that the other side sees no reset; none of it is used.
_READ_OF_BODY = 16_384


def post(parts: SplitResult, body: bytes, *, headers: Mapping[str, str], timeout: timedelta) -> None:
    """POST `body` to the address with these parts; return if the answer is 2xx, else raise `SendingFailed`.

    Everything together (without the look-up of the host's name) takes at most about `timeout`.
    Redirects are not followed. The error names the host and what happened, and nothing else of
    the address, the headers or the answer, which might repeat them.
    """
    deadline, is_sent = _Deadline(timeout), False
    try:
        connection = _connected(parts, deadline)
        try:
            connection.request(
                "POST", _target(parts), body, {"User-Agent": _USER_AGENT, "Connection": "close", **headers}
            )
            is_sent = True
            status = _status(connection.getresponse())
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError) as error:
        what = _what_happened(error, timeout)
        raise SendingFailed(f"{parts.netloc} {what}", may_have_arrived=is_sent) from error
    if not 200 <= status < 300:
        hint = ", and redirects are not followed" if 300 <= status < 400 else ""
        raise SendingFailed(f"{parts.netloc} answered with status {status}{hint}.")


def with_path(parts: SplitResult, *, suffix: str = "", query: str = "") -> SplitResult:
    """Return the address with `suffix` behind its path, and `query` beside what it asks for already."""
    path = parts.path.rstrip("/") + suffix if suffix else parts.path
    return parts._replace(path=path, query="&".join(filter(None, (parts.query, query))))


class _Deadline:
    """The time until which an exchange has to be over, on the monotonic clock."""

    def __init__(self, timeout: timedelta) -> None:
        self._at = time.monotonic() + timeout.total_seconds()

    def left(self) -> float:
        """Return the seconds that are left; raise `TimeoutError` if there are none."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _BoundedReader(io.RawIOBase):
    """Reads from a socket, each time for no longer than is left: a timeout of the socket is for each byte anew."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock, self._deadline = sock, deadline
        self._raw: Any = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.left())
        read: int | None = self._raw.readinto(buffer)
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedSocket:
    """What `HTTPConnection` needs of a socket, with one deadline for everything."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock, self._deadline = sock, deadline

    def sendall(self, data: bytes) -> None:
        # Python counts the timeout of this one for the whole of it.
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data)

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReader(self._sock, self._deadline))

    def close(self) -> None:
        self._sock.close()


def _connected(parts: SplitResult, deadline: _Deadline) -> HTTPConnection:
    host, is_safe = parts.hostname or "", parts.scheme == "https"
    connection = HTTPSConnection(host, parts.port, context=_tls()) if is_safe else HTTPConnection(host, parts.port)
    sock = socket.create_connection((connection.host, connection.port), timeout=deadline.left())
    try:
        if is_safe:
            # A handshake counts its timeout for the whole of it, too.
            sock.settimeout(deadline.left())
            sock = _tls().wrap_socket(sock, server_hostname=host)
    except BaseException:
        sock.close()
        raise
    connection.sock = _BoundedSocket(sock, deadline)
    return connection


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _status(response: HTTPResponse) -> int:
    with suppress(OSError, HTTPException, ValueError):
        # The answer is there, whatever becomes of the rest of it: a chunk of negative length is a ValueError.
        response.read(_READ_OF_BODY)
    return response.status


def _what_happened(error: Exception, timeout: timedelta) -> str:
    """Return the end of a sentence about `error`, whose own text might repeat what was sent."""
    if isinstance(error, TimeoutError):
        return f"did not answer within {timeout.total_seconds():g} s."
    for kind, what in _KINDS:
        if isinstance(error, kind):
            return what
    return f"could not be asked: {type(error).__name__}."


_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (ConnectionRefusedError, "refused the connection."),
    (ConnectionError, "closed the connection without an answer."),
    (socket.gaierror, "is not a host that is known here."),
    (UnicodeError, "is not a host that is known here."),
    (ssl.SSLCertVerificationError, "has a certificate that is not trusted."),
    (ssl.SSLError, "does not speak TLS as it should."),
    (OSError, "cannot be reached."),
    (HTTPException, "gave an answer that is no HTTP."),
)
