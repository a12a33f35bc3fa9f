"""The log of an execution, read piece by piece: each goes on after a place in it, so that none is read twice."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from typing import NamedTuple

from cronjobs.models.attempt import ExecutionLog
from cronjobs.storable import rfc3339

_PIECE = 200
_PLACE = re.compile(r"(\d{1,5})\.(\d{1,10})", re.ASCII)
# The largest numbers that the columns hold on every database.
HIGHEST_ATTEMPT, _HIGHEST_NUMBER = 32_767, 2_147_483_647


class Place(NamedTuple):
    """A line's place in the log of its execution. While that runs, lines are added behind all others."""

    attempt: int = 0
    number: int = 0

    def __str__(self) -> str:
        return f"{self.attempt}.{self.number}"


def place_of(line: ExecutionLog) -> Place:
    """Return where a line stands."""
    return Place(line.attempt, line.number)


def parse_place(text: str) -> Place:
    """Return the place that ``1.20`` names, the 20th line of the first attempt; raise ValueError if it names none."""
    found = _PLACE.fullmatch(text)
    place = None if found is None else Place(int(found[1]), int(found[2]))
    if place is None or place.attempt > HIGHEST_ATTEMPT or place.number > _HIGHEST_NUMBER:
        raise ValueError("Must be the attempt and the number of a line, such as 1.20.")
    return place


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


def log_pieces(execution_id: int) -> Iterator[str]:
    """Yield the whole log as text, many lines at a time, each attempt but the first under a line of its own."""
    after = Place()
    while lines := read_lines(execution_id, after=after, limit=_PIECE):
        parts = []
        for line in lines:
            if line.attempt != after.attempt and line.attempt > 1:
                parts.append(f"Attempt {line.attempt}:\n")
            parts.append(f"{line_text(line)}\n")
            after = place_of(line)
        yield "".join(parts)


def level_name(line: ExecutionLog) -> str:
    """Return the name of a line's level, such as WARNING."""
    return logging.getLevelName(line.level)


def line_text(line: ExecutionLog) -> str:
    """Return a line as people read it: time, level, message, data."""
    data = "" if line.data is None else f" {json.dumps(line.data, ensure_ascii=False)}"
    return f"{rfc3339(line.logged_at)} {level_name(line):<7} {line.message}{data}"
