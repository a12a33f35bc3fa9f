"""Where Celery looks for an app's tasks. Nothing else imports this."""

from __future__ import annotations

from cronjobs.executors.celery.tasks import perform_execution

__all__ = ["perform_execution"]
