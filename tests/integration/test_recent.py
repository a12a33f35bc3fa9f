"""The last runs of many jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs.models import JobExecution
from cronjobs.models.recent import recent_executions

AT = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


@pytest.fixture
def ran(make_job):
    """Record an execution that started so many minutes after the first, and took so many milliseconds."""

    def ran(job, minute, ms, *, status="succeeded"):
        at = AT + timedelta(minutes=minute)
        started = None if status in {"missed", "skipped"} else at
        row = JobExecution.closed(job, status=status, scheduled_for=at, now=at, started_at=started, duration_ms=ms)
        row.save()

    return ran


def test_the_latest_starts_come_oldest_first(make_job, ran):
    job = make_job("noop")
    for minute, ms in ((3, 30), (1, 10), (2, 20), (4, 40)):
        ran(job, minute, ms)

    assert [each.duration_ms for each in recent_executions([job.pk], count=3)[job.pk].ended] == [20, 30, 40]


def test_what_has_not_ended_or_never_ran_is_left_out(make_job, ran):
    job, idle = make_job("noop"), make_job("fails")
    ran(job, 1, 10)
    ran(job, 2, 20, status="queued")
    ran(job, 3, None, status="running")
    ran(job, 4, None, status="skipped")
    ran(idle, 1, None, status="missed")

    found = recent_executions([job.pk, idle.pk], count=30)

    assert [each.duration_ms for each in found[job.pk].ended] == [10]
    assert idle.pk not in found


def test_what_was_called_off_speaks_neither_for_nor_against_the_job(make_job, ran):
    job = make_job("noop")
    for minute, status in enumerate(("succeeded", "failed", "timed_out", "lost", "cancelled", "succeeded")):
        ran(job, minute, 10, status=status)

    runs = recent_executions([job.pk], count=30)[job.pk]

    assert (len(runs.ended), runs.succeeded, runs.counted) == (6, 2, 5)


def test_many_jobs_take_few_statements(make_job, ran):
    job = make_job("noop")
    ran(job, 1, 10)
    nobody = range(job.pk + 1, job.pk + 450)

    with CaptureQueriesContext(connection) as captured:
        found = recent_executions([job.pk, *nobody], count=30)

    assert set(found) == {job.pk}
    assert len(captured) == 2


def test_no_jobs_take_no_statement(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert recent_executions([], count=30) == {}
