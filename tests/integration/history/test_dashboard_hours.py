"""The dashboard's hours are the same whether they are read from roll-ups or counted from executions."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs.admin.dashboard.hours import forget_hours, last_hours
from cronjobs.history import roll_up
from cronjobs.models import Job
from tests.integration.api.rows import ended
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NOW = NOON + 24 * HOUR + 20 * MINUTE


@pytest.fixture
def history(make_job):
    """Something of two jobs in each hour of a day, the present one as well."""
    Job.objects.all().delete()
    for name in ("one", "two"):
        job = make_job("noop", name=name)
        for number in range(25):
            at = NOON + number * HOUR + 10 * MINUTE
            ended(job, "succeeded", at, took=number, late=1, count=3, result={"modifiedCount": number})
            ended(job, "failed", at, took=9 * number, late=1)
        ended(job, "skipped", NOON + 5 * HOUR)


def looked_at(zone):
    forget_hours()
    return last_hours(NOW, ZoneInfo(zone))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu"])
@pytest.mark.parametrize("until", [NOON + 12 * HOUR, NOW])
def test_rolling_up_changes_nothing(history, zone, until):
    counted = looked_at(zone)
    assert len(counted) == 24

    roll_up(until)

    assert looked_at(zone) == counted


def test_hours_that_are_rolled_up_are_not_counted(history):
    roll_up(NOW)
    forget_hours()
    with CaptureQueriesContext(connection) as captured:
        last_hours(NOW, ZoneInfo("UTC"))

    counted = [each["sql"] for each in captured if "duration_bucket" in each["sql"]]
    assert len(counted) == 1
    assert f"{NOW:%Y-%m-%d} 12:00:00" in counted[0]
    assert f"{NOON:%Y-%m-%d}" not in counted[0]
