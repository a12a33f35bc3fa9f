"""How far long work has come: a line on the terminal that rewrites itself, and nothing anywhere else."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import OutputWrapper

# Between two looks of the line, in seconds.
_PAUSE = 0.1
_BAR = 20
_BACK, _CLEAR_LINE = "\r", "\x1b[K"


class ProgressLine:
    """A line on standard error, if that is a terminal; `is_wanted` False: nothing in any case."""

    def __init__(self, output: OutputWrapper, *, is_wanted: bool = True) -> None:
        self._output = output
        self._is_shown = is_wanted and output.isatty()
        self._next, self._is_there = time.monotonic(), False

    def show(self, done: int, total: int, what: str) -> None:
        """Show that `done` of `total` are done, and say `what`; not more often than anybody could read."""
        if self._is_shown and time.monotonic() >= self._next:
            self._next = time.monotonic() + _PAUSE
            self._write(f"{_BACK}{progress_text(done, total, what, width=_width())}{_CLEAR_LINE}")
            self._is_there = True

    def report(self, sentence: str) -> None:
        """Write a line that stays, above this one."""
        self.clear()
        self._output.write(sentence)

    def clear(self) -> None:
        """Take the line away."""
        if self._is_there:
            self._write(f"{_BACK}{_CLEAR_LINE}")
            self._is_there = False

    def _write(self, text: str) -> None:
        # Neither styled nor ended.
        self._output.write(text, str, ending="")
        self._output.flush()


@contextmanager
def progress_line(output: OutputWrapper, *, is_wanted: bool = True) -> Iterator[ProgressLine]:
    """Provide such a line, and take it away at the end, however that comes."""
    line = ProgressLine(output, is_wanted=is_wanted)
    try:
        yield line
    finally:
        line.clear()


def progress_text(done: int, total: int, what: str, *, width: int) -> str:
    """Return a bar, the percentage and `what`, in at most `width` characters."""
    share = min(1.0, done / total) if total > 0 else 1.0
    bar = "#" * int(share * _BAR)
    return f"[{bar:<{_BAR}}] {int(share * 100):>3} % {what}"[:width]


def _width() -> int:
    # In the last column a terminal may begin another line.
    return shutil.get_terminal_size().columns - 1
