"""Fixtures for tests of alerts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from cronjobs.alerting.looks import look_around
from cronjobs.database import read_clock
from cronjobs.models import Alert, AlertState

Look = Callable[..., list[str]]


def told(alerts: list[Alert] | None = None) -> list[str]:
    """Return all that was told, in order: kind, subject, and whether it was its end."""
    rows = Alert.objects.order_by("pk") if alerts is None else alerts
    return [" ".join(filter(None, (each.kind, each.subject, "over" if each.is_resolution else ""))) for each in rows]


def firing() -> list[str]:
    """Return what is wrong now."""
    return [f"{each.kind} {each.subject}".strip() for each in AlertState.objects.firing()]


@pytest.fixture
def look(db: None) -> Look:
    """Look around, by the database's clock and so much later, and return all that was told so far."""

    def at(after: timedelta = timedelta(0)) -> list[str]:
        look_around(read_clock("default") + after)
        return told()

    return at
