"""The app in one object, for Python code: run a node in this process, and start, stop, run and show jobs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any

from cronjobs.conf import get_settings
from cronjobs.exceptions import ExecutionNotFound, InvalidDefinition, JobNotFound
from cronjobs.manager.status import status_document
from cronjobs.models import Job, JobExecution, Node, Queue
from cronjobs.models.draining import drain, undrain
from cronjobs.models.job import JobQuerySet
from cronjobs.models.moves import cancel
from cronjobs.models.queue import EVERYTHING
from cronjobs.models.reruns import retry
from cronjobs.registry import job as job_decorator
from cronjobs.registry import registry
from cronjobs.scheduler.node import NodeProcess
from cronjobs.scheduler.requests import run_once_at, skip_next
from cronjobs.schedules import Schedule

__all__ = ["CronManager", "cron_manager"]

logger = logging.getLogger(__name__)


class CronManager:
    """Scheduling in code. Jobs are rows: what is started or stopped here is so on every node."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._node: NodeProcess | None = None

    @property
    def is_running(self) -> bool:
        """Whether the node that `start` started in this process is at work; no more once it has failed or drained."""
        node = self._node
        return node is not None and _is_at_work(node)

    def start(self) -> bool:
        """Run a node in this process; return False, and say so in the log, if one runs already.

        Meant for a process of its own: ``manage.py runcron`` is the same with signals handled.
        """
        with self._lock:
            if self._node is not None and _is_at_work(self._node):
                logger.warning("Node %s runs in this process already; start() changes nothing.", self._node.name)
                return False
            if self._node is not None:
                how = "drained" if self._node.is_drained else "failed"
                logger.warning("Node %s had %s; another one takes its place.", self._node.name, how)
                self._node.stop(grace=timedelta(0))
            self._node = None
            node = NodeProcess()
            node.start()
            self._node = node
        return True

    def stop(self, *, grace: timedelta | None = None) -> bool:
        """Drain the node that `start` started; return whether everything that ran on it has ended.

        Waits up to `grace` (None: the setting) for what runs; what is left is given up.
        """
        with self._lock:
            node, self._node = self._node, None
            if node is None:
                logger.info("No node runs in this process; stop() changes nothing.")
                return True
            return node.stop(grace=get_settings().shutdown_grace if grace is None else grace)

    def get_status(self, *, names: Collection[str] | None = None) -> dict[str, Any]:
        """Return what ``GET status`` answers: every job and every living node, as JSON data.

        With `names`, only those of the jobs with these names that there are, and no nodes or queues.
        """
        return status_document(names)

    def register_job(self, name: str, schedule: Schedule | str | None, func: Callable[..., Any]) -> Job:
        """Register `func` as a job definition, make sure that its job exists, and return the job.

        `func` takes the context and the job's parameters, as with ``@job``. Every process that
        is to perform the job must register it. Raises `InvalidDefinition`.
        """
        definition = job_decorator(name, schedule=schedule)(func)
        if name not in registry or registry[name] is not definition:
            raise InvalidDefinition(registry.take_problem(name))
        Job.objects.ensure([definition])
        return Job.objects.named(name)

    def start_job(self, name: str) -> None:
        """Resume a job on every node, from now on: what it missed stays missed. Raises `JobNotFound`."""
        _existing(name).resume()

    def stop_job(self, name: str) -> None:
        """Pause a job on every node until it is started again; what runs goes on. Raises `JobNotFound`."""
        _existing(name).pause()

    def pause_queue(self, name: str) -> None:
        """Start nothing more of a queue on any node until it is resumed; what runs goes on. Raises `QueueNotFound`."""
        Queue.objects.named(name).pause()

    def resume_queue(self, name: str) -> None:
        """Start again what waits in a queue, and what will. Raises `QueueNotFound`."""
        Queue.objects.named(name).resume()

    def pause_all(self) -> None:
        """Schedule and start nothing more on any node until `resume_all`; what runs goes on."""
        Queue.objects.named(EVERYTHING).pause()

    def resume_all(self) -> None:
        """Schedule again, from now on, and start what was waiting already. A single queue that is paused stays so."""
        Queue.objects.named(EVERYTHING).resume()

    def drain_node(self, name: str, *, by: str = "") -> Node:
        """Ask a node, on behalf of `by`, to claim nothing more and to end when what it runs has ended; return its row.

        It ends without a deadline, unless DRAIN_GRACE sets one. Raises `NodeNotFound` and
        `NodeNotAlive`.
        """
        node: Node = drain(name, by=by).node
        return node

    def undrain_node(self, name: str, *, by: str = "") -> Node:
        """Ask a node that drains and has not ended to keep working. Raises `NodeNotFound` and `NodeNotAlive`."""
        node: Node = undrain(name, by=by).node
        return node

    def execute_job(self, name: str, /, **params: Any) -> JobExecution:
        """Record that a job should run now and return the row; a node, or a Celery worker, performs it.

        Raises `JobNotFound`, `InvalidParameters` and whatever makes the job broken.
        """
        return JobExecution.objects.request(name, params=params)

    def execute_job_at(self, name: str, at: datetime, /, **params: Any) -> JobExecution:
        """Record that a job should run once more, at a time to come, and return the row.

        Raises `InvalidRequest` for a time that is naive or past, and what `execute_job` raises.
        """
        return run_once_at(Job.objects.named(name), at, by="", params=params)

    def skip_next(self, name: str, *, by: str = "") -> JobExecution:
        """Record the job's next occurrence as skipped, on behalf of `by`, and return that row.

        Called again, it skips the one after. Raises `JobNotFound`, `InvalidRequest` if no
        occurrence comes, and whatever makes the job broken.
        """
        return skip_next(Job.objects.named(name), by=by)

    def cancel(self, execution_id: int, *, reason: str = "", by: str = "") -> JobExecution:
        """Call an execution off, on behalf of `by`, and return its row: cancelled if it waited.

        One that runs is asked to stop, and is cancelled when its code has ended. One that has
        ended stays as it is. Raises `ExecutionNotFound`.
        """
        rows = JobExecution.objects.filter(pk=execution_id)
        cancel(rows, reason=reason, by=by)
        execution = rows.first()
        if execution is None:
            raise ExecutionNotFound(execution_id)
        return execution

    def retry(self, execution_id: int, *, requested_by: str = "") -> JobExecution:
        """Record that an execution that has ended should run again, and return the new row.

        While an earlier repetition is waiting or running, that one is returned. Raises
        `ExecutionNotFound` and `CannotRetry`.
        """
        return retry(execution_id, requested_by=requested_by).execution


cron_manager = CronManager()


def _is_at_work(node: NodeProcess) -> bool:
    return node.failure is None and not node.is_drained


def _existing(name: str) -> JobQuerySet:
    rows = Job.objects.filter(name=name)
    if not rows.exists():
        raise JobNotFound(name)
    return rows
