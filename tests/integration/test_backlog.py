"""What waits for later, or is worked off in the background, does not stand in the way of the schedule."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs.database import read_clock
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import claim
from cronjobs.scheduler.backfills import Backfill
from cronjobs.scheduler.plans import sync
from cronjobs.scheduler.requests import run_once_at, skip_next
from cronjobs.scheduler.ticks import tick

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def hourly(make_job, database_now):
    """Make the one job there is, due each hour and planned."""
    Job.objects.all().delete()

    def make(definition="succeeds", **columns):
        job = make_job(definition, schedule="0 * * * *", **columns)
        sync(database_now)
        return job

    return make


@pytest.fixture
def next_hour(database_now):
    return database_now.replace(minute=0, second=0, microsecond=0) + HOUR


def fill(job, now, hours=5):
    end = now.replace(minute=0, second=0, microsecond=0) - DAY
    return Backfill(job, start=end - hours * HOUR, end=end).perform(by="ann")


def scheduled(job):
    return list(JobExecution.objects.filter(job=job, trigger="schedule").values_list("status", flat=True))


@pytest.mark.parametrize("overlap", ["forbid", "queue"])
def test_a_request_for_next_week_leaves_the_schedule_alone(hourly, next_hour, overlap):
    job = hourly(overlap=overlap)
    run_once_at(job, next_hour + 7 * DAY, by="ann")

    tick(next_hour)

    assert scheduled(job) == ["queued"]


@pytest.mark.parametrize("overlap", ["forbid", "queue", "replace", "allow"])
def test_a_backlog_leaves_the_schedule_alone_and_is_left_alone(hourly, database_now, next_hour, overlap):
    job = hourly(overlap=overlap, max_instances=3 if overlap == "allow" else None)
    fill(job, database_now)

    tick(next_hour)

    assert scheduled(job) == ["queued"]
    assert JobExecution.objects.filter(trigger="backfill", status="queued").count() == 6


def test_a_backlog_does_not_starve_its_own_job(hourly, database_now, next_hour):
    job = hourly("noop", overlap="allow")
    fill(job, database_now, hours=30)
    other = JobExecution.objects.request("noop")

    claimed = [each.pk for each, _ in claim(node="a", limit=8, now=read_clock("default")).executions]

    assert other.pk in claimed
    assert len(claimed) == 2


def test_an_occurrence_that_was_skipped_ahead_replaces_nothing(hourly, next_hour):
    job = hourly(overlap="replace")
    JobExecution.objects.request("succeeds")
    claim(node="a", limit=8, now=read_clock("default"))
    skip_next(job, by="ann")

    tick(next_hour)

    assert JobExecution.objects.asked_to_stop().count() == 0
