"""What follows from Django's own events."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_migrate
from django.dispatch import receiver

from cronjobs.models import Job, Queue
from cronjobs.registry import registry


@receiver(post_migrate, dispatch_uid="cronjobs.create_jobs")
def _create_jobs(*, app_config: Any, using: str, **_: object) -> None:
    """Give every definition its job, and every queue its row, once the tables for them are there."""
    if app_config.name == "cronjobs":
        Job.objects.using(using).ensure(registry)
        Queue.objects.using(using).ensure()
