"""What the commands that pause and resume a job share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from cronjobs.management.arguments import who
from cronjobs.models import Job
from cronjobs.models.job import JobQuerySet
from cronjobs.storable import rfc3339

logger = logging.getLogger(__name__)


def switched(name: str, what: str, change: Callable[[JobQuerySet], int]) -> tuple[Job, bool]:
    """Apply `change` to the job `name`, which becomes `what`; return it as it is then, and whether it was not so before.

    Raises `JobNotFound`, and what `change` raises.
    """
    job = Job.objects.named(name)
    is_new = bool(change(Job.objects.filter(pk=job.pk)))
    if is_new:
        logger.info("Job %s was %s by %s.", name, what, who())
    return Job.objects.named(name), is_new


def pause_document(job: Job) -> dict[str, Any]:
    """Return how a job stands, as JSON data."""
    until = job.paused_until
    return {
        "jobName": job.name,
        "enabled": job.enabled,
        "paused": job.paused,
        "pausedUntil": None if until is None else rfc3339(until),
    }
