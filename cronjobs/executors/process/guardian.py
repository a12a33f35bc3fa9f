"""The guardian: watches one worker from outside, and lets nothing of it survive."""

from __future__ import annotations

import json
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from cronjobs.executors.process import kernel
from cronjobs.executors.process.tree import below
from cronjobs.executors.process.wire import Inlet, Outlet
from cronjobs.executors.process.worker import work

# Looking takes time that grows with the number of processes on the machine: at most a
# twentieth of it is spent on that, and less if only the peak is to be known.
_SHORTEST_INTERVAL, _WITHOUT_LIMITS, _SHARE = 0.1, 1.0, 20
# A process that waits for a device cannot be killed before it has what it waits for.
_KILL_PATIENCE = 10.0
# From here on there is no time for a grace: the machine needs the memory.
_OUTRAGEOUS = 2
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the node allows: seconds, bytes, seconds of CPU time, seconds between SIGTERM and SIGKILL."""

    timeout: float | None
    memory: int | None
    cpu: float | None
    grace: float


def guard(control: socket.socket, channel: socket.socket, *, node: int | None) -> None:
    """Fork the worker, watch it, report to `control`, and exit. `node` is a descriptor that tells its end."""
    kernel.adopt_orphans()
    bounds = Bounds(**json.loads(_first_line(control)))
    me, worker = os.getpid(), os.fork()
    if worker == 0:
        _become_worker(control, channel, node, me)
    channel.close()
    _Guardian(control, worker, bounds, node).watch()
    os._exit(0)


def _first_line(control: socket.socket) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        # Byte by byte: what follows is not ours to read yet.
        byte = control.recv(1)
        if not byte:
            os._exit(0)
        line += byte
    return bytes(line)


def _become_worker(control: socket.socket, channel: socket.socket, node: int | None, guardian: int) -> None:
    try:
        control.close()
        if node is not None:
            os.close(node)
        # Whoever signals the node's group, or the guardian's, does not mean the job.
        os.setsid()
        kernel.die_with_parent(guardian)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for each in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        work(channel)
        os._exit(0)
    finally:
        os._exit(1)


@dataclass(slots=True)
class _Usage:
    """What the worker and all that it started have used: CPU time so far, and the most memory at one time."""

    cpu_seconds: float = 0.0
    rss_bytes: int = 0
    peak_rss_bytes: int = 0

    def look(self) -> None:
        alive = below(os.getpid())
        self.rss_bytes = sum(each.rss_bytes for each in alive)
        self.peak_rss_bytes = max(self.peak_rss_bytes, self.rss_bytes)
        self.cpu_seconds = _cpu_of_the_dead() + sum(each.cpu_seconds for each in alive)

    def conclude(self) -> None:
        """Take over what the kernel has counted, now that nobody is left: it sees what falls between two looks."""
        highest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _MAXRSS_UNIT
        self.peak_rss_bytes = max(self.peak_rss_bytes, highest)
        self.cpu_seconds = max(self.cpu_seconds, _cpu_of_the_dead())


def _cpu_of_the_dead() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass(slots=True)
class _Guardian:
    control: socket.socket
    worker: int
    bounds: Bounds
    node: int | None
    usage: _Usage = field(default_factory=_Usage)
    status: int | None = None
    # Why the worker is being ended, if it is: timeout, memory, cpu, stop.
    reason: str | None = None
    kill_at: float | None = None
    is_alone: bool = False
    # Kept open: while its other side is written to, at every death, somebody must hold it.
    wakeup: socket.socket | None = None

    def watch(self) -> None:
        """Return when the worker and everything below it have ended, and the node has been told."""
        deadline = None if self.bounds.timeout is None else time.monotonic() + self.bounds.timeout
        inlet, look_at, ready = Inlet(self.control), time.monotonic(), Outlet(self.control)
        with self._selector() as selector, suppress(OSError):
            ready.send("started", {"guardian": os.getpid()})
            while self.status is None and not self.is_alone:
                self._wait(selector, inlet, [look_at, deadline, self.kill_at])
                self._reap()
                if deadline is not None and time.monotonic() >= deadline:
                    self._end("timeout")
                    deadline = None
                if time.monotonic() >= look_at:
                    look_at = self._look()
                if self.kill_at is not None and time.monotonic() >= self.kill_at:
                    break
        left_behind = self._kill_all()
        self.usage.conclude()
        with suppress(OSError):
            ready.send("ended", self._report(left_behind))

    def _selector(self) -> selectors.BaseSelector:
        self.wakeup, waker = socket.socketpair()
        for each in (self.wakeup, waker):
            os.set_blocking(each.fileno(), False)
        # The handler must be Python's, or nothing is written to the descriptor.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.detach(), warn_on_full_buffer=False)
        selector = selectors.DefaultSelector()
        for watched in (self.control, self.wakeup, self.node):
            if watched is not None:
                selector.register(watched, selectors.EVENT_READ)
        # It may have ended before anybody listened.
        self._reap()
        return selector

    def _wait(self, selector: selectors.BaseSelector, inlet: Inlet, times: list[float | None]) -> None:
        next_time = min(each for each in times if each is not None)
        for key, _ in selector.select(max(0.0, next_time - time.monotonic())):
            if key.fileobj is self.control:
                self._obey(inlet)
            elif key.fileobj == self.node:
                self.is_alone = True
            elif isinstance(key.fileobj, socket.socket):
                key.fileobj.recv(4096)

    def _obey(self, inlet: Inlet) -> None:
        for kind, _ in inlet.receive():
            if kind == "terminate":
                self._end("stop")
            elif kind == "kill":
                self._end("stop")
                self.kill_at = time.monotonic()
        if not inlet.is_open:
            self.is_alone = True

    def _look(self) -> float:
        """Measure, compare, and return when to do it again."""
        began = time.monotonic()
        self.usage.look()
        memory, cpu = self.bounds.memory, self.bounds.cpu
        if memory is not None and self.usage.rss_bytes > memory:
            self._end("memory")
            if self.usage.rss_bytes > memory * _OUTRAGEOUS:
                self.kill_at = began
        if cpu is not None and self.usage.cpu_seconds > cpu:
            self._end("cpu")
        now = time.monotonic()
        lowest = _WITHOUT_LIMITS if memory is None and cpu is None else _SHORTEST_INTERVAL
        return now + max(lowest, _SHARE * (now - began))

    def _end(self, reason: str) -> None:
        """Ask everything to end, once, and set the time at which asking is over."""
        if self.reason is not None:
            return
        self.reason, self.kill_at = reason, time.monotonic() + self.bounds.grace
        _signal([each.pid for each in below(os.getpid())], signal.SIGTERM)

    def _reap(self) -> bool:
        """Take note of who has ended; return whether nobody is left: whoever loses its parent becomes our child."""
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self.worker:
                    self.status = ended[1]
        except ChildProcessError:
            return True
        return False

    def _kill_all(self) -> int:
        """Kill all that is left, until nothing is; return how many there were beside the worker."""
        deadline, killed = time.monotonic() + _KILL_PATIENCE, set[int]()
        while time.monotonic() < deadline:
            left = [each.pid for each in below(os.getpid()) if not each.is_zombie]
            # That none were seen does not mean that there are none: one may have forked and ended during the look.
            if self._reap():
                break
            _signal(left, signal.SIGKILL)
            killed.update(left)
            time.sleep(0.002)
        self._reap()
        return len(killed - {self.worker})

    def _report(self, left_behind: int) -> Mapping[str, Any]:
        return {
            "status": self.status,
            "reason": self.reason,
            "cpu_ms": int(self.usage.cpu_seconds * 1000),
            "peak_rss_bytes": self.usage.peak_rss_bytes,
            "left_behind": left_behind,
            "survivors": len([each for each in below(os.getpid()) if not each.is_zombie]),
        }


def _signal(pids: list[int], number: int) -> None:
    for each in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(each, number)
