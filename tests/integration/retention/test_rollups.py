"""What the roll-ups have not counted yet is kept, unless nobody is ever going to count it."""

from __future__ import annotations

import pytest

from cronjobs.models import Job
from cronjobs.models.rollups import RollupMark
from tests.integration.retention.conftest import DAY, left, purge

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows(make_job, record):
    """Five old executions of a job, and its newest."""
    job = make_job("noop")
    return [record(job, days) for days in (60, 55, 50, 45, 40, 0.5)]


@pytest.fixture
def roll_up(db):
    """The job that makes the roll-ups."""
    columns = {"definition": "roll-up-history", "schedule": "7 * * * *", "enabled": True}
    return Job.objects.update_or_create(name="roll-up-history", defaults=columns)[0]


def test_what_is_not_counted_yet_waits(rows, roll_up, database_now):
    until = (database_now - 52 * DAY).replace(minute=0, second=0, microsecond=0)
    RollupMark.objects.update(until=until)

    assert purge(database_now).executions == 2
    assert left() == [each.pk for each in rows[2:]]


def test_before_the_first_roll_up_nothing_goes(rows, roll_up, database_now, all_is_counted):
    all_is_counted.delete()

    assert purge(database_now).executions == 0


@pytest.mark.parametrize("how", [{"enabled": False}, {"schedule": ""}])
def test_nothing_waits_for_roll_ups_that_nobody_makes(rows, roll_up, database_now, all_is_counted, how):
    all_is_counted.delete()
    Job.objects.filter(pk=roll_up.pk).update(**how)

    assert purge(database_now).executions == 5


def test_a_pause_of_the_roll_ups_holds_the_purge_up(rows, roll_up, database_now, all_is_counted):
    all_is_counted.delete()
    Job.objects.filter(pk=roll_up.pk).update(paused=True)

    assert purge(database_now).executions == 0
