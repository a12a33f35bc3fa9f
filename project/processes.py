"""Child processes that cannot outlive their parent: how they are started, watched and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# Asks Linux to send SIGTERM when the parent dies, even by SIGKILL, then becomes the command.
# The signal follows the thread that started the child, so start children from the main thread.
_LEASH = """\
import ctypes, os, signal, sys
parent, *command = sys.argv[1:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)
    if os.getppid() != int(parent):
        sys.exit("The parent is gone.")
# Ignored, it stays so in every child: a shell that starts something in the background ignores it.
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(command[0], command)
"""
_PAUSE = 0.05


class ProcessFailed(RuntimeError):
    """A child process ended, or did not do in time what it was started for."""

    def __init__(self, child: Child, reason: str) -> None:
        self.child = child
        super().__init__(f"{child.name} {reason}; its log is {child.log}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A running command, and the file its output goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    log_start: int  # the file also holds what earlier processes wrote

    def output(self) -> str:
        """Return what this process has printed so far."""
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def check(self) -> None:
        """Raise `ProcessFailed` if the process has ended."""
        code = self.process.poll()
        if code is not None:
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
            raise ProcessFailed(self, how)


def start(name: str, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> Child:
    """Start `command`, with its output appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    leashed = [sys.executable, "-S", "-E", "-c", _LEASH, str(os.getpid()), *command]
    with log.open("ab") as output:
        log_start = output.tell()
        process = subprocess.Popen(  # noqa: S603  # every command is ours
            leashed,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            # A group of its own: Ctrl-C reaches us alone, and we decide who stops first.
            start_new_session=True,
        )
        return Child(name=name, process=process, log=log, log_start=log_start)


def wait_until(found: Callable[[], T | None], *, child: Child, within: float) -> T:
    """Return what `found` finds; raise `ProcessFailed` if `child` ends or `within` seconds pass."""
    deadline = time.monotonic() + within
    while (result := found()) is None:
        child.check()
        if time.monotonic() > deadline:
            raise ProcessFailed(child, f"was not ready after {within:g} s")
        time.sleep(_PAUSE)
    return result


def stop(children: Iterable[Child], *, grace: float = 10.0) -> None:
    """Ask all of them to stop at once, and kill those that still run after `grace` seconds."""
    running = [child.process for child in children if child.process.poll() is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + grace
    for process in running:
        try:
            process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
