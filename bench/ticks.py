"""Who was called and when: a line in a file for each call of the job `bench-tick`, outside the database."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One call of the function."""

    job: str
    execution: int
    at: float


def write(line: str) -> None:
    """Append a line, if anybody wants to know; lines of several processes do not mix."""
    if (path := os.environ.get("BENCH_TICKS")) is not None:
        os.write(_file(path), line.encode())


def expect(directory: Path) -> None:
    """Let nodes that are started after this tell of calls."""
    os.environ["BENCH_TICKS"] = str(directory / "ticks")
    forget()


def forget() -> None:
    """Begin anew."""
    Path(os.environ["BENCH_TICKS"]).write_bytes(b"")


def read() -> list[Tick]:
    """Return the calls so far."""
    lines = Path(os.environ["BENCH_TICKS"]).read_text(encoding="ascii").splitlines()
    split = [line.split() for line in lines]
    return [Tick(job=job, execution=int(execution), at=float(at)) for job, execution, at in split]


def doubled(ticks: list[Tick]) -> int:
    """Return how many calls there were of executions that had been called before."""
    return len(ticks) - len(Counter(each.execution for each in ticks))


@cache
def _file(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
