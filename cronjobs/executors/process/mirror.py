"""The process log: what a worker would write to it, the node writes, so that a log file has one writer."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from cronjobs.executors.process.wire import Outlet
from cronjobs.storable import bounded_json, storable_text

_LONGEST = 64_000
# What every record has; the rest was given as `extra`.
_COMMON = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_FACTS = ("levelno", "levelname", "name", "pathname", "filename", "module", "lineno", "funcName", "created")


class _Forwarder(logging.Handler):
    """Sends each record to the node, once, however many loggers it passes."""

    def __init__(self, outlet: Outlet) -> None:
        super().__init__()
        self._outlet = outlet
        self._last: logging.LogRecord | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if record is self._last:
            return
        self._last = record
        with suppress(Exception):
            self._outlet.send("record", _plain(record))


def forward_process_log(outlet: Outlet) -> None:
    """Put the node in the place of every handler of this process; levels and propagation stay as they are."""
    forwarder = _Forwarder(outlet)
    loggers = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    for each in (logging.root, *loggers):
        if each.handlers or each is logging.root:
            each.handlers[:] = [forwarder]


def reissue(payload: dict[str, Any]) -> None:
    """Give a record that a worker has sent to this process's handlers."""
    record = logging.makeLogRecord({**payload["extra"], **payload["facts"], "msg": payload["message"], "args": None})
    record.exc_text = payload["exc_text"]
    logging.getLogger(record.name).handle(record)


def _plain(record: logging.LogRecord) -> dict[str, Any]:
    extra = {key: value for key, value in vars(record).items() if key not in _COMMON}
    exc_text = record.exc_text or (logging.Formatter().formatException(record.exc_info) if record.exc_info else None)
    return {
        "facts": {name: getattr(record, name) for name in _FACTS},
        "message": storable_text(record.getMessage(), max_bytes=_LONGEST),
        "exc_text": exc_text and storable_text(exc_text, max_bytes=_LONGEST),
        "extra": {str(key): bounded_json(value, max_bytes=_LONGEST)[0] for key, value in extra.items()},
    }
