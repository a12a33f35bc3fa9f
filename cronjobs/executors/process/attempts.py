"""One attempt in a process of its own, as the node sees it: ask, listen, and judge what came of it."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cronjobs.conf import get_settings
from cronjobs.exceptions import (
    CpuLimitExceeded,
    CronJobsError,
    MemoryLimitExceeded,
    ProcessDied,
    ProcessUnavailable,
    TimedOut,
)
from cronjobs.executors.process.forkserver import ForkServer
from cronjobs.executors.process.mirror import reissue
from cronjobs.executors.process.plain import ending_of, line_of
from cronjobs.executors.process.wire import Inlet, Outlet
from cronjobs.executors.process.worker import Request
from cronjobs.language import gettext as _
from cronjobs.logs import process_log
from cronjobs.models import ExecutorName, ResolvedJob
from cronjobs.models.moves import Ending
from cronjobs.runner import Claim, announce_start, called_off, imposed_ending, internal_failure
from cronjobs.states import ExecutionStatus

logger = logging.getLogger(__name__)

# How often the wish to stop is looked for while the child says nothing, in seconds.
_INTERVAL = 0.1
# Longer than that no project takes to be imported.
_START_PATIENCE = 60.0
# A guardian is late by so much only if somebody has stopped it: then the node does its work.
_GUARDIAN_PATIENCE = 15.0
# What a dead worker has sent is there already.
_DRAIN_PATIENCE = 2.0


class Stop:
    """A node's wish that its children end because it ends itself: politely, or at once."""

    def __init__(self) -> None:
        self.is_wanted, self.is_urgent = threading.Event(), threading.Event()


def belongs_in_process(claim: Claim) -> ResolvedJob | None:
    """Return the job's effective values if its attempts run in processes; None otherwise, or if it is broken."""
    try:
        resolved = None if claim.job is None else claim.job.resolve()
    except CronJobsError:
        return None
    return resolved if resolved is not None and _wants_process(resolved) else None


def _wants_process(resolved: ResolvedJob) -> bool:
    if resolved.executor == ExecutorName.CELERY:
        # Where attempts may run in the worker itself, and only what is limited needs more.
        return resolved.is_limited
    return resolved.executor == ExecutorName.PROCESS


def attempt_in_process(
    claim: Claim, resolved: ResolvedJob, *, now: Callable[[], datetime], server: ForkServer, stop: Stop | None = None
) -> Ending | None:
    """Perform `claim` in a child and return how that ended, when nothing of the child is left; never raises.

    None: the child was ended because of `stop`, so that nobody knows what would have come of it.
    """
    announce_start(claim)
    watch = _Watch(claim, resolved, stop or Stop())
    try:
        watch.run(server, now)
        ending = _judged(watch, now())
    except CronJobsError as error:
        ending = imposed_ending(claim, error.with_traceback(None), now=now(), duration_ms=0)
    except BaseException as error:  # noqa: BLE001 - a claim that never ends would be renewed for ever
        return internal_failure(claim, error, now())
    return None if watch.is_node_stopping and not watch.has_ended_by_itself() else ending


