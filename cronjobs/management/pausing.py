"""What the commands that pause and resume a job share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cronjobs.journal import changed, record_changes
from cronjobs.management.actors import shell
from cronjobs.models import Job
from cronjobs.models.job import JobQuerySet
from cronjobs.storable import rfc3339


def switched(name: str, change: Callable[[JobQuerySet], int], *, command: str) -> tuple[Job, bool]:
    """Apply `change` to the job `name`; return it as it is then, and whether it was not so before.

    Raises `JobNotFound`, and what `change` raises.
    """
    job = Job.objects.named(name)
    is_new = bool(change(Job.objects.filter(pk=job.pk)))
    found = Job.objects.named(name)
    if is_new:
        before = {"paused": job.paused, "paused_until": job.paused_until}
        record_changes(shell(command), [changed(found, before).without_what_stayed()])
    return found, is_new


def pause_document(job: Job) -> dict[str, Any]:
    """Return how a job stands, as JSON data."""
    until = job.paused_until
    return {
        "jobName": job.name,
        "enabled": job.enabled,
        "paused": job.paused,
        "pausedUntil": None if until is None else rfc3339(until),
    }
