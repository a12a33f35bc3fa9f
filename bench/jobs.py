"""The job that is measured: it does nothing but tell when it was called."""

from __future__ import annotations

from datetime import UTC, datetime

from cronjobs import job
from cronjobs.logs import JobContext

NAME = "bench-noop"


@job(NAME)
def noop(context: JobContext) -> dict[str, str]:
    """Return the time."""
    return {"calledAt": datetime.now(UTC).isoformat()}
