"""What is missing or dangerous in how the project has set up its Celery app, as system checks tell it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

from celery import Celery
from celery.signals import import_modules
from django.core import checks

from cronjobs.executors.celery.app import load_app
from cronjobs.executors.celery.publisher import TASK
from cronjobs.models import ResolvedJob

# In seconds, as kombu has it.
_VISIBILITY: Final = {"redis": 3_600.0, "sqs": 1_800.0}
_DEFAULT_PREFETCH: Final = 4
_LIMITS: Final = ("time_limit", "soft_time_limit")


class Diagnosis:
    """Looks at CELERY_APP without connecting to anything. Raises `InvalidSettings` if there is no such app."""

    def __init__(self) -> None:
        self._app: Celery = load_app()

    def of_app(self, queues: Iterable[str]) -> Iterator[checks.CheckMessage]:
        """Yield what is wrong whatever it performs; `queues` are those that it is to serve."""
        yield from self._broker(set(queues))
        if (prefetch := self._app.conf.worker_prefetch_multiplier) > _DEFAULT_PREFETCH or not prefetch:
            yield checks.Info(
                f"Each process of a Celery worker fetches {f'{prefetch:,}' if prefetch else 'any number of'} messages "
                "ahead (worker_prefetch_multiplier): they wait for it, though others may be free.",
                hint="1 suits jobs that take longer than a moment.",
                id="cronjobs.I002",
            )
        if self._app.conf.worker_cancel_long_running_tasks_on_connection_loss:
            yield checks.Warning(
                "A Celery worker that loses its broker for a moment ends what it performs "
                "(worker_cancel_long_running_tasks_on_connection_loss): such attempts fail.",
                hint="Leave it off: a message that comes again is refused, so nothing runs twice.",
                id="cronjobs.W018",
            )
        yield from self._task()

    def of_time(self, job: ResolvedJob) -> Iterator[checks.CheckMessage]:
        """Yield which of the times that Celery knows of is shorter than the job's timeout."""
        if job.timeout is None:
            return
        visibility, limit = self._visibility, self._time_limit
        if visibility is not None and visibility < job.timeout:
            yield checks.Warning(
                f"An attempt may take {_seconds(job.timeout)}, and the broker delivers a message again that is not "
                f"acknowledged within {_seconds(visibility)}: it is refused then, so nothing runs twice, but it takes "
                "up a worker for nothing.",
                hint="Set broker_transport_options['visibility_timeout'] to more than the longest timeout, in seconds.",
                obj=job.name,
                id="cronjobs.W013",
            )
        if limit is not None and limit <= job.timeout:
            yield checks.Warning(
                f"An attempt may take {_seconds(job.timeout)}, and Celery ends every task after {_seconds(limit)}: "
                "the attempt fails, or is lost with its process, before its own time is up.",
                hint="Raise task_time_limit and task_soft_time_limit, or leave both out: cronjobs has timeouts.",
                obj=job.name,
                id="cronjobs.W015",
            )

    def _broker(self, queues: set[str]) -> Iterator[checks.CheckMessage]:
        if not self._app.conf.broker_write_url:
            yield checks.Error(
                "The Celery app has no broker, so nothing can be handed to a worker.",
                hint="Set broker_url (CELERY_BROKER_URL in Django's settings, with namespace CELERY).",
                id="cronjobs.E005",
            )
            return
        try:
            driver = self._driver()
        except Exception as error:  # noqa: BLE001 - whatever a driver says may hold the address, and with it a password
            yield checks.Error(
                f"The Celery app's broker cannot be used: {type(error).__name__}.",
                hint="Look at the beginning of broker_url, and whether what it takes is installed: pip install 'celery[redis]'.",
                id="cronjobs.E005",
            )
            return
        flat = sorted(queue for queue in queues if not self._has_priorities(queue))
        if driver == "amqp" and flat:
            yield checks.Warning(
                f"RabbitMQ is not told of priorities in {', '.join(flat)}: once there, what is critical waits its turn.",
                hint="Set task_queue_max_priority = 5. A queue that exists has to be deleted for that.",
                id="cronjobs.W016",
            )

    def _task(self) -> Iterator[checks.CheckMessage]:
        try:
            task = self._find_task()
        except Exception as error:  # noqa: BLE001 - a module of tasks may do anything when it is imported
            # What else a module of the project's says may hold an address.
            why = f": {error}" if isinstance(error, ImportError) else ""
            yield self._no_task(f"its tasks cannot be imported: {type(error).__name__}{why}")
            return
        if task is None:
            yield self._no_task("it has not looked for tasks in the installed apps")
            return
        if not task.acks_late:
            yield checks.Warning(
                f"Messages of the task {TASK} are acknowledged before it begins: what a worker has fetched and not "
                "begun when it ends waits until it is dispatched again (DISPATCH_TIMEOUT).",
                hint="Leave acks_late of this task alone in task_annotations: it is on by itself.",
                id="cronjobs.W014",
            )
        yield from self._results(task)

    def _results(self, task: Any) -> Iterator[checks.CheckMessage]:
        backend = self._app.conf.result_backend
        if not backend or str(backend).startswith("disabled"):
            return
        is_kept = not task.ignore_result or task.store_errors_even_if_ignored
        text = f"The task {TASK} leaves results in Celery's result backend, which nobody reads or deletes."
        hint = "Leave ignore_result and store_errors_even_if_ignored of this task alone in task_annotations."
        yield checks.Info(
            text
            if is_kept
            else "The Celery app has a result backend, which cronjobs does not need: its results are rows.",
            hint=hint if is_kept else "If no task of your own needs it either, leave result_backend out.",
            id="cronjobs.I001",
        )

    def _find_task(self) -> Any:
        """Return the task as a worker knows it when it has started; None, if it does not."""
        # Not by sending the signal: with it, Celery sets up Django anew and runs all system checks, these among them.
        for (_, sender), receiver in list(import_modules.receivers):
            if sender == id(self._app):
                receiver(signal=import_modules, sender=self._app)
        for each in self._app.loader.default_modules:
            self._app.loader.import_task_module(each)
        self._app.finalize()
        return self._app.tasks.get(TASK)

    def _no_task(self, why: str) -> checks.CheckMessage:
        return checks.Warning(
            f"The Celery app does not know the task {TASK}: {why}. Workers would throw its messages away.",
            hint="Call app.autodiscover_tasks() where the app is made, and let cronjobs be among INSTALLED_APPS.",
            id="cronjobs.W012",
        )

    def _driver(self) -> str:
        with self._app.connection_for_write() as connection:
            # Made, and not connected.
            return str(connection.transport.driver_type)

    def _has_priorities(self, name: str) -> bool:
        # Not by the brackets: whoever asks so for a queue makes it, and lets a worker serve it.
        queue = self._app.amqp.queues.get(name)
        if queue is None:
            return self._app.conf.task_queue_max_priority is not None
        return bool(queue.max_priority or (queue.queue_arguments or {}).get("x-max-priority"))

    @cached_property
    def _visibility(self) -> timedelta | None:
        try:
            default = _VISIBILITY.get(self._driver())
        except Exception:  # noqa: BLE001 - told of by `of_app`
            return None
        options = self._app.conf.broker_transport_options or {}
        return None if default is None else timedelta(seconds=float(options.get("visibility_timeout", default)))

    @cached_property
    def _time_limit(self) -> timedelta | None:
        try:
            task = self._find_task()
        except Exception:  # noqa: BLE001 - told of by `of_app`
            task = None
        limits = (getattr(task, each, None) or getattr(self._app.conf, f"task_{each}") for each in _LIMITS)
        return min((timedelta(seconds=float(each)) for each in limits if each), default=None)


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"
