"""What executions on Celery are compared with: a plain task, whose result django-celery-results keeps."""

from __future__ import annotations

from datetime import UTC, datetime

from celery import Celery

# As its documentation has it; whatever is not about the broker is as Celery comes.
app = Celery("plain")
app.config_from_object("django.conf:settings", namespace="PLAIN")


@app.task(name="bench.plain")
def noop() -> dict[str, str]:
    """Return the time, as the job does."""
    return {"calledAt": datetime.now(UTC).isoformat()}
