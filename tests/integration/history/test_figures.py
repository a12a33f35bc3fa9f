"""Figures are the same whether they are read from roll-ups or counted from executions."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs.history import Period, boundaries, job_figures, roll_up
from cronjobs.models import HourlyRollup, Job, JobExecution
from tests.integration.api.rows import ended
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LATER = NOON + 40 * HOUR


@pytest.fixture
def names(make_job):
    """Two jobs of which much ended within two days."""
    Job.objects.all().delete()
    dice = random.Random(7)  # noqa: S311 - chooses what happened
    for name in ("one", "two"):
        job = make_job("noop", name=name)
        for _ in range(60):
            at = NOON + dice.randrange(48 * 60) * MINUTE
            ended(job, dice.choice(["succeeded", "failed"]), at, took=dice.randrange(9_000), late=dice.randrange(800))
            ended(job, "missed", at, missed_count=dice.randrange(9))
    return ["one", "two"]


def figures(names, period, zone, *, since=NOON - 7 * MINUTE, until=NOON + 47 * HOUR + 11 * MINUTE):
    return job_figures(names, boundaries(since, until, period=period, zone=ZoneInfo(zone)))


def plain(found):
    return {
        name: [replace(each, duration=None, lateness=None, is_estimated=False) for each in of]
        for name, of in found.items()
    }


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu"])
@pytest.mark.parametrize("period", list(Period))
def test_rolling_up_changes_no_number(names, period, zone):
    counted = figures(names, period, zone)
    assert not any(each.is_estimated for of in counted.values() for each in of)

    roll_up(LATER)

    assert plain(figures(names, period, zone)) == plain(counted)


def test_of_an_hour_the_percentiles_are_exact(names):
    counted = figures(names, Period.HOUR, "UTC")

    roll_up(LATER)

    assert figures(names, Period.HOUR, "UTC") == counted


def test_of_several_hours_the_percentiles_are_in_the_right_bucket(names):
    counted = figures(names, Period.DAY, "UTC")

    roll_up(LATER)

    estimated = figures(names, Period.DAY, "UTC")
    for name in names:
        for exact, guess in zip(counted[name], estimated[name], strict=True):
            assert guess.is_estimated
            for value, other in ((exact.duration, guess.duration), (exact.lateness, guess.lateness)):
                assert bucket(value.p50) == bucket(other.p50)
                assert bucket(value.p95) == bucket(other.p95)


def bucket(value):
    from bisect import bisect_left

    from cronjobs.models.counts import BOUNDS

    return bisect_left(BOUNDS, value)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_figures_outlive_the_executions(names, zone):
    roll_up(LATER)
    before = figures(names, Period.DAY, zone, since=NOON, until=NOON + 36 * HOUR)

    JobExecution.objects.filter(finished_at__lt=NOON + 37 * HOUR).delete()

    after = figures(names, Period.DAY, zone, since=NOON, until=NOON + 36 * HOUR)
    assert numbers_of(after) == numbers_of(before)
    if zone == "UTC":
        assert after == before


def numbers_of(found):
    """Return how much there is of each job, in whichever day: an hour that cannot be cut is told of where it begins."""
    return {name: sum(each.executions for each in of) for name, of in found.items()}


def test_an_hour_that_cannot_be_cut_belongs_to_the_day_in_which_it_begins(make_job):
    job = make_job("noop")
    # In Kathmandu midnight is at 18:15 UTC.
    evening = NOON + 6 * HOUR
    ended(job, "succeeded", evening + 5 * MINUTE, took=1, late=1)
    ended(job, "succeeded", evening + 25 * MINUTE, took=1, late=1, count=2)
    roll_up(LATER)
    span = {"since": NOON, "until": NOON + 12 * HOUR}

    [before, after] = figures(["noop"], Period.DAY, "Asia/Kathmandu", **span)["noop"]
    assert (before.executions, after.executions) == (1, 2)
    JobExecution.objects.first().delete()

    [whole] = figures(["noop"], Period.DAY, "Asia/Kathmandu", **span)["noop"]
    assert (whole.until, whole.executions) == (evening + 15 * MINUTE, 3)


def test_what_is_rolled_up_is_not_counted_again(names):
    roll_up(LATER)
    with CaptureQueriesContext(connection) as captured:
        figures(names, Period.DAY, "UTC", since=NOON, until=NOON + 36 * HOUR)

    assert not any("jobexecution" in each["sql"] for each in captured)
    assert len(captured) == 2


def test_without_rollups_of_a_job_there_is_nothing_of_it(names):
    roll_up(LATER)
    HourlyRollup.objects.filter(job_name="two").delete()

    assert figures(names, Period.DAY, "UTC", since=NOON, until=NOON + 36 * HOUR).keys() == {"one"}
