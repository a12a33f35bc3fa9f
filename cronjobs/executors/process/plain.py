"""Log lines and endings as JSON data: what crosses from a worker to its node."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cronjobs.logs import LogLine
from cronjobs.models import JobExecution
from cronjobs.models.moves import Ending
from cronjobs.states import ExecutionStatus

_TIMES = ("finished_at", "run_after", "claim_at")
_STATES = ("outcome", "status")


def plain_line(line: LogLine) -> dict[str, Any]:
    """Return what the node does not know about `line`."""
    return {
        "level": line.level,
        "message": line.message,
        "data": line.data,
        "logged_at": line.logged_at.isoformat(),
    }


def plain_ending(ending: Ending) -> dict[str, Any]:
    """Return `ending` without its execution, which the node has."""
    values = {each.name: getattr(ending, each.name) for each in dataclasses.fields(ending) if each.name != "execution"}
    return values | {name: values[name].isoformat() for name in _TIMES}


def ending_of(execution: JobExecution, payload: Mapping[str, Any]) -> Ending:
    """Return the ending of `execution` that `plain_ending` has described; raise `ValueError` for anything else."""
    values = dict(payload)
    values |= {name: datetime.fromisoformat(values[name]) for name in _TIMES}
    values |= {name: ExecutionStatus(values[name]) for name in _STATES}
    return Ending(execution=execution, **values)
