"""How commands show things to people: tables that fit, times as distances, database errors as a sentence."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Self

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError

from cronjobs.health import explain_database_error

_GAP = "  "
_NARROWEST = 8
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


@contextmanager
def database_errors_explained() -> Iterator[None]:
    """Turn a database that is away or not migrated into one sentence, and exit code 1."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        raise CommandError(explain_database_error(error)) from error


class Painted(str):
    """A cell of a table, or a word, that is shown in a colour; its width is that of the text."""

    __slots__ = ("paint",)
    paint: Callable[[str], str]

    def __new__(cls, text: str, paint: Callable[[str], str]) -> Self:
        self = super().__new__(cls, text)
        self.paint = paint
        return self


def terminal_width() -> int | None:
    """Return how many characters a line of the terminal has (COLUMNS, if set); None where there is no terminal."""
    return shutil.get_terminal_size(fallback=(0, 0)).columns or None


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None) -> list[str]:
    """Return the lines of a table that is at most `width` wide: the widest columns are cut."""
    cells = [header, *rows]
    widths = [max(len(_on_one_line(row[i])) for row in cells) for i in range(len(header))]
    if width is not None:
        _shrink(widths, width - len(_GAP) * (len(widths) - 1))
    return [_GAP.join(map(_fit, row, widths)).rstrip() for row in cells]


def distance(span: timedelta) -> str:
    """Return how long a span is, in its largest unit: "45 s", "12 min", "3 h", "2 d"."""
    seconds = abs(span).total_seconds()
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return "0 s"


def from_now(moment: datetime, now: datetime) -> str:
    """Return "in 12 min", "now" or "3 h ago"."""
    span = moment - now
    if abs(span) < timedelta(seconds=1):
        return "now"
    return f"in {distance(span)}" if span >= timedelta(0) else f"{distance(span)} ago"


def in_seconds(milliseconds: int) -> str:
    """Return a duration as people read it: "12 ms", "3.4 s", "5 min"."""
    if milliseconds < 1_000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1_000:.1f} s"
    return distance(timedelta(milliseconds=milliseconds))


def mebibytes(size: int | None) -> str:
    """Return a number of bytes in the unit that limits are set in."""
    return "" if size is None else f"{size / 2**20:.0f} MiB"


def _shrink(widths: list[int], available: int) -> None:
    while sum(widths) > available and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1


def _fit(cell: str, width: int) -> str:
    text = _on_one_line(cell)
    fitted = f"{text[: width - 1]}…" if len(text) > width else text
    # The colour ends with the text: blanks at the end of a line are taken away.
    return (cell.paint(fitted) if isinstance(cell, Painted) else fitted) + " " * (width - len(fitted))


def _on_one_line(cell: str) -> str:
    return " ".join(cell.split())
