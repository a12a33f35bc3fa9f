"""The worker: performs one attempt in this process, and tells the node what it logs and how it ends."""

from __future__ import annotations

import base64
import os
import pickle
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import FrameType
from typing import BinaryIO

from django.db import connections

from cronjobs.exceptions import Terminated
from cronjobs.executors.attempts import attempt_silently
from cronjobs.executors.process.mirror import forward_process_log
from cronjobs.executors.process.plain import plain_ending, plain_line
from cronjobs.executors.process.wire import Outlet
from cronjobs.logs import LogCollector, LogLine, output_captured, process_log
from cronjobs.models import Job, JobExecution
from cronjobs.runner import Claim, cancel_coroutines

# Seconds. The node stores it about twice a second.
_PROGRESS_INTERVAL = 0.25


@dataclass(frozen=True, slots=True)
class Request:
    """What a worker is to do, and what time it is: the database's clock read at a monotonic time.

    `logged` is how many bytes earlier attempts have in the log; `level` is that of the node's process log,
    which a command may have set without the project's `LOGGING`.
    """

    execution: JobExecution
    job: Job | None
    logged: int
    now: datetime
    at: float
    level: int

    def encode(self) -> str:
        """Return it as text. Pickled: it comes from the node, and only ever goes to the node's own child."""
        return base64.b64encode(pickle.dumps(self)).decode()

    @staticmethod
    def decode(text: bytes) -> Request:
        """Return what `encode` was given."""
        request: Request = pickle.loads(base64.b64decode(text))  # noqa: S301 - from the node itself
        return request

    def current_time(self) -> datetime:
        """Return the database's present time; the monotonic clock is the same in every process."""
        return self.now + timedelta(seconds=time.monotonic() - self.at)


class _ForwardedLog(LogCollector):
    """Hands every line to the node at once, so that not even a crash loses the last one."""

    def __init__(self, outlet: Outlet, *, execution_id: int, attempt: int, logged: int) -> None:
        super().__init__(execution_id=execution_id, attempt=attempt, logged=logged)
        self._outlet = outlet

    def _keep(self, line: LogLine) -> None:
        # Where the node is gone, the guardian is about to end this process.
        with suppress(OSError):
            self._outlet.send("line", plain_line(line))


def work(channel: socket.socket) -> None:
    """Perform the attempt that the node asks for over `channel`."""
    reader = channel.makefile("rb")
    request, outlet = Request.decode(reader.readline()), Outlet(channel)
    execution = request.execution
    log = _ForwardedLog(outlet, execution_id=execution.pk, attempt=execution.attempt, logged=request.logged)
    claim = Claim(execution=execution, job=request.job, log=log)
    threading.Thread(target=_listen, args=(reader, claim), name="cronjobs-listener", daemon=True).start()
    threading.Thread(target=_forward_progress, args=(claim, outlet), name="cronjobs-progress", daemon=True).start()
    forward_process_log(outlet)
    process_log.setLevel(request.level)
    terminator = _Terminator()
    signal.signal(signal.SIGTERM, terminator)
    with output_captured():
        ending = attempt_silently(claim, now=request.current_time)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    outlet.send("ending", {"ending": plain_ending(ending), "is_terminated": terminator.was_called})
    for each in (sys.stdout, sys.stderr):
        with suppress(Exception):
            each.flush()
    connections.close_all()


class _Terminator:
    """What SIGTERM does, and whether it came before the attempt had ended by itself."""

    def __init__(self) -> None:
        self.was_called = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.was_called = True
        # A coroutine runs in another thread, whatever is raised here.
        if not cancel_coroutines():
            raise Terminated


def _forward_progress(claim: Claim, outlet: Outlet) -> None:
    """Tell the node how far the job has come, now and then. The last of it goes with the ending."""
    with suppress(OSError):
        while True:
            time.sleep(_PROGRESS_INTERVAL)
            if (progress := claim.progress.take()) is not None:
                outlet.send("progress", progress)


def _listen(reader: BinaryIO, claim: Claim) -> None:
    """Pass on the node's wish that the job stop. The node's end is everybody's end, here as well."""
    for line in reader:
        # The only thing that a node says after its request: why the job is to stop.
        claim.execution.cancel_reason = line.decode().strip()
        claim.stop_requested.set()
    with suppress(OSError):
        os.killpg(0, signal.SIGKILL)
