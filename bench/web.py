"""A web server for the demo project as it is deployed: one process with a few threads, each with its own connection.

``python -m bench.web``: prints the port that it listens on. Nothing better than Django's own server is
sure to be installed; unlike ``runserver`` it has a fixed number of threads, and sends small answers at once.
"""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from socketserver import BaseServer
from typing import Any

from django.core.servers.basehttp import WSGIRequestHandler, WSGIServer
from django.core.wsgi import get_wsgi_application

THREADS = 8


class Handler(WSGIRequestHandler):
    """Answers one request of a connection."""

    disable_nagle_algorithm = True


class Server(WSGIServer):
    """Hands each connection to a thread of a pool."""

    request_queue_size = 128

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._pool = ThreadPoolExecutor(THREADS)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._pool.submit(self._answer, request, client_address)

    def _answer(self, request: Any, client_address: Any) -> None:
        try:
            BaseServer.process_request(self, request, client_address)
        except Exception:  # noqa: BLE001 - as socketserver's own threads do
            self.handle_error(request, client_address)
            self.shutdown_request(request)


def main() -> None:
    """Serve until the process is ended."""
    application = get_wsgi_application()
    # One line a request is not what is measured.
    logging.getLogger("django.server").setLevel(logging.WARNING)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.set_app(application)
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
