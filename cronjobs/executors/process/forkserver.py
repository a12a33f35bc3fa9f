"""The node's side of its fork server: started when first needed, started again should it end."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from django.conf import ENVIRONMENT_VARIABLE
from django.db import connections
from django.db.models import Q

from cronjobs.conf import get_settings
from cronjobs.exceptions import ProcessUnavailable
from cronjobs.executors.process.wire import Inlet
from cronjobs.language import gettext as _
from cronjobs.models import ExecutorName, Job
from cronjobs.registry import registry

logger = logging.getLogger(__name__)

# By standard input, so that neither an environment variable nor a long command line is passed on to jobs.
_BOOT = r"""
import json, os, sys
boot = json.load(sys.stdin)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
sys.path[:] = boot["path"]
try:
    import django
    django.setup()
    from cronjobs.executors.process.server import main
except BaseException as error:
    message = {"kind": "failed", "payload": f"{type(error).__name__}: {error}"}
    os.write(boot["control"], json.dumps(message).encode() + b"\n")
    raise
main(boot)
"""


class ForkServer:
    """Hands out pairs of sockets to new guardians and workers. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._inlet: Inlet | None = None
        self._is_ready, self._failure = False, ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the server if it does not run. Returns at once; Django is set up meanwhile.

        If that is not possible, the first attempt that needs it says why.
        """
        with self._lock, suppress(OSError, ProcessUnavailable):
            self._ensure()

    def spawn(self) -> tuple[socket.socket, socket.socket]:
        """Return the sockets to a new guardian and to its worker; raise `ProcessUnavailable` if there is no server."""
        control, channel = socket.socketpair(), socket.socketpair()
        with control[1], channel[1]:
            try:
                self._ask(control[1].fileno(), channel[1].fileno())
            except (OSError, ProcessUnavailable) as error:
                control[0].close()
                channel[0].close()
                if isinstance(error, ProcessUnavailable):
                    raise
                raise ProcessUnavailable(self.failure() or str(error)) from error
        return control[0], channel[0]

    def _ask(self, *descriptors: int) -> None:
        with self._lock:
            try:
                socket.send_fds(self._ensure(), [b"+"], descriptors)
            except BrokenPipeError:
                # It has ended just now; nobody has seen the request.
                self._drop()
                socket.send_fds(self._ensure(), [b"+"], descriptors)

    def failure(self) -> str:
        """Return why the server could not be set up, if that has been told."""
        with self._lock:
            self._listen()
            return self._failure

    def close(self) -> None:
        """Let the server end; what it has forked ends as well."""
        with self._lock:
            self._drop()

    def _ensure(self) -> socket.socket:
        if self._process is None or self._control is None or self._process.poll() is not None:
            self._drop()
            self._control = self._start()
        return self._control

    def _start(self) -> socket.socket:
        if not os.environ.get(ENVIRONMENT_VARIABLE):
            raise ProcessUnavailable(_("%(variable)s is not set") % {"variable": ENVIRONMENT_VARIABLE})
        # In a web server that embeds Python it may name the server.
        if "py" not in Path(sys.executable or "").name:
            program = sys.executable or _("the running program")
            raise ProcessUnavailable(_("%(program)s is not a Python interpreter") % {"program": program})
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-c", _BOOT],
                stdin=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
            boot = {
                "control": theirs.fileno(),
                "node": os.getpid(),
                "path": sys.path,
                "databases": {alias: str(connections[alias].settings_dict["NAME"]) for alias in connections},
            }
            assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
            with suppress(BrokenPipeError), self._process.stdin as pipe:
                pipe.write(json.dumps(boot).encode())
        self._inlet = Inlet(ours)
        logger.debug("The fork server is process %d.", self._process.pid)
        return ours

    def _listen(self) -> None:
        for kind, payload in [] if self._inlet is None else self._inlet.receive():
            self._is_ready = kind == "ready"
            self._failure = "" if self._is_ready else str(payload)

    def _drop(self) -> None:
        self._listen()
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            if not self._is_ready:
                # It has no children yet, and is not worth waiting for.
                self._process.kill()
            try:
                self._process.wait(timeout=5.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = self._control = self._inlet = None
        self._is_ready = False


def may_be_needed() -> bool:
    """Return whether some job of this project runs in processes, as far as definitions, settings and rows say."""
    if get_settings().executor == ExecutorName.PROCESS:
        return True
    if any(each.executor == ExecutorName.PROCESS or each.is_limited for each in registry):
        return True
    limited = Q(timeout__isnull=False) | Q(memory_limit__isnull=False) | Q(cpu_limit__isnull=False)
    return Job.objects.filter(limited | Q(executor=ExecutorName.PROCESS)).exists()
