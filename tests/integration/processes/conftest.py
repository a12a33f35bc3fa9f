"""A fork server, and attempts in its processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cronjobs.executors.process import ForkServer
from cronjobs.models import JobExecution
from tests.integration.processes.attempts import Running


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[ForkServer]:
    """One fork server for all tests of a file, as a node has one for all of its jobs."""
    with ForkServer() as server:
        server.start()
        yield server


@pytest.fixture
def running(server: ForkServer) -> Iterator[Callable[..., Running]]:
    """Begin an attempt, on a thread as a node does, and hand it out while it runs."""
    started = []

    def run(name: str, **params: Any) -> Running:
        started.append(Running(server, name, params))
        return started[-1]

    yield run
    for each in started:
        each.finish()


@pytest.fixture
def perform(running: Callable[..., Running]) -> Callable[..., JobExecution]:
    """Perform an attempt, record it, and return its execution."""
    return lambda name, **params: running(name, **params).outcome()
