"""A record of calls outside the database: whatever rows say, a line in a file was written by a job that ran."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a job's function: for which execution and due time, by which process, and when."""

    execution: int
    attempt: int
    job: str
    due: datetime
    pid: int
    at: datetime

    def append_to(self, path: str) -> None:
        """Write the line, in one piece, whoever else writes to the file."""
        fields = (self.execution, self.attempt, self.job, self.due.isoformat(), self.pid, self.at.isoformat())
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, f"{' '.join(map(str, fields))}\n".encode())
        finally:
            os.close(file)

    @classmethod
    def parse(cls, line: str) -> Self:
        """Return the call that a line tells of."""
        execution, attempt, job, due, pid, at = line.split()
        return cls(
            execution=int(execution),
            attempt=int(attempt),
            job=job,
            due=datetime.fromisoformat(due),
            pid=int(pid),
            at=datetime.fromisoformat(at),
        )


def read_calls(path: Path) -> list[Call]:
    """Return all calls that were recorded, in the order in which they began."""
    if not path.exists():
        return []
    return [Call.parse(line) for line in path.read_text(encoding="utf-8").splitlines()]
