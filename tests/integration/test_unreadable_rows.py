"""Values that SQL lets in and Python cannot hold: they stop nobody but their own row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django_apscheduler.models import DjangoJob

from cronjobs.database import read_clock
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import claim
from cronjobs.scheduler.looks import look
from cronjobs.scheduler.plans import mend, reconcile, sync
from cronjobs.scheduler.ticks import tick
from tests.integration.conftest import NOON, rows_of

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
HUGE = '{"a": ' + "9" * 5_000 + "}"

# What each database lets in: column, value.
JOB_COLUMNS = {
    "postgresql": [("ends_at", "infinity"), ("paused_until", "-infinity"), ("jitter", "100000000 years")],
    "mysql": [("params", HUGE)],
    "sqlite": [("params", HUGE), ("jitter", "5s"), ("priority", "high"), ("paused_until", "2026-13-45 00:00:00")],
}[connection.vendor]


def write(table, column, value, pk):
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [value, pk])  # noqa: S608 - names of our own


@pytest.fixture(autouse=True)
def _nothing_else_scheduled(db):
    Job.objects.all().delete()


@pytest.mark.parametrize("when", ["planned before", "planned after"])
@pytest.mark.parametrize(("column", "value"), JOB_COLUMNS, ids=lambda value: value[:15])
def test_a_job_that_cannot_be_read_stops_nobody_and_recovers(make_job, column, value, when):
    healthy = make_job("noop", name="healthy", schedule="* * * * *")
    bad = make_job("noop", name="bad", schedule="* * * * *")
    if when == "planned before":
        sync(NOON)
    original = Job.objects.filter(pk=bad.pk).values_list(column, flat=True).get()
    write("cronjobs_job", column, value, bad.pk)

    sync(NOON)
    reconcile(NOON)
    tick(NOON + MINUTE)
    look()

    assert rows_of(healthy) == [("schedule", "queued", NOON + MINUTE)]
    assert Job.objects.filter(pk=bad.pk).exclude(broken_reason="").exists()

    Job.objects.filter(pk=bad.pk).update(**{column: original})
    sync(NOON + MINUTE)
    mend(NOON + MINUTE)
    tick(NOON + 2 * MINUTE)
    assert rows_of(bad)[-1][2] == NOON + 2 * MINUTE
    assert Job.objects.get(pk=bad.pk).broken_reason == ""


def test_an_execution_that_cannot_be_read_is_skipped_and_the_others_run(make_job):
    make_job("noop")
    bad, good = JobExecution.objects.request("noop"), JobExecution.objects.request("noop")
    column, value = ("scheduled_for", "infinity") if connection.vendor == "postgresql" else ("params", HUGE)
    write("cronjobs_jobexecution", column, value, bad.pk)

    claimed = claim(node="a", limit=10, now=read_clock("default")).executions

    assert [execution.pk for execution, _ in claimed] == [good.pk]
    row = JobExecution.objects.filter(pk=bad.pk).values_list("status", "reason").get()
    assert row[0] == "skipped"
    assert row[1].startswith("Its row cannot be read")


def test_what_waits_for_an_unreadable_job_waits(make_job):
    job = make_job("noop")
    JobExecution.objects.request("noop")
    column, value = JOB_COLUMNS[0]
    write("cronjobs_job", column, value, job.pk)

    assert claim(node="a", limit=10, now=read_clock("default")).executions == []
    assert JobExecution.objects.get().status == "queued"


def test_clock_rows_with_impossible_numbers_or_times_are_left_alone(make_job):
    job = make_job("noop", schedule="* * * * *")
    DjangoJob.objects.create(id=f"cronjobs:{'9' * 40}", next_run_time=NOON, job_state=b"")
    sync(NOON)
    if connection.vendor == "postgresql":
        DjangoJob.objects.create(id="cronjobs:77", next_run_time=None, job_state=b"")
        write("django_apscheduler_djangojob", "next_run_time", "-infinity", "cronjobs:77")

    while tick(NOON + MINUTE):
        pass

    assert look().now
    assert rows_of(job) == [("schedule", "queued", NOON + MINUTE)]


# What a claim counts with, as far as a database lets it in.
_COUNTED: dict[str, list[tuple[str, Any]]] = {
    "postgresql": [("attempt", 32_767)],
    "mysql": [("attempt", 65_535)],
    "sqlite": [("attempt", 32_767), ("attempt", "abc"), ("priority", "p"), ("max_attempts", "x")],
}


@pytest.mark.parametrize(("column", "value"), _COUNTED[connection.vendor])
def test_an_execution_that_no_claim_can_start_is_skipped_and_the_others_run(column, value):
    Job.objects.create(name="noop", definition="noop", overlap="allow")
    bad, good = JobExecution.objects.request("noop"), JobExecution.objects.request("noop")
    write("cronjobs_jobexecution", column, value, bad.pk)

    found = claim(node="test", limit=10, now=read_clock("default"))

    assert [each.pk for each, _ in found.executions] == [good.pk]
    assert JobExecution.objects.filter(pk=bad.pk).values_list("status", flat=True).get() == "skipped"
