"""Fixtures for tests that have a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Q, QuerySet
from django.utils import timezone

from cronjobs import RetryPolicy
from cronjobs.database import read_clock
from cronjobs.executors.base import Done, Executor
from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.holdings import Holdings
from cronjobs.scheduler.node import NodeProcess
from cronjobs.testing._definitions import Declare

# A Thursday; nothing is special about it but the old system's sample data.
NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)

MakeJob = Callable[..., Job]

# What no code registers: functions that do harm, what is no function, and what does something by being imported.
CALLABLES = ("os.system", "subprocess.run", "builtins.eval", "os.sep", "sentinel_module", "sentinel_module.run")


@pytest.fixture
def make_job(db: None) -> MakeJob:
    """Make a job of one of the definitions in `tests.app.jobs`; by default one that nothing schedules."""

    def make(definition: str = "succeeds", **columns: Any) -> Job:
        defaults = {"definition": definition, "schedule": "", **columns}
        name = defaults.pop("name", definition)
        job, _ = Job.objects.update_or_create(name=name, defaults=defaults)
        return job

    return make


@pytest.fixture
def database_now(db: None) -> datetime:
    """The database's own time."""
    return read_clock("default")


@pytest.fixture
def sentinel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is there once somebody has imported ``sentinel_module``, or unpickled what names it."""
    mark = tmp_path / "sentinel"
    (tmp_path / "sentinel_module.py").write_text(f"open({str(mark)!r}, 'w').close()\ndef run(context): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    return mark


def flow_rows(root: JobExecution) -> QuerySet[JobExecution]:
    """Return the executions of a flow, the root included."""
    return JobExecution.objects.filter(Q(pk=root.pk) | Q(flow=root.pk)).order_by("pk")


@pytest.fixture
def define(cronjobs_job: Declare) -> Callable[..., str]:
    """Register a function for one test, by default with one attempt, make its job, and return the job's name."""

    def make(func: Callable[..., Any], *, name: str = "", **options: Any) -> str:
        name = name or func.__name__.replace("_", "-")
        return cronjobs_job(name, **{"retry": RetryPolicy(max_attempts=1), **options})(func).name

    return make


def rows_of(job: Job) -> list[tuple[str, str, datetime]]:
    """Return what is recorded of a job: trigger, status and due time, oldest first."""
    rows = JobExecution.objects.filter(job=job).order_by("scheduled_for", "id")
    return list(rows.values_list("trigger", "status", "scheduled_for"))


@pytest.fixture
def start_node(transactional_db: None) -> Iterator[Callable[..., NodeProcess]]:
    """Start nodes in this process, with the options of `NodeProcess`; nothing is scheduled but what a test schedules."""
    Job.objects.update(schedule="")
    started: list[NodeProcess] = []

    def start(**options: Any) -> NodeProcess:
        node = NodeProcess(**options)
        started.append(node)
        node.start()
        return node

    yield start
    for node in started:
        node.stop(grace=timedelta(seconds=10))


def holdings(executor: Executor, ended: Done = lambda claim, ending: None) -> Holdings:
    """Return what a node with that executor would hold its claims in."""
    return Holdings("test", executor, most=100, ended=ended, now=timezone.now)
