"""What a test may hand over: a job in any of three ways, and an instant in two."""

from __future__ import annotations

from datetime import UTC, datetime

from cronjobs.models import Job
from cronjobs.registry import JobDefinition, registry

# A job, the definition of the same name, or the name.
JobLike = Job | JobDefinition | str
# Aware, or ISO 8601 text with a zone.
Instant = datetime | str


def find_job(given: JobLike) -> Job:
    """Return the job that is meant, made if only its definition is there; raise `JobNotFound` if neither is."""
    name = given if isinstance(given, str) else given.name
    definition = registry.get(name)
    if definition is not None:
        # A test may have emptied the tables.
        Job.objects.ensure([definition])
    return Job.objects.named(name)


def as_instant(given: Instant) -> datetime:
    """Return the instant in UTC; raise `ValueError` for a time without a zone, and for text that is no time."""
    moment = datetime.fromisoformat(given) if isinstance(given, str) else given
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no zone; say {moment.isoformat()}+01:00, or Z for UTC.")
    return moment.astimezone(UTC)
