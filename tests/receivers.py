"""Real servers that messages are sent to, well-behaved and otherwise."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

from tests.private_servers import free_port


@dataclass(frozen=True)
class Received:
    """A request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[["Receiver", BaseHTTPRequestHandler], None]


@dataclass
class Receiver:
    """An HTTP server that writes down what it is sent, and then behaves as it is told to."""

    behave: Behaviour
    address: str = ""
    received: list[Received] = field(default_factory=list)
    # Set: whoever hangs goes on.
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def paths(self) -> list[str]:
        return [each.path for each in self.received]


@contextmanager
def receiving(behave: Behaviour | None = None) -> Iterator[Receiver]:
    """Run a receiver on a free port; by default it takes everything."""
    receiver = Receiver(behave or answers(200))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, body))
            receiver.behave(receiver, self)

        do_GET = do_POST  # noqa: N815 - the server's way

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """The other side is gone, as it should be."""

    with Server(("127.0.0.1", 0), Handler) as server:
        receiver.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.released.set()
            server.shutdown()
            thread.join()


def answers(status: int, **headers: str) -> Behaviour:
    """Answer with this status."""

    def behave(_: Receiver, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")

    return behave


def hangs(receiver: Receiver, handler: BaseHTTPRequestHandler) -> None:
    """Say nothing until released; then it is well."""
    receiver.released.wait()
    answers(200)(receiver, handler)


def drops(_: Receiver, handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def drips(receiver: Receiver, handler: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, for ever."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while not receiver.released.wait(0.02):
        handler.wfile.write(b"x")


def babbles(_: Receiver, handler: BaseHTTPRequestHandler) -> None:
    """Answer with what is no HTTP."""
    handler.wfile.write(b"EHLO there\r\n\r\n")
    handler.close_connection = True


def takes_it_and_babbles(_: Receiver, handler: BaseHTTPRequestHandler) -> None:
    """Say that all is well, in a body that breaks the rules of its encoding."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nx\r\n")
    handler.close_connection = True


def closed_address() -> str:
    """Return an address where nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


class Mailbox:
    """What a mail server keeps of the letters that it takes, and whether it takes any."""

    def __init__(self) -> None:
        self.letters: list[Any] = []
        self.recipients: list[list[str]] = []
        self.refuses = self.hangs_up = False

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if self.refuses:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.letters.append(BytesParser(policy=default).parsebytes(envelope.content))
        self.recipients.append(list(envelope.rcpt_tos))
        if self.hangs_up:
            server.transport.abort()
        return "250 OK"


@contextmanager
def receiving_mail() -> Iterator[tuple[Mailbox, int]]:
    """Run a mail server; yield its mailbox and its port."""
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield mailbox, controller.port
    finally:
        controller.stop()


@contextmanager
def hanging_socket() -> Iterator[int]:
    """Yield the port of a server that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])
