"""Very many messages that wait at once."""

from __future__ import annotations

import pytest
from django.db import connection

from cronjobs.database import read_clock
from cronjobs.models import Alert, AlertDelivery
from cronjobs.notifications.deliveries import claim

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]


def _wait_in_line(number):
    now = read_clock("default")
    Alert.objects.bulk_create(
        Alert(kind="failing", subject=f"job-{each}", job_name=f"job-{each}", created_at=now) for each in range(number)
    )
    AlertDelivery.objects.bulk_create(
        AlertDelivery(alert=alert, notifier="ops", due_at=now) for alert in Alert.objects.all()
    )


def _steps_of_a_claim():
    """Return how many hundreds of steps SQLite takes to find and claim what is due."""
    steps = []
    connection.connection.set_progress_handler(lambda: steps.append(1) and 0, 100)
    try:
        assert claim("ops", read_clock("default")) is not None
    finally:
        connection.connection.set_progress_handler(None, 0)
    return len(steps)


def test_a_claim_among_many_does_not_compare_each_with_each():
    _wait_in_line(400)
    few = _steps_of_a_claim()
    Alert.objects.all().delete()
    _wait_in_line(1_600)

    # Four times as many, and some more for the sorting; with each compared, sixteen times.
    assert _steps_of_a_claim() < 8 * few
