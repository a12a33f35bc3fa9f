"""Nodes and Celery workers as real processes that share a database, a broker and their settings."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cronjobs.models import CeleryWorker, Job, Node
from project.processes import Child, start, stop, wait_until
from tests.brokers import Broker
from tests.servers import command_environment, start_command

QUICK = {"LEASE": 3, "SHUTDOWN_GRACE": 1, "POLL_INTERVAL": 0.2, "KILL_GRACE": 0.5}


class Site:
    """Starts nodes and workers, and stops them at the end; without a broker there are no workers."""

    def __init__(self, directory: Path, broker: Broker | None = None, **settings: Any) -> None:
        self._directory, self._broker = directory, broker
        self._started: list[Child] = []
        celery = {"CELERY_APP": "tests.celery_app.app"} if broker else {}
        self.settings = {**QUICK, **celery, **settings}

    @property
    def queue(self) -> str:
        """The name of the queue that is this site's own."""
        return self._broker.queue() if self._broker else "default"

    def settle(self) -> None:
        """Let nothing be scheduled, and every job wait in the site's own queue."""
        Job.objects.update(schedule="", queue=self.queue)

    def start_node(self, *arguments: str, **settings: Any) -> Child:
        """Start `runcron`, with settings of its own beside the site's, and wait until it has introduced itself."""
        known = Node.objects.count()
        child = start_command("runcron", *arguments, log=self._log("node"), **self._environment(settings))
        return self._started_once(child, lambda: Node.objects.count() > known)

    def start_worker(
        self,
        *arguments: str,
        concurrency: int = 2,
        queues: Iterable[str] = (),
        environment: dict[str, str] | None = None,
        **settings: Any,
    ) -> Child:
        """Start a Celery worker that takes messages from `queues` (none: the site's own), and wait until it is ready."""
        known = CeleryWorker.objects.count()
        command = [sys.executable, "-m", "celery", "-A", "tests.celery_app", "worker", "--loglevel", "INFO"]
        # What they would tell each other is nothing to us, and takes time.
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        command += ["--queues", ",".join(queues or [self.queue]), "--concurrency", str(concurrency)]
        command += ["--hostname", f"w{len(self._started)}@%h", *arguments]
        variables = command_environment(**self._environment(settings), **(environment or {}))
        child = start("worker", command, log=self._log("worker"), env=variables)
        return self._started_once(child, lambda: CeleryWorker.objects.count() > known)

    def logs(self) -> list[str]:
        """Return what each process has logged so far."""
        return [each.output() for each in self._started]

    def stop(self) -> None:
        """Stop everything that still runs."""
        stop(self._started)

    def _started_once(self, child: Child, is_known: Callable[[], bool]) -> Child:
        self._started.append(child)
        wait_until(lambda: is_known() or None, child=child, within=90.0)
        return child

    def _log(self, name: str) -> Path:
        return self._directory / f"{name}-{len(self._started)}.log"

    def _environment(self, settings: dict[str, Any]) -> dict[str, str]:
        broker = self._broker.environment if self._broker else {}
        return {**broker, "TEST_CRONJOBS": json.dumps({**self.settings, **settings})}


def worker_of(child: Child) -> CeleryWorker:
    """Return the row of the worker that runs as that process."""
    return CeleryWorker.objects.get(pid=child.process.pid)
