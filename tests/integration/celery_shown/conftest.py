"""A site whose jobs Celery performs, without anybody who does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from cronjobs.database import database_now_plus, read_clock
from cronjobs.models import CeleryWorker, JobExecution, Node
from cronjobs.models.moves import dispatch

MakeWorker = Callable[..., CeleryWorker]


@pytest.fixture
def with_celery(settings: Any) -> None:
    """Let Celery perform every job. Nothing here imports the app: it is not for pages to look at."""
    settings.CRONJOBS = {"CELERY_APP": "project.celery.app", "EXECUTOR": "celery", "DISPATCH_LIMIT": 2}


@pytest.fixture
def make_worker(db: None) -> MakeWorker:
    """Record a Celery worker; by default one that is alive and serves the default queue."""

    def make(
        name: str = "celery@box-1:5150", *queues: str, silent_for: timedelta = timedelta(0), **columns: Any
    ) -> CeleryWorker:
        facts = {"hostname": "box-1", "pid": 5150, "version": "1.0", "concurrency": 4, **columns}
        now = read_clock("default")
        worker = CeleryWorker.objects.create(
            name=name, queues=list(queues or ("default",)), started_at=now, heartbeat_at=now, **facts
        )
        CeleryWorker.objects.filter(pk=worker.pk).update(heartbeat_at=database_now_plus(-silent_for))
        return worker

    return make


def living_node(hostname: str, pid: int) -> Node:
    """Return a node that is alive."""
    now = read_clock("default")
    facts = {"hostname": hostname, "pid": pid, "version": "1.0", "workers": 8}
    return Node.objects.create(name=f"{hostname}:{pid}", started_at=now, heartbeat_at=now, last_tick_at=now, **facts)


@pytest.fixture
def node(db: None) -> Node:
    """A node that is alive."""
    return living_node("web-1", 4711)


def dispatched(limit: int = 100) -> list[JobExecution]:
    """Hand what is due over, but to no broker; return what that was."""
    return [each for each, _ in dispatch(limit=limit, now=read_clock("default")).executions]
