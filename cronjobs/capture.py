"""Takes what a job prints, line by line, without touching what anybody else prints.

The process has one ``sys.stdout``; while somebody captures, it is an object that asks the
context of each write whose it is. Threads and processes that a job starts have a context of
their own: what they print goes where it always went.
"""

from __future__ import annotations

import codecs
import io
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

logger = logging.getLogger(__name__)

# Takes one line, without its end.
Sink = Callable[[str], None]

_NAMES = ("stdout", "stderr")


class _Lines:
    """Makes lines of what is written to one stream of one job; what `longest` characters do not hold is left out."""

    def __init__(self, sink: Sink, *, longest: int) -> None:
        self._sink, self._longest = sink, longest
        self._lock = threading.Lock()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._parts: list[str] = []
        self._size = 0

    def write(self, text: str) -> None:
        with self._lock:
            lines = self._split(text)
        self._deliver(lines)

    def write_bytes(self, data: bytes) -> None:
        with self._lock:
            lines = self._split(self._decoder.decode(data))
        self._deliver(lines)

    def close(self) -> None:
        """Deliver what has no end of line yet."""
        with self._lock:
            lines = [*self._split(self._decoder.decode(b"", final=True)), self._complete()]
        self._deliver(lines)

    def _split(self, text: str) -> list[str]:
        first, *others = text.split("\n")
        lines = []
        self._add(first)
        for each in others:
            lines.append(self._complete())
            self._add(each)
        return lines

    def _add(self, text: str) -> None:
        if self._size > self._longest and "\r" not in text:
            return
        self._parts.append(text)
        self._size += len(text)
        if self._size > self._longest:
            # A bar of progress writes over itself for as long as it likes.
            line = "".join(self._parts)
            self._parts = [_shown(line)[: self._longest + 1] + "\r" * line.endswith("\r")]
            self._size = len(self._parts[0])

    def _complete(self) -> str:
        line = _shown("".join(self._parts))
        self._parts, self._size = [], 0
        return line

    def _deliver(self, lines: Iterable[str]) -> None:
        with undiverted():
            for line in lines:
                # Empty lines are for the eye that reads a terminal.
                if line.strip():
                    self._sink(line)


def _shown(line: str) -> str:
    """Return what a terminal would show: a carriage return begins the line anew."""
    return line.rstrip("\r").rpartition("\r")[2]


class _Diversion:
    """Where the streams of one job lead, in the process that it runs in."""

    def __init__(self, sinks: dict[str, Sink], *, longest: int) -> None:
        self._sinks, self._longest = sinks, longest
        self._lines: dict[str, _Lines] = {}
        self._lock = threading.Lock()
        self.is_open = True
        self._process = os.getpid()

    @property
    def applies(self) -> bool:
        """Whether the job still runs, here: a thread may outlive it with its context, and it may fork."""
        return self.is_open and self._process == os.getpid()

    def lines(self, name: str) -> _Lines:
        """Return what makes lines of that stream; most jobs print nothing, and need none."""
        with self._lock:
            if name not in self._lines:
                self._lines[name] = _Lines(self._sinks[name], longest=self._longest)
            return self._lines[name]

    def close(self) -> None:
        self.is_open = False
        with self._lock:
            used = list(self._lines.values())
        for each in used:
            each.close()


_diversion: ContextVar[_Diversion | None] = ContextVar("cronjobs_diversion", default=None)


class _Binary(io.RawIOBase):
    """The bytes below a job's text stream. Closing it closes nothing."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        content = bytes(data)
        self._lines.write_bytes(content)
        return len(content)


class _Stream:
    """Stands for ``sys.stdout`` or ``sys.stderr``: a job's writes become its lines, others pass.

    ``fileno()`` is the real one's: what a subprocess writes there is not seen here.
    """

    def __init__(self, original: Any, name: str) -> None:
        self.original, self._name = original, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    @property
    def buffer(self) -> Any:
        lines = self._lines()
        return self.original.buffer if lines is None else _Binary(lines)

    def write(self, text: str) -> int:
        lines = self._lines()
        if lines is None:
            return len(text) if self.original is None else self.original.write(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        lines.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for each in lines:
            self.write(each)

    def flush(self) -> None:
        if self._lines() is None and self.original is not None:
            self.original.flush()

    def isatty(self) -> bool:
        return self._lines() is None and self.original is not None and self.original.isatty()

    def close(self) -> None:
        if self._lines() is None and self.original is not None:
            self.original.close()

    def _lines(self) -> _Lines | None:
        diversion = _diversion.get()
        return diversion.lines(self._name) if diversion is not None and diversion.applies else None


class _Standard:
    """The process's two standard streams, and who uses them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: dict[str, _Stream] = {}
        self._captures = self._jobs = 0

    def capture(self) -> None:
        with self._lock:
            self._captures += 1
            if self._captures == 1:
                self._streams = {name: _Stream(getattr(sys, name), name) for name in _NAMES}
                self._put_in_place()

    def release(self) -> None:
        with self._lock:
            self._captures -= 1
            if self._captures == 0:
                for name, stream in self._streams.items():
                    # Whoever has put something else there since is to take it away.
                    if getattr(sys, name) is stream:
                        setattr(sys, name, stream.original)
                self._streams = {}

    def job_begins(self) -> None:
        with self._lock:
            self._jobs += 1

    def job_ends(self) -> None:
        """Put back what a job has replaced; not while another one runs, which may be about to do it itself."""
        with self._lock:
            self._jobs -= 1
            if self._jobs == 0 and any(getattr(sys, name) is not each for name, each in self._streams.items()):
                self._put_in_place()
                logger.warning("A job has left sys.stdout or sys.stderr replaced; it is put back.")

    def _put_in_place(self) -> None:
        for name, stream in self._streams.items():
            setattr(sys, name, stream)


_standard = _Standard()


@contextmanager
def standard_streams_captured() -> Iterator[None]:
    """Make `diverted` possible meanwhile; nested and concurrent uses share one pair of streams."""
    _standard.capture()
    try:
        yield
    finally:
        _standard.release()


@contextmanager
def diverted(out: Sink, err: Sink, *, longest: int) -> Iterator[None]:
    """Send what this thread (or task) prints meanwhile to `out` and `err`, a line at a time.

    Of a line beyond `longest` characters the rest is left out. Does nothing where nobody has
    captured the streams.
    """
    diversion = _Diversion({"stdout": out, "stderr": err}, longest=longest)
    _standard.job_begins()
    token = _diversion.set(diversion)
    try:
        yield
    finally:
        _diversion.reset(token)
        _standard.job_ends()
        diversion.close()


@contextmanager
def undiverted() -> Iterator[None]:
    """Let what is printed meanwhile pass, also in a job."""
    token = _diversion.set(None)
    try:
        yield
    finally:
        _diversion.reset(token)