@dataclass(slots=True)
class _Watch:
    """Listens to one guardian and its worker, and passes on to them who wants them to stop."""

    claim: Claim
    resolved: ResolvedJob
    stop: Stop
    report: dict[str, Any] | None = None
    ending: Ending | None = None
    is_terminated: bool = False
    is_node_stopping: bool = False
    started: float | None = None
    _guardian: Inlet | None = None
    _guardian_pid: int | None = None
    _terminate_at: float | None = None
    _ordered_at: float | None = None
    _has_heard_nonsense: bool = False
    _orders: list[str] = field(default_factory=list)

    def run(self, server: ForkServer, now: Callable[[], datetime]) -> None:
        """Return when the guardian has reported, or is gone; then everything below it is gone as well."""
        with ExitStack() as stack:
            guardian, worker = map(stack.enter_context, server.spawn())
            self._guardian = guardian_inlet = Inlet(guardian)
            worker_inlet = Inlet(worker)
            selector = stack.enter_context(selectors.DefaultSelector())
            give_up_at = time.monotonic() + _START_PATIENCE
            for each in (guardian_inlet, worker_inlet):
                selector.register(each.socket, selectors.EVENT_READ, each)
            # A child that could not be made has closed its side.
            worker.settimeout(_START_PATIENCE)
            with suppress(OSError):
                guardian.sendall(json.dumps(self._bounds()).encode() + b"\n")
                worker.sendall(self._request(now).encode().encode() + b"\n")
            while self.report is None and guardian_inlet.is_open:
                self._listen(selector, _INTERVAL)
                self._pass_on_stop(Outlet(guardian), worker)
                if self.started is None and time.monotonic() > give_up_at:
                    text = _("nothing happened for %(seconds)s s")
                    raise ProcessUnavailable(text % {"seconds": f"{_START_PATIENCE:g}"})
                self._kill_a_guardian_that_was_stopped()
            self._drain(selector, worker_inlet)
        if self.started is None and self.report is None:
            raise ProcessUnavailable(server.failure() or _("its fork server ended"))

    def has_ended_by_itself(self) -> bool:
        """Return whether the job had ended, in time, before its process was asked to: then that counts.

        A job may have put another handler of SIGTERM in the place of ours; hence the look at the time.
        """
        if self.ending is None or self.is_terminated:
            return False
        timeout = self.resolved.timeout
        return timeout is None or timedelta(milliseconds=self.ending.duration_ms) < timeout

    def _kill_a_guardian_that_was_stopped(self) -> None:
        """End a guardian that should have ended its worker long ago; the kernel and the fork server end what is below."""
        timeout, grace = self.resolved.timeout, get_settings().kill_grace.total_seconds()
        since = [] if self._ordered_at is None else [self._ordered_at]
        if timeout is not None and self.started is not None:
            since.append(self.started + timeout.total_seconds())
        if self._guardian_pid is not None and since and time.monotonic() > min(since) + grace + _GUARDIAN_PATIENCE:
            logger.error("The process that guards %s does not answer, and is killed.", self.claim.execution)
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self._guardian_pid, signal.SIGKILL)
            self._guardian_pid = None

    def _request(self, now: Callable[[], datetime]) -> Request:
        execution, job, log = self.claim.execution, self.claim.job, self.claim.log
        return Request(execution, job, log.logged, now(), time.monotonic(), process_log.getEffectiveLevel())

    def _bounds(self) -> dict[str, float | int | None]:
        resolved = self.resolved
        return {
            "timeout": None if resolved.timeout is None else resolved.timeout.total_seconds(),
            "memory": resolved.memory_limit,
            "cpu": None if resolved.cpu_limit is None else resolved.cpu_limit.total_seconds(),
            "grace": get_settings().kill_grace.total_seconds(),
        }

    def _listen(self, selector: selectors.BaseSelector, timeout: float) -> None:
        for key, _events in selector.select(timeout):
            inlet: Inlet = key.data
            for kind, payload in inlet.receive():
                self._take(kind, payload, is_guardian=inlet is self._guardian)
            if not inlet.is_open:
                selector.unregister(inlet.socket)

    def _take(self, kind: str, payload: Any, *, is_guardian: bool) -> None:
        try:
            if is_guardian:
                self._hear_guardian(kind, payload)
            else:
                self._hear_worker(kind, payload)
        except Exception:
            # A job can reach the socket, too; it harms itself alone, and is told of once.
            if not self._has_heard_nonsense:
                logger.exception("%s sent a message that cannot be understood.", self.claim.execution)
            self._has_heard_nonsense = True

    def _hear_guardian(self, kind: str, payload: Any) -> None:
        if kind == "started":
            self.started, self._guardian_pid = time.monotonic(), int(payload["guardian"])
        elif kind == "ended":
            self.report = payload

    def _hear_worker(self, kind: str, payload: Any) -> None:
        match kind:
            case "ending":
                self.ending = ending_of(self.claim.execution, payload["ending"])
                self.is_terminated = bool(payload["is_terminated"])
            case "line":
                self.claim.log.take_over(**line_of(payload))
            case "record":
                reissue(payload)
            case "progress":
                self.claim.progress.receive(payload)
            case _:
                raise ValueError(kind)

    def _pass_on_stop(self, guardian: Outlet, worker: socket.socket) -> None:
        """Tell the job first; end its process if that has not helped after a grace. A node that stops has waited."""
        with suppress(OSError):
            if self.claim.stop_requested.is_set() and self._terminate_at is None:
                self._terminate_at = time.monotonic() + get_settings().kill_grace.total_seconds()
                worker.sendall(" ".join(self.claim.execution.cancel_reason.split()).encode() + b"\n")
            if self._terminate_at is not None and time.monotonic() >= self._terminate_at:
                self._order("terminate", guardian)
            if self.stop.is_wanted.is_set():
                self.is_node_stopping = True
                self._order("kill" if self.stop.is_urgent.is_set() else "terminate", guardian)

    def _order(self, kind: str, guardian: Outlet) -> None:
        if kind not in self._orders:
            self._orders.append(kind)
            self._ordered_at = self._ordered_at or time.monotonic()
            guardian.send(kind)

    def _drain(self, selector: selectors.BaseSelector, worker: Inlet) -> None:
        deadline = time.monotonic() + _DRAIN_PATIENCE
        while worker.is_open and time.monotonic() < deadline:
            self._listen(selector, _INTERVAL)


