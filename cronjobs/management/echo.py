"""Shows a person at the terminal what a job logs while it runs in this process."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import OutputWrapper

from cronjobs.conf import get_settings
from cronjobs.logs import process_log
from cronjobs.storable import storable_text

_LEVELS = {0: logging.CRITICAL + 1, 1: logging.INFO}


@contextmanager
def job_log_echoed(stream: OutputWrapper, *, verbosity: int) -> Iterator[None]:
    """Write what is logged meanwhile to `stream`, a line each, in the place of other handlers of the terminal.

    `verbosity` 0 writes nothing, 1 leaves out what is for debugging. Log files of the project
    receive what they always do.
    """
    level, root = _LEVELS.get(verbosity, logging.DEBUG), logging.getLogger()
    others = _Echo(stream, level=level)
    others.addFilter(lambda record: record.name != process_log.name)
    with ExitStack() as stack:
        for each in (root, logging.getLogger("cronjobs"), process_log):
            stack.enter_context(_without_terminal(each))
        # On the job's own logger as well: a project may let it propagate no further.
        stack.enter_context(_attached(process_log, _Echo(stream, level=level)))
        stack.enter_context(_attached(root, others))
        stack.callback(process_log.setLevel, process_log.level)
        process_log.setLevel(min(level, logging.INFO))
        yield


class _Echo(logging.Handler):
    """Writes records as people read them: time, level, message, data."""

    def __init__(self, stream: OutputWrapper, *, level: int) -> None:
        super().__init__(level)
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._stream.write(_line(record))
        except Exception:  # noqa: BLE001 - logging must never break the code that logs
            self.handleError(record)


def _line(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    message, data = record.getMessage(), getattr(record, "data", None)
    if record.name == process_log.name:
        # The job is the one that was asked for.
        message = message.removeprefix(f"{getattr(record, 'job', '')}: ")
    else:
        message = f"{record.name}: {storable_text(message, mask=get_settings().mask)}"
    shown = f" {json.dumps(data, ensure_ascii=False)}" if data else ""
    return f"{at:%H:%M:%S} {record.levelname:<7} {message}{shown}"


@contextmanager
def _without_terminal(logger: logging.Logger) -> Iterator[None]:
    taken = [each for each in logger.handlers if _writes_to_terminal(each)]
    for each in taken:
        logger.removeHandler(each)
    try:
        yield
    finally:
        for each in taken:
            logger.addHandler(each)


def _writes_to_terminal(handler: logging.Handler) -> bool:
    stream: Any = getattr(handler, "stream", None)
    return isinstance(handler, logging.StreamHandler) and stream in (sys.stdout, sys.stderr)


@contextmanager
def _attached(logger: logging.Logger, handler: logging.Handler) -> Iterator[None]:
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
