"""The dashboard says what comes next, and what would be too much at once."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from cronjobs.models import Calendar, JobExecution, Queue
from tests.integration.admin.panels import read

pytestmark = pytest.mark.usefixtures("no_other_jobs")


def due_soon(now: datetime) -> datetime:
    """Return a full minute well within the next 24 hours, however long the test takes."""
    return (now + timedelta(hours=2)).replace(second=0, microsecond=0)


def at(when: datetime) -> str:
    return f"@at {when:%Y-%m-%dT%H:%M:%SZ}"


def test_jobs_on_the_same_minute_are_a_warning(superuser, make_job, now):
    when = due_soon(now)
    for number in range(4):
        make_job("noop", name=f"together-{number}", schedule=at(when + timedelta(seconds=number)))
    make_job("noop", name="often", schedule="* * * * *")

    upcoming = read(superuser, "upcoming")

    # The fifth is the one that starts every minute.
    assert "5 jobs start in the same minute." in upcoming
    assert "together-0 , together-1 , together-2 , together-3 Piles up" in upcoming
    assert "Every minute (UTC): often" in upcoming


def test_frequent_jobs_are_counted_one_by_one_though_alike(superuser, make_job, now):
    when = due_soon(now)
    for number in range(2):
        make_job("noop", name=f"together-{number}", schedule=at(when))
    for number in range(3):
        make_job("noop", name=f"often-{number}", schedule="* * * * *")
    make_job("noop", name="often-no-more", schedule="* * * * *", ends_at=when - timedelta(minutes=1))

    assert "5 jobs start in the same minute." in read(superuser, "upcoming")


def test_as_many_as_there_are_workers_are_none(superuser, make_job, make_node, now):
    make_node(workers=8)
    for number in range(8):
        make_job("noop", name=f"together-{number}", schedule=at(due_soon(now)))

    assert "same minute" not in read(superuser, "upcoming")


def test_jitter_takes_a_pile_apart(superuser, make_job, now):
    for number in range(5):
        make_job("noop", name=f"spread-{number}", schedule=at(due_soon(now)), jitter=timedelta(hours=5))

    assert "same minute" not in read(superuser, "upcoming")


def test_what_does_not_run_is_not_upcoming(superuser, make_job, now):
    when = due_soon(now)
    make_job("noop", name="disabled", schedule=at(when), enabled=False)
    make_job("noop", name="paused", schedule=at(when), paused=True)
    make_job("noop", name="paused-longer", schedule=at(when), paused=True, paused_until=when + timedelta(hours=1))
    make_job("noop", name="not-yet", schedule=at(when), starts_at=when + timedelta(hours=1))
    make_job("noop", name="no-more", schedule=at(when), ends_at=when - timedelta(hours=1))
    day = Calendar.objects.create(name="all", dates=[f"{when:%Y-%m-%d}"])
    make_job("noop", name="excluded", schedule=at(when), calendar=day)
    skipped = make_job("noop", name="skipped", schedule=at(when))
    JobExecution.objects.bulk_create(
        [JobExecution.closed(skipped, status="skipped", scheduled_for=when, now=now, dedupe_key="x")]
    )
    make_job("no-such-definition", name="broken", schedule=at(when))
    make_job("noop", name="it-runs", schedule=at(when))
    make_job("noop", name="again", schedule=at(when), paused=True, paused_until=when - timedelta(hours=1))

    upcoming = read(superuser, "upcoming")

    assert re.search(r"in 1 h 5\d min again , it-runs|in 2 h 00 min again , it-runs", upcoming)
    for name in ("disabled", "paused", "not-yet", "no-more", "excluded", "skipped", "broken"):
        assert name not in upcoming


def test_a_paused_queue_is_mentioned_where_something_is_due_in_it(superuser, make_job, now):
    for name in ("mail", "other"):
        Queue.objects.create(name=name, paused=True)
    make_job("noop", schedule=at(due_soon(now)), queue="mail")

    assert "waits until the queue is resumed: mail." in read(superuser, "upcoming")
