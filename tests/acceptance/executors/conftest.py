"""One suite for every executor: the same tests, the same jobs, the same node beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cronjobs.database import engine_alias, in_transaction
from cronjobs.models import Job, JobExecution, Queue
from cronjobs.models.moves import cancel
from tests.acceptance.conftest import Marks, status_of
from tests.acceptance.inline import InlinePerformers
from tests.brokers import broker_of
from tests.servers import wait_for
from tests.sites import Site

# As much as each of them does at once.
AT_ONCE = 4
EXECUTORS = [
    "thread",
    "process",
    "inline",
    pytest.param("redis", marks=pytest.mark.celery),
    pytest.param("rabbitmq", marks=pytest.mark.celery),
]


class Executor:
    """What performs executions in a test, and the site to which it belongs."""

    def __init__(self, kind: str, site: Site) -> None:
        self.kind, self.site = kind, site

    @property
    def is_celery(self) -> bool:
        return self.kind in {"redis", "rabbitmq"}

    @property
    def workers(self) -> re.Pattern[str]:
        """How the ones are called that perform here."""
        if self.is_celery:
            return re.compile(r"w\d+@.+:\d+")
        return re.compile(r".+:\d+:inline" if self.kind == "inline" else r".+:\d+:[0-9a-f]{6}")

    def job(self, name: str, definition: str | None = None, **columns: Any) -> Job:
        """Return the job of that name, with `columns` changed, in the site's queue if they name no other."""
        values = {"definition": definition or name, "schedule": "", "queue": self.site.queue, **columns}
        return Job.objects.update_or_create(name=name, defaults=values)[0]

    def limit(self, limit: int, **columns: Any) -> None:
        """Let the site's queue run so much at once."""
        Queue.objects.update_or_create(name=self.site.queue, defaults={"limit": limit, **columns})

    def request(self, name: str, **params: Any) -> JobExecution:
        """Ask for an execution with these parameters."""
        return JobExecution.objects.request(name, params=params)

    def until(self, execution: JobExecution, status: str = "") -> JobExecution:
        """Wait until it has that status, or has ended, and return it as it is then."""
        wait_for(lambda: status_of(execution) == status if status else status_of(execution) and execution.is_final)
        return execution

    def cancel(self, execution: JobExecution) -> None:
        """Call it off, as an operator does."""
        cancel(JobExecution.objects.filter(pk=execution.pk), reason="Ann said so.")
        execution.refresh_from_db()

    def perform(self, name: str, **params: Any) -> JobExecution:
        """Ask for an execution, and return it when it has ended."""
        return self.until(self.request(name, **params))


@pytest.fixture(scope="module", params=EXECUTORS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def site(
    kind: str, tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker
) -> Iterator[Site]:
    """A node and, for Celery, two workers, which serve all tests of a module."""
    directory = tmp_path_factory.mktemp(kind)
    with ExitStack() as stack:
        is_celery = kind in {"redis", "rabbitmq"}
        broker = stack.enter_context(broker_of(kind)) if is_celery else None
        site = Site(directory, broker, EXECUTOR="celery" if is_celery else kind if kind == "process" else "thread")
        stack.enter_context(django_db_blocker.unblock())
        stack.callback(site.stop)
        # Beside those who perform inline there is somebody who sees to the rest.
        site.start_node("--workers", str(AT_ONCE), *(["--queues", "nobody"] if kind == "inline" else []))
        for _ in range(2 if is_celery else 0):
            site.start_worker(concurrency=AT_ONCE // 2)
        yield site


@pytest.fixture
def executor(kind: str, site: Site, transactional_db: None, settings: Any) -> Iterator[Executor]:
    """What performs, with jobs that nothing schedules."""
    settings.CRONJOBS = site.settings
    site.settle()
    performers = InlinePerformers(AT_ONCE)
    if kind == "inline":
        performers.start()
    yield Executor(kind, site)
    if kind == "inline":
        performers.close()
    # What still runs must not meet the next test.
    waiting = JobExecution.objects.open().exclude(status="running")
    in_transaction(engine_alias(JobExecution), lambda: waiting.update(status="cancelled"))
    wait_for(lambda: not JobExecution.objects.open().exists())


@pytest.fixture
def spans(executor: Executor, tmp_path: Path) -> Marks:
    """The job that leaves two lines outside the database for every call, in the site's queue."""
    spans = Marks(tmp_path / "spans.txt", definition="spans")
    spans.job(queue=executor.site.queue)
    return spans
