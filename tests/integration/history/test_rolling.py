"""Hours are rolled up once they are over, and again if they have grown."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from cronjobs.executors.inline import run_inline
from cronjobs.history import roll_up, rolled_up_until
from cronjobs.history import rolling as rolling_module
from cronjobs.models import HourlyRollup, Job, JobExecution, JobTotals, RolledHour
from cronjobs.models.rollups import BEGINNING, SETTLING
from cronjobs.storable import rfc3339
from tests.integration.api.rows import ended
from tests.integration.conftest import NOON
from tests.integration.history.counting import count_of, counters, totals

pytestmark = pytest.mark.django_db

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
AFTERWARDS = NOON + HOUR + SETTLING


@pytest.fixture
def mine(make_job):
    """The only job there is."""
    Job.objects.all().delete()
    return make_job("noop", name="mine")


def hours():
    return dict(HourlyRollup.objects.order_by("hour").values_list("hour", "succeeded"))


def test_before_the_first_time_nothing_is_rolled_up(db):
    assert rolled_up_until() == BEGINNING


def test_an_hour_that_is_over_has_its_figures(mine):
    rows = [
        *ended(mine, "succeeded", NOON, took=80, late=20, count=3, result={"modifiedCount": 2}),
        *ended(mine, "failed", NOON + 5 * MINUTE, took=4_000_000, late=7, attempt=3),
        *ended(mine, "missed", NOON + HOUR - SECOND, missed_count=40),
    ]

    done = roll_up(AFTERWARDS)

    rollup = HourlyRollup.objects.values().get()
    assert (rollup["job_name"], rollup["hour"]) == ("mine", NOON)
    assert {name: rollup[name] for name in count_of(rows)} == count_of(rows)
    assert (rollup["duration_max"], rollup["duration_p50"], rollup["duration_p95"]) == (4_000_000, 80, 4_000_000)
    assert (rollup["lateness_p50"], rollup["lateness_p95"]) == (20, 20)
    assert totals() == {"mine": count_of(rows)}
    assert (done.until, done.executions) == (NOON + HOUR, 5)
    assert rolled_up_until() == NOON + HOUR


def test_an_hour_is_over_when_what_ended_in_it_has_been_written(mine):
    ended(mine, "succeeded", NOON, took=1, late=1)

    roll_up(AFTERWARDS - timedelta(microseconds=1))
    assert (hours(), rolled_up_until()) == ({}, NOON)
    roll_up(AFTERWARDS)
    assert (hours(), rolled_up_until()) == ({NOON: 1}, NOON + HOUR)


def test_doing_it_again_changes_nothing(mine):
    ended(mine, "succeeded", NOON, took=1, late=1, count=4)
    roll_up(AFTERWARDS)
    before = list(HourlyRollup.objects.values()), totals()

    done = roll_up(AFTERWARDS)

    assert (list(HourlyRollup.objects.values()), totals()) == before
    assert (done.hours, done.renewed, done.executions) == (0, 0, 0)


def test_what_is_written_late_is_made_up_for(mine):
    ended(mine, "succeeded", NOON, took=1, late=1)
    roll_up(AFTERWARDS)
    ended(mine, "succeeded", NOON + MINUTE, took=900, late=1)
    ended(mine, "failed", NOON - 3 * HOUR, took=5, late=1)

    done = roll_up(AFTERWARDS)

    assert done.renewed == 2
    assert hours() == {NOON - 3 * HOUR: 0, NOON: 2}
    assert totals()["mine"]["succeeded"] == 2
    assert totals()["mine"]["failed"] == 1
    assert HourlyRollup.objects.get(hour=NOON).duration_p95 == 900
    assert RolledHour.objects.get(hour=NOON).executions == 2


def test_what_is_deleted_by_hand_has_ended_all_the_same(mine):
    ended(mine, "succeeded", NOON, took=1, late=1, count=3)
    roll_up(AFTERWARDS)
    JobExecution.objects.filter(status="succeeded").delete()
    ended(mine, "failed", NOON, took=1, late=1, count=4)

    roll_up(AFTERWARDS)

    assert (totals()["mine"]["succeeded"], totals()["mine"]["failed"]) == (3, 4)


def test_after_an_outage_all_of_it_is_made_up_for(mine):
    for number in range(30):
        ended(mine, "succeeded", NOON + number * 7 * HOUR, took=1, late=1)

    done = roll_up(NOON + 30 * 7 * HOUR)

    assert done.executions == 30
    assert totals()["mine"]["succeeded"] == 30
    assert len(hours()) == 30


def test_a_long_history_is_rolled_up_in_steps(mine, monkeypatch):
    monkeypatch.setattr(rolling_module, "_STEP", 10)
    for number in range(12):
        ended(mine, "succeeded", NOON + number * 20 * MINUTE, took=1, late=1, count=3)
    # In an hour alone there are more than in a step.
    ended(mine, "failed", NOON + 2 * HOUR, took=1, late=1, count=25)
    steps = []

    roll_up(NOON + 4 * HOUR + SETTLING, progress=lambda done: steps.append(done.until))

    assert steps == [NOON + number * HOUR for number in (1, 2, 3, 4)]
    assert (totals()["mine"]["succeeded"], totals()["mine"]["failed"]) == (36, 25)


def test_the_present_hour_is_left_alone(mine):
    ended(mine, "succeeded", NOON, took=1, late=1)
    ended(mine, "succeeded", NOON + HOUR, took=1, late=1)

    roll_up(AFTERWARDS)

    assert hours() == {NOON: 1}
    assert counters()["mine"]["succeeded"] == 2


def test_it_takes_few_statements_whatever_the_number_of_jobs(mine, make_job):
    def statements(jobs, at):
        for number in range(jobs):
            ended(make_job("noop", name=f"job-{number}"), "succeeded", at, took=number, late=number)
        with CaptureQueriesContext(connection) as captured:
            roll_up(at + HOUR + SETTLING)
        return len(captured)

    roll_up(NOON - 24 * HOUR)
    few = statements(1, NOON)

    assert statements(60, NOON + HOUR) == few
    assert few < 30


def test_it_is_a_job_like_others(db):
    execution = run_inline("roll-up-history")

    assert execution.status == "succeeded"
    assert execution.result["until"] == rfc3339(rolled_up_until())
    assert execution.result["executions"] == 0


@pytest.mark.django_db(transaction=True)
def test_two_at_once_count_everything_once(mine):
    for number in range(40):
        ended(mine, "succeeded", NOON + number * HOUR, took=number, late=1, count=5)

    def work():
        try:
            roll_up(NOON + 41 * HOUR)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert totals()["mine"]["succeeded"] == 200
    assert (len(hours()), set(hours().values())) == (40, {5})
    assert rolled_up_until() == NOON + 41 * HOUR - HOUR


@pytest.mark.django_db(transaction=True)
def test_a_scrape_meanwhile_counts_everything_once(mine):
    for number in range(200):
        ended(mine, "succeeded", NOON + number * HOUR, took=number, late=1, count=2)
    expected, seen = counters(), []

    def work():
        try:
            roll_up(NOON + 201 * HOUR)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        seen.append(counters() == expected)
    thread.join()

    assert all(seen)
    assert JobTotals.objects.get().succeeded == 400
    assert counters() == expected


@pytest.mark.parametrize("times", [1, 4])
def test_what_is_written_while_others_are_counted_is_counted_before_the_mark_moves(mine, monkeypatch, times):
    ended(mine, "succeeded", NOON, took=1, late=1)
    count, left = rolling_module._count, [times]

    def count_while_others_write(span):
        found = count(span)
        if left[0]:
            left[0] -= 1
            ended(mine, "succeeded", NOON - left[0] * HOUR, took=1, late=1)
        return found

    monkeypatch.setattr(rolling_module, "_count", count_while_others_write)
    seen = []

    done = roll_up(AFTERWARDS, progress=lambda _: seen.append(counters()["mine"]["succeeded"]))

    assert seen == [times + 1]
    assert (done.until, done.renewed, done.executions) == (NOON + HOUR, 0, times + 1)
