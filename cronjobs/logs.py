"""What a job says while it runs: its logger, the context it receives, and how lines find their execution."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.utils import timezone

from cronjobs.capture import diverted, standard_streams_captured, undiverted
from cronjobs.conf import get_settings
from cronjobs.progress import ProgressMeter
from cronjobs.storable import bounded_json, storable_text

# Jobs' own lines, mirrored to the process log as structured records.
process_log = logging.getLogger("cronjobs.job")

# What a line takes beside its text, so that empty ones are not free.
LINE_BYTES = 32
# A printed line is cut here before it is masked; so far beyond the end, a secret at the end is seen whole.
_BEYOND_THE_CUT = 4_000
# The largest number that the column holds on every database.
_HIGHEST_LEVEL = 32_767

_collector: ContextVar[LogCollector | None] = ContextVar("cronjobs_log_collector", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of one execution. `number` counts from 1 within the attempt."""

    execution_id: int
    attempt: int
    number: int
    level: int
    message: str
    data: Any
    logged_at: datetime


class LogCollector:
    """Gathers the lines of one attempt, capped in size, until somebody takes them to the database.

    The cap is the execution's: what earlier attempts have `logged` counts, but a tenth of it is
    left for every attempt. Any thread may add; lines beyond the cap are counted, and their
    number is said at the end.
    """

    def __init__(self, *, execution_id: int, attempt: int, logged: int = 0) -> None:
        self.execution_id, self.attempt, self.logged = execution_id, attempt, logged
        self._settings = get_settings()
        self._limit = max(self._settings.log_max_bytes - logged, self._settings.log_max_bytes // 10)
        self._lock = threading.Lock()
        self._pending: list[LogLine] = []
        self._number = 0
        self._bytes = 0
        self._discarded = 0

    def add(self, level: int, message: object, data: object = None) -> None:
        """Keep a line, or count it if the execution has said enough."""
        limit, longest, mask = self._limit, self._settings.log_message_max_bytes, self._settings.mask
        with self._lock:
            if self._bytes > limit:
                self._discarded += 1
                return
        text = storable_text(message, max_bytes=longest, mask=mask)
        stored, size = (None, 0) if data is None else bounded_json(data, max_bytes=longest, mask=mask)
        with self._lock:
            if self._bytes > limit:
                self._discarded += 1
                return
            self._bytes += len(text.encode()) + size + LINE_BYTES
            self._append(level, text, stored)
            if self._bytes > limit:
                self._append(
                    logging.WARNING,
                    f"The log is full ({self._settings.log_max_bytes} bytes); later lines are not kept.",
                    None,
                )

    def close(self) -> None:
        """Say how many lines were not kept, if any: the attempt has ended."""
        with self._lock:
            if self._discarded:
                self._append(logging.WARNING, f"The log was full: {self._discarded} lines were not kept.", None)
            self._discarded = 0

    def take(self) -> list[LogLine]:
        """Return the lines added since the last call."""
        with self._lock:
            taken, self._pending = self._pending, []
        return taken

    def take_over(self, *, level: int, message: str, data: Any, logged_at: datetime) -> None:
        """Keep a line that another process has bounded, masked and counted."""
        with self._lock:
            self._append(level, message, data, logged_at)

    def _append(self, level: int, message: str, data: Any, logged_at: datetime | None = None) -> None:
        self._number += 1
        self._keep(
            LogLine(
                execution_id=self.execution_id,
                attempt=self.attempt,
                number=self._number,
                level=min(max(level, 0), _HIGHEST_LEVEL),
                message=message,
                data=data,
                logged_at=logged_at or timezone.now(),
            )
        )

    def _keep(self, line: LogLine) -> None:
        self._pending.append(line)


class JobLogger:
    """What a job logs with. Every line goes to the process log, and to its execution if there is one."""

    def __init__(self, name: str, collector: LogCollector | None = None) -> None:
        self.name = name
        self._collector = collector

    def start(self, message: str = "Started", data: Mapping[str, Any] | None = None) -> None:
        """Say that the work begins."""
        self._log(logging.INFO, message, data)

    def progress(self, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Say how far the work has come."""
        self._log(logging.INFO, message, data)

    def complete(self, message: str = "Completed", data: Mapping[str, Any] | None = None) -> None:
        """Say that the work is done."""
        self._log(logging.INFO, message, data)

    def warn(self, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Say what is odd but does not stop the work."""
        self._log(logging.WARNING, message, data)

    def error(self, message: str, error: BaseException | None = None, data: Mapping[str, Any] | None = None) -> None:
        """Say what went wrong; `error` is appended as type and text."""
        text = message if error is None else f"{message}: {type(error).__name__}: {storable_text(error)}"
        self._log(logging.ERROR, text, data)

    def exception(self, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Say what went wrong, with the error that is being handled."""
        self.error(message, sys.exception(), data)

    def debug(self, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Say what only a person looking for a fault wants to know."""
        self._log(logging.DEBUG, message, data)

    # What fingers type that are used to Python's own loggers.
    info = progress
    warning = warn

    def collecting_prints(self) -> AbstractContextManager[None]:
        """Make lines of what this thread (or task) prints meanwhile: standard error's are warnings."""

        def print_line(level: int, stream: str, text: str) -> None:
            self._collect(level, text, {"stream": stream})
            self._mirror(level, text, None)

        longest = get_settings().log_message_max_bytes + _BEYOND_THE_CUT
        out, err = partial(print_line, logging.INFO, "stdout"), partial(print_line, logging.WARNING, "stderr")
        return diverted(out, err, longest=longest)

    def _log(self, level: int, message: str, data: Mapping[str, Any] | None) -> None:
        self._collect(level, message, data)
        # A handler of the process log may write to what a job prints to.
        with undiverted():
            self._mirror(level, message, data)

    def _collect(self, level: int, message: str, data: Mapping[str, Any] | None) -> None:
        collector = self._collector or _collector.get()
        if collector is not None:
            collector.add(level, message, data)

    def _mirror(self, level: int, message: str, data: Mapping[str, Any] | None) -> None:
        if process_log.isEnabledFor(level):
            settings, collector = get_settings(), self._collector or _collector.get()
            given = {} if data is None else data
            shown, _ = bounded_json(given, max_bytes=settings.log_message_max_bytes, mask=settings.mask)
            execution_id = None if collector is None else collector.execution_id
            extra = {"job": self.name, "execution_id": execution_id, "data": shown}
            text = storable_text(message, max_bytes=settings.log_message_max_bytes, mask=settings.mask)
            process_log.log(level, "%s: %s", self.name, text, extra=extra)


def create_job_logger(name: str) -> JobLogger:
    """Return a logger for the job `name`, for code that was not handed a context.

    Inside an execution its lines are that execution's; elsewhere they go to the process log only.
    """
    return JobLogger(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """What a job is told about an execution that it runs after: how it ended, and what it returned."""

    execution_id: int
    status: str
    result: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """What a job is told about the execution it is part of.

    `execution_id` is the same for every attempt. `scheduled_for` is the due time (aware,
    UTC); for a manual run, the time of the request; after other jobs, that of the first of them.
    `upstream` holds the executions that it runs after, by their jobs' names; it is empty for a
    run that depends on none.
    """

    execution_id: int
    job_name: str
    trigger: str
    scheduled_for: datetime
    attempt: int
    max_attempts: int
    log: JobLogger
    params: Mapping[str, Any] = field(default_factory=dict)
    upstream: Mapping[str, Upstream] = field(default_factory=dict)
    stop_requested: threading.Event = field(default_factory=threading.Event, repr=False)
    node_stops: threading.Event = field(default_factory=threading.Event, repr=False)
    meter: ProgressMeter = field(default_factory=ProgressMeter, repr=False)

    @property
    def cancelled(self) -> bool:
        """Whether the job is asked to stop; a long job looks now and then, tidies up and returns."""
        return self.stop_requested.is_set()

    @property
    def node_is_stopping(self) -> bool:
        """Whether its node stops or drains, and waits for it: a long job that can go on another time returns soon.

        What it returns is its result as ever. Never true in a process of its own.
        """
        return self.node_stops.is_set()

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far the work has come: `done` of `total` (None: nobody knows), both in any unit.

        Shown within a second while the job runs, and kept with its end. As cheap as it looks: call it
        for every item. Raises `TypeError` for what is no number; NaN and infinities are shown as unknown.
        """
        self.meter.set(done, total, message)


@contextmanager
def collecting(collector: LogCollector) -> Iterator[None]:
    """Send what this thread (or task) logs, by whatever logger, to `collector` meanwhile."""
    # A job before this one may have thrown out every handler of the root logger.
    _use_handler(0)
    token = _collector.set(collector)
    try:
        yield
    finally:
        _collector.reset(token)


class ExecutionLogHandler(logging.Handler):
    """Copies records that Python's own logging emits inside a job to that job's execution.

    Records from threads that the job starts itself carry no context and are not copied.
    """

    def emit(self, record: logging.LogRecord) -> None:
        collector = _collector.get()
        # A JobLogger has already handed its line to the collector.
        if collector is None or record.name == process_log.name:
            return
        try:
            collector.add(record.levelno, self.format(record), {"logger": record.name})
        except Exception:  # noqa: BLE001 - logging must never break the code that logs
            self.handleError(record)


_handler = ExecutionLogHandler()
_handler_lock = threading.Lock()
_handler_users = 0


@contextmanager
def python_logging_captured() -> Iterator[None]:
    """Attach the handler to the root logger meanwhile; nested and concurrent uses share it."""
    _use_handler(+1)
    try:
        yield
    finally:
        _use_handler(-1)


@contextmanager
def output_captured() -> Iterator[None]:
    """Capture meanwhile whatever a job may say by Python's own means: logging and printing."""
    with python_logging_captured(), standard_streams_captured():
        yield


def _use_handler(change: int) -> None:
    global _handler_users  # noqa: PLW0603 - one root logger, one count
    with _handler_lock:
        _handler_users += change
        if _handler_users:
            logging.getLogger().addHandler(_handler)
        else:
            logging.getLogger().removeHandler(_handler)
