"""The fork server: a process with one thread and Django set up, which forks a guardian for each request.

Its node starts it as an ordinary command, at any time, and hands it two sockets per request.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.db import connections

from cronjobs.executors.process import kernel
from cronjobs.executors.process.guardian import guard
from cronjobs.executors.process.tree import below
from cronjobs.executors.process.wire import Outlet

# For guardians whose node is gone: they are busy killing.
_PATIENCE = 15.0


def main(boot: Mapping[str, Any]) -> None:
    """Serve until the node is gone. Django is set up; `boot` is what `ForkServer` has sent."""
    control = socket.socket(fileno=boot["control"])
    # Whoever stops the node with its whole group means the node, which knows what to wait for.
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    _let_go_of_connections(boot["databases"])
    # What is never freed is never written to, and stays shared between the children.
    gc.collect()
    gc.freeze()
    Outlet(control).send("ready")
    _Server(control, boot["node"]).serve()


def _let_go_of_connections(names: Mapping[str, str]) -> None:
    # A test's node works on the test's database, and so must its children.
    for alias, name in names.items():
        if alias in connections.databases:
            connections.databases[alias]["NAME"] = name
    # Two processes must not share a connection; an app may have opened one while it was set up.
    connections.close_all()
    for connection in connections.all(initialized_only=True):
        if hasattr(connection, "close_pool"):
            connection.close_pool()


class _Server:
    def __init__(self, control: socket.socket, node: int) -> None:
        self._control, self._node = control, kernel.open_process(node)
        self._guardians: set[int] = set()
        kernel.adopt_orphans()
        # A child that ends interrupts the waiting.
        self._wakeup, waker = socket.socketpair()
        for each in (self._wakeup, waker):
            os.set_blocking(each.fileno(), False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        self._waker = waker

    def serve(self) -> None:
        """Fork until the node closes its side or ends; then wait for the guardians, who notice it too."""
        with selectors.DefaultSelector() as selector:
            for each in (self._control, self._wakeup, self._node):
                if each is not None:
                    selector.register(each, selectors.EVENT_READ)
            is_open = True
            while is_open:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._wakeup in ready:
                    self._wakeup.recv(4096)
                    self._reap()
                is_open = self._node not in ready and (self._control not in ready or self._accept())
        deadline = time.monotonic() + _PATIENCE
        while self._guardians and time.monotonic() < deadline:
            time.sleep(0.02)
            self._reap()
        signal.set_wakeup_fd(-1)

    def _accept(self) -> bool:
        """Fork for one request; return False if there will be no more."""
        try:
            data, descriptors, *_ = socket.recv_fds(self._control, 1, 2)
        except OSError:
            return False
        if not data:
            return False
        guardian = os.fork()
        if guardian == 0:
            self._become_guardian(descriptors)
        self._guardians.add(guardian)
        for each in descriptors:
            os.close(each)
        return True

    def _become_guardian(self, descriptors: list[int]) -> None:
        """Never returns: whatever happens, there must not be a second server."""
        try:
            signal.set_wakeup_fd(-1)
            for each in (self._control, self._wakeup, self._waker):
                each.close()
            control, channel = (socket.socket(fileno=each) for each in descriptors)
            guard(control, channel, node=self._node)
        finally:
            os._exit(1)

    def _reap(self) -> None:
        is_orphaned = False
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._guardians.discard(ended[0])
                is_orphaned = is_orphaned or ended[1] != 0
        if is_orphaned:
            self._kill_strays()

    def _kill_strays(self) -> None:
        """Kill what a guardian that was killed itself has left: nobody else watches it."""
        me = os.getpid()
        strays = {each.pid for each in below(me) if each.parent == me and not each.is_zombie} - self._guardians
        for each in strays:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(each, signal.SIGKILL)
