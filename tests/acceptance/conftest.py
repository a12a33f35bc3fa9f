"""Nodes as real processes on the test database."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cronjobs.database import engine_alias, engine_transaction
from cronjobs.models import Job, JobExecution, Node
from project.processes import Child, stop
from tests.servers import start_command, wait_for

StartNode = Callable[..., Child]


@pytest.fixture
def start_node(transactional_db: None, tmp_path: Path) -> Iterator[StartNode]:
    """Start `runcron` with the given arguments and settings, and wait until it has introduced itself."""
    Job.objects.update(schedule="")
    started: list[Child] = []

    def start(*arguments: str, **settings: Any) -> Child:
        log = tmp_path / f"node-{len(started)}.log"
        known = Node.objects.count()
        child = start_command(
            "runcron", *arguments, log=log, TEST_CRONJOBS=json.dumps({"LEASE": 3, "SHUTDOWN_GRACE": 1, **settings})
        )
        started.append(child)
        wait_for(lambda: Node.objects.count() > known)
        return child

    yield start
    stop(started)


def freeze(node: Child) -> None:
    """Let a node stand still, outside of a write: on SQLite it would keep everybody else from writing meanwhile."""
    with engine_transaction(engine_alias(JobExecution)):
        node.process.send_signal(signal.SIGSTOP)


@pytest.fixture
def marks(transactional_db: None, tmp_path: Path) -> Marks:
    """The job that leaves a line outside the database for every call."""
    return Marks(tmp_path / "marks.txt")


@pytest.fixture
def spans(transactional_db: None, tmp_path: Path) -> Marks:
    """The job that leaves two lines outside the database for every call: when it began, and when it ended."""
    return Marks(tmp_path / "spans.txt", definition="spans")


class Marks:
    """Makes jobs that append to one file, and reads it."""

    def __init__(self, path: Path, definition: str = "marks") -> None:
        self._path, self._definition = path, definition

    def job(self, name: str | None = None, *, seconds: float = 0.0, schedule: str = "", **columns: Any) -> Job:
        """Return a job that marks and then takes its time."""
        values = {"definition": self._definition, "schedule": schedule, "params": self._params(seconds), **columns}
        return Job.objects.update_or_create(name=name or self._definition, defaults=values)[0]

    def lines(self) -> list[list[str]]:
        """Return what the calls left: execution id, due time, process, attempt."""
        if not self._path.exists():
            return []
        return [line.split() for line in self._path.read_text(encoding="ascii").splitlines()]

    def _params(self, seconds: float) -> dict[str, Any]:
        return {"path": str(self._path), "seconds": seconds}


def status_of(execution: JobExecution) -> str:
    """Return the status that the database has now."""
    execution.refresh_from_db()
    return execution.status
