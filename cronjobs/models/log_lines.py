"""The log of an execution, read piece by piece: each goes on after a place in it, so that none is read twice."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import NamedTuple

from cronjobs.models.execution import ExecutionLog
from cronjobs.storable import rfc3339

_PIECE = 500


class Place(NamedTuple):
    """A line's place in the log of its execution. While that runs, lines are added behind all others."""

    attempt: int = 0
    number: int = 0

    def __str__(self) -> str:
        return f"{self.attempt}.{self.number}"


def place_of(line: ExecutionLog) -> Place:
    """Return where a line stands."""
    return Place(line.attempt, line.number)


def read_lines(execution_id: int, *, after: Place, limit: int, attempt: int | None = None) -> list[ExecutionLog]:
    """Return the first lines behind a place, at most `limit`; those of one `attempt` only, if it is given."""
    lines = ExecutionLog.objects.filter(execution_id=execution_id).order_by("attempt", "number")
    if attempt is not None:
        lines = lines.filter(attempt=attempt)
    # Two reads, each of one stretch of the index. Whether there are later attempts is asked first:
    # what begins between the reads must not be taken before the end of the attempt before it.
    later = lines.filter(attempt__gt=after.attempt)
    has_later = later.exists()
    found = list(lines.filter(attempt=after.attempt, number__gt=after.number)[:limit])
    if has_later and len(found) < limit:
        found += later[: limit - len(found)]
    return found


def all_lines(execution_id: int, *, after: Place, attempt: int | None = None) -> Iterator[ExecutionLog]:
    """Yield the lines behind a place, with few of them in memory."""
    while lines := read_lines(execution_id, after=after, limit=_PIECE, attempt=attempt):
        yield from lines
        after = place_of(lines[-1])


def level_name(line: ExecutionLog) -> str:
    """Return the name of a line's level, such as WARNING."""
    return logging.getLevelName(line.level)


def line_text(line: ExecutionLog) -> str:
    """Return a line as people read it: time, level, message, data."""
    data = "" if line.data is None else f" {json.dumps(line.data, ensure_ascii=False)}"
    return f"{rfc3339(line.logged_at)} {level_name(line):<7} {line.message}{data}"
