"""The next occurrence left out, another execution put in, and the next run that is shown then."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJob

from cronjobs.exceptions import InvalidParameters, InvalidRequest, InvalidSchedule, JobNotFound
from cronjobs.manager import cron_manager
from cronjobs.models import Calendar, Job, JobExecution
from cronjobs.models.execution import insert_once, occurrence_key
from cronjobs.scheduler import requests
from cronjobs.scheduler.agenda import next_run_times, skipped_ahead
from cronjobs.scheduler.plans import restore, sync
from cronjobs.scheduler.requests import MOST_SKIPPED, run_once_at, skip_next
from cronjobs.scheduler.ticks import tick
from tests.integration.conftest import rows_of

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _nothing_else_scheduled(db):
    Job.objects.all().delete()


@pytest.fixture
def first(database_now):
    """A whole minute that does not come while a test runs."""
    return database_now.replace(second=0, microsecond=0) + HOUR / 2


@pytest.fixture
def hourly(make_job, database_now, first):
    """Make a job that is due each hour from `first` on, and is planned."""

    def make(definition="noop", **columns):
        job = make_job(definition, **{"schedule": f"@every 1h from {first:%Y-%m-%dT%H:%M:%SZ}", **columns})
        sync(database_now)
        return job

    return make


@pytest.fixture
def today(first):
    """A calendar that excludes the day of `first`."""
    return Calendar.objects.create(name="today", dates=[f"{first:%Y-%m-%d}"])


def first_tomorrow(at):
    """Return the first of the hours counted from `at` that is on the next day."""
    day = at.date()
    while at.date() == day:
        at += HOUR
    return at


def test_the_next_occurrence_is_recorded_as_skipped_with_who_wanted_it(hourly, first):
    job = hourly()

    row = skip_next(job, by="ann")

    assert rows_of(job) == [("manual", "skipped", first)]
    assert (row.reason, row.requested_by) == ("Skipped ahead of time by ann.", "ann")
    assert row.dedupe_key == occurrence_key(first)
    assert (row.finished_at, row.first_started_at) == (row.queued_at, None)


def test_the_clock_passes_over_it_and_goes_on(hourly, first):
    job = hourly()
    skip_next(job, by="ann")

    tick(first + timedelta(seconds=1))
    tick(first + HOUR)

    assert rows_of(job) == [("manual", "skipped", first), ("schedule", "queued", first + HOUR)]
    assert JobExecution.objects.get(status="skipped").reason == "Skipped ahead of time by ann."


def test_skipping_again_skips_the_one_after(hourly, first):
    job = hourly()

    assert [skip_next(job, by="ann").scheduled_for for _ in range(3)] == [first + n * HOUR for n in range(3)]


def test_days_that_are_excluded_anyway_are_no_occurrences(hourly, first, today):
    job = hourly(calendar=today)

    assert skip_next(job, by="ann").scheduled_for == first_tomorrow(first)


def test_a_pause_that_ends_comes_first(hourly, first):
    job = hourly(paused=True, paused_until=first + 5 * HOUR)

    assert skip_next(job, by="ann").scheduled_for == first + 6 * HOUR


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        pytest.param({"schedule": ""}, "noop runs on demand", id="on-demand"),
        pytest.param({"enabled": False}, "noop is paused or disabled", id="disabled"),
        pytest.param({"paused": True}, "noop is paused or disabled", id="paused"),
        pytest.param({"schedule": "@at 2020-01-01T00:00:00Z"}, "No occurrence of noop comes", id="over"),
        pytest.param({"ends_at": datetime(2020, 1, 1, tzinfo=UTC)}, "No occurrence of noop comes", id="ended"),
    ],
)
def test_where_nothing_comes_there_is_nothing_to_skip(hourly, columns, sentence):
    job = hourly(**columns)

    with pytest.raises(InvalidRequest, match=sentence):
        skip_next(job, by="ann")

    assert rows_of(job) == []


def test_a_one_off_can_be_skipped_once(hourly, first):
    job = hourly(schedule=f"@at {first:%Y-%m-%dT%H:%M:%SZ}")
    skip_next(job, by="ann")

    with pytest.raises(InvalidRequest, match="No other occurrence of noop comes"):
        skip_next(job, by="ann")

    assert next_run_times() == {}


def test_whoever_skips_for_ever_is_told_to_pause(hourly, first, database_now):
    job = hourly()
    times = [first + number * HOUR for number in range(MOST_SKIPPED)]
    JobExecution.objects.bulk_create(
        requests._skipped_row(job, occurrence_key(at), at, database_now, "ann") for at in times
    )

    with pytest.raises(InvalidRequest, match="The next 100 occurrences of noop are skipped already"):
        skip_next(job, by="ann")


def test_a_broken_job_says_why(hourly):
    job = hourly(schedule="61 * * * *")

    with pytest.raises(InvalidSchedule, match="61"):
        skip_next(job, by="ann")


def test_a_job_that_was_deleted_meanwhile_is_not_found(hourly):
    job = hourly()
    Job.objects.all().delete()

    with pytest.raises(JobNotFound, match="noop"):
        skip_next(job, by="ann")


def test_an_occurrence_whose_time_came_meanwhile_is_left_to_its_node(hourly, first, monkeypatch):
    job = hourly()

    def insert_too_late(executions, rows):
        if not JobExecution.objects.exists():
            tick(first)
        insert_once(executions, rows)

    monkeypatch.setattr(requests, "insert_once", insert_too_late)
    skip_next(job, by="ann")

    assert rows_of(job) == [("schedule", "queued", first), ("manual", "skipped", first + HOUR)]


@pytest.mark.django_db(transaction=True)
def test_two_that_skip_at_the_same_time_skip_one_each(hourly, first):
    job = hourly()
    skipped, barrier = [], threading.Barrier(4)

    def work():
        try:
            barrier.wait()
            skipped.append(skip_next(Job.objects.get(pk=job.pk), by="ann").scheduled_for)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(skipped) == [first + number * HOUR for number in range(4)]


def test_a_clock_row_that_comes_back_loses_nothing_that_was_not_skipped(hourly, database_now):
    job = hourly()
    for _ in range(3):
        skip_next(job, by="ann")
    Job.objects.update(schedule="@every 30m")
    sync(database_now)
    DjangoJob.objects.all().delete()

    restore(database_now)

    assert DjangoJob.objects.get().next_run_time - database_now <= timedelta(minutes=30)


def test_the_next_run_that_is_shown_is_one_that_takes_place(hourly, first, today):
    plain, skipping, excluding = hourly(), hourly(name="skipping"), hourly(name="excluding", calendar=today)
    other_day = hourly(name="other-day", calendar=Calendar.objects.create(name="other day", dates=["2020-01-01"]))
    hourly(name="off", calendar=today, enabled=False)
    skip_next(skipping, by="ann"), skip_next(skipping, by="ann")
    skip_next(excluding, by="ann")

    assert next_run_times() == {
        plain.pk: first,
        other_day.pk: first,
        skipping.pk: first + 2 * HOUR,
        excluding.pk: first_tomorrow(first) + HOUR,
    }
    assert [*skipped_ahead(skipping)[skipping.pk]] == [first, first + HOUR]


def test_a_window_may_end_before_anything_takes_place(hourly, first):
    job = hourly(ends_at=first)
    assert next_run_times() == {job.pk: first}

    skip_next(job, by="ann")

    assert next_run_times() == {}


@pytest.mark.parametrize("change", [{"definition": "nobody"}, {"schedule": ""}], ids=["broken", "on-demand"])
def test_a_job_edited_since_it_was_planned_is_shown_as_it_was(hourly, first, change):
    job = hourly()
    skip_next(job, by="ann")

    Job.objects.update(**change)

    assert next_run_times() == {job.pk: first}


def test_the_number_of_queries_does_not_grow(hourly, today):
    counts = []
    for number in (0, 1, 10, 40):
        for n in range(number):
            skip_next(hourly(name=f"skipping-{n}"), by="ann")
            hourly(name=f"excluding-{n}", calendar=today)
        with CaptureQueriesContext(connection) as captured:
            assert len(next_run_times()) == 2 * number
        counts.append(len(captured))

    assert counts == [1, 4, 4, 4]


def test_the_manager_skips_by_name(hourly, first):
    hourly()

    assert cron_manager.skip_next("noop").reason == "Skipped ahead of time."
    assert cron_manager.skip_next("noop", by="a deployment").scheduled_for == first + HOUR
    with pytest.raises(JobNotFound):
        cron_manager.skip_next("no-such-job")


def test_once_more_at_a_time_is_an_execution_beside_the_schedule(hourly, database_now):
    job = hourly("succeeds")
    at = database_now + timedelta(minutes=7)

    row = run_once_at(job, at, by="ann", params={"value": 3})

    assert (row.trigger, row.status, row.run_after, row.requested_by) == ("manual", "queued", at, "ann")
    assert (row.params, row.dedupe_key) == ({"value": 3}, None)
    assert cron_manager.execute_job_at("succeeds", at, value=4).pk != row.pk


def test_a_time_that_cannot_be_meant_is_refused(hourly, database_now):
    job = hourly("succeeds")

    with pytest.raises(InvalidRequest, match="needs a zone"):
        run_once_at(job, datetime(2050, 1, 1), by="ann")  # noqa: DTZ001 - what is refused
    with pytest.raises(InvalidRequest, match="is not in the future"):
        run_once_at(job, database_now, by="ann")
    with pytest.raises(InvalidParameters):
        run_once_at(job, database_now + HOUR, by="ann", params={"vale": 1})

    assert rows_of(job) == []