def _judged(watch: _Watch, now: datetime) -> Ending:
    claim, report = watch.claim, watch.report or {}
    duration_ms = 0 if watch.started is None else int((time.monotonic() - watch.started) * 1000)
    _mention(claim, report)
    ending, error = watch.ending, _imposed(watch, report)
    if error is not None:
        outcome = ExecutionStatus.TIMED_OUT if isinstance(error, TimedOut) else ExecutionStatus.FAILED
        imposed = imposed_ending(claim, error, outcome=outcome, now=now, duration_ms=duration_ms)
        # Where the job was when it was stopped is what its author wants to know.
        ending = imposed if ending is None else dataclasses.replace(imposed, traceback=ending.traceback)
    assert ending is not None  # noqa: S101 - without one, there is an error
    if claim.stop_requested.is_set():
        ending = called_off(claim, ending)
    return dataclasses.replace(ending, peak_rss_bytes=report.get("peak_rss_bytes"), cpu_ms=report.get("cpu_ms"))


def _imposed(watch: _Watch, report: dict[str, Any]) -> CronJobsError | None:
    """Return what put an end to the attempt from outside; None if it ended by itself."""
    resolved, reason = watch.resolved, report.get("reason")
    if watch.has_ended_by_itself():
        return None
    if reason == "timeout" and resolved.timeout is not None:
        return TimedOut(resolved.timeout)
    if reason == "memory" and resolved.memory_limit is not None:
        return MemoryLimitExceeded(resolved.memory_limit, report["peak_rss_bytes"])
    if reason == "cpu" and resolved.cpu_limit is not None:
        return CpuLimitExceeded(resolved.cpu_limit, timedelta(milliseconds=report["cpu_ms"]))
    return None if watch.ending is not None else _death(report.get("status"))


def _death(status: int | None) -> ProcessDied:
    if status is None:
        return ProcessDied()
    code = os.waitstatus_to_exitcode(status)
    return ProcessDied(signal_number=-code) if code < 0 else ProcessDied(exit_code=code)


def _mention(claim: Claim, report: dict[str, Any]) -> None:
    """Say in the log what a reader of the execution would not guess."""
    if report.get("left_behind") and report.get("reason") is None:
        claim.log.add(logging.WARNING, f"Processes that the job left behind were killed: {report['left_behind']}.")
    if report.get("survivors"):
        claim.log.add(logging.ERROR, f"Processes of the job cannot be killed: {report['survivors']}.")
