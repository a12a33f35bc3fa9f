"""Log lines and endings as JSON data: what crosses from a worker to its node."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cronjobs.logs import LogLine
from cronjobs.models import JobExecution
from cronjobs.models.moves import Ending
from cronjobs.states import ExecutionStatus
from cronjobs.storable import storable_json, storable_text

_TIMES = ("finished_at", "run_after", "claim_at")
_STATES = ("outcome", "status")
_TEXTS = ("error_type", "error_message", "traceback", "reason")
_DATA = ("result", "progress")


def plain_line(line: LogLine) -> dict[str, Any]:
    """Return what the node does not know about `line`."""
    return {
        "level": line.level,
        "message": line.message,
        "data": line.data,
        "logged_at": line.logged_at.isoformat(),
    }


def line_of(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `plain_line` has described, as `LogCollector.take_over` wants it.

    A job can write to the socket as well, so this raises for anything that the log does not hold.
    """
    return {
        "level": _number(payload["level"]),
        "message": storable_text(payload["message"]),
        "data": storable_json(payload["data"]),
        "logged_at": _moment(payload["logged_at"]),
    }


def plain_ending(ending: Ending) -> dict[str, Any]:
    """Return `ending` without its execution, which the node has."""
    values = {each.name: getattr(ending, each.name) for each in dataclasses.fields(ending) if each.name != "execution"}
    return values | {name: values[name].isoformat() for name in _TIMES}


def ending_of(execution: JobExecution, payload: Mapping[str, Any]) -> Ending:
    """Return the ending of `execution` that `plain_ending` has described; raise for anything else, as `line_of` does."""
    values = dict(payload)
    values |= {name: _moment(values[name]) for name in _TIMES}
    values |= {name: ExecutionStatus(values[name]) for name in _STATES}
    values |= {name: storable_text(values[name]) for name in _TEXTS}
    values |= {name: storable_json(values[name]) for name in _DATA}
    # What the process has used is the guardian's to say.
    values |= {"duration_ms": _number(values["duration_ms"]), "peak_rss_bytes": None, "cpu_ms": None}
    return Ending(execution=execution, **values)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return moment.astimezone(UTC)


def _number(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    return value
