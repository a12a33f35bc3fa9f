"""What follows from Django's own events, and from the engine's."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_migrate
from django.dispatch import receiver

from cronjobs import events
from cronjobs.models import Job, JobExecution, Queue
from cronjobs.notifications import pings
from cronjobs.registry import registry


@receiver(post_migrate, dispatch_uid="cronjobs.create_jobs")
def _create_jobs(*, app_config: Any, using: str, **_: object) -> None:
    """Give every definition its job, and every queue its row, once the tables for them are there."""
    if app_config.name == "cronjobs":
        Job.objects.using(using).ensure(registry)
        Queue.objects.using(using).ensure()


@receiver(events.execution_started, dispatch_uid="cronjobs.ping_start")
def _ping_start(*, execution: JobExecution, **_: object) -> None:
    """Tell the monitor that a job may name that it has begun."""
    pings.started(execution)


@receiver(events.execution_retried, dispatch_uid="cronjobs.ping_retry")
def _ping_retry(*, execution: JobExecution, **_: object) -> None:
    """Tell the monitor that a job may name of an attempt that failed."""
    pings.retried(execution)


@receiver(events.execution_lost, dispatch_uid="cronjobs.ping_loss")
def _ping_loss(*, execution: JobExecution, **_: object) -> None:
    """Tell the monitor that a job may name of a worker that vanished."""
    pings.lost(execution)


@receiver(events.execution_finished, dispatch_uid="cronjobs.ping_end")
def _ping_end(*, execution: JobExecution, **_: object) -> None:
    """Tell the monitor that a job may name how it ended."""
    pings.finished(execution)
