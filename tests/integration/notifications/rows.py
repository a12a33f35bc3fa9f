"""Alerts that are to be sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cronjobs.database import read_clock
from cronjobs.models import Alert, AlertDelivery


def delivery(notifier: str = "ops", *, at: datetime | None = None, **alert: Any) -> AlertDelivery:
    """Insert an alert, decided and due at that time (None: now), with one delivery; return that."""
    at = at or read_clock("default")
    columns = {"kind": "failing", "subject": "report", "job_name": "report", "created_at": at, **alert}
    return AlertDelivery.objects.create(alert=Alert.objects.create(**columns), notifier=notifier, due_at=at)


def state(row: AlertDelivery) -> tuple[str, int, bool]:
    """Return what the database has of the delivery: its status, its attempts, and whether it may be a repetition."""
    row = AlertDelivery.objects.get(pk=row.pk)
    return row.status, row.attempts, row.is_repeat
