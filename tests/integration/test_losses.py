"""What a silent or a stopping node leaves behind: recorded with what is known, in few statements."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs.database import read_clock
from cronjobs.models import ExecutionAttempt, Job, JobExecution
from cronjobs.models.moves import abandon, claim, rescue
from tests.integration.test_unreadable_rows import HUGE, write

pytestmark = pytest.mark.django_db
STATEMENTS = {"sqlite": 10}.get(connection.vendor, 9)


def hold(count, make_job, name="noop", **columns):
    """Return `count` running executions of a node."""
    make_job("noop", name=name, **columns)
    for _ in range(count):
        JobExecution.objects.request(name)
    claims = claim(node="web-1:4711", limit=count, now=read_clock("default"))
    return [execution for execution, _ in claims.executions]


def fall_silent():
    past = read_clock("default") - timedelta(seconds=1)
    JobExecution.objects.running().update(lease_expires_at=past)


def test_a_lost_attempt_says_where_it_ran_and_since_when(make_job):
    (execution,) = hold(1, make_job)
    fall_silent()

    rescue()

    attempt, execution = ExecutionAttempt.objects.get(), JobExecution.objects.get(pk=execution.pk)
    assert (attempt.status, attempt.attempt, attempt.node) == ("lost", 1, "web-1:4711")
    assert attempt.started_at == execution.started_at
    assert attempt.finished_at == execution.finished_at >= execution.queued_at
    assert attempt.error_message == execution.reason == "Its node, web-1:4711, fell silent."
    # Nobody saw how long it ran.
    assert attempt.duration_ms is execution.duration_ms is None


def test_an_attempt_that_its_own_node_gives_up_says_how_long_it_ran(make_job):
    (execution,) = hold(1, make_job)
    started = read_clock("default") - timedelta(seconds=90)
    JobExecution.objects.update(started_at=started)

    abandon([execution], reason="The node stopped.")

    attempt, execution = ExecutionAttempt.objects.get(), JobExecution.objects.get(pk=execution.pk)
    assert attempt.duration_ms == execution.duration_ms >= 90_000
    assert attempt.duration_ms == (execution.finished_at - started) // timedelta(milliseconds=1)
    assert (attempt.node, attempt.started_at, execution.status) == ("web-1:4711", started, "lost")


def test_the_duration_of_an_earlier_attempt_is_not_that_of_the_lost_one(make_job):
    hold(1, make_job)
    JobExecution.objects.update(duration_ms=5)
    fall_silent()

    rescue()

    assert JobExecution.objects.get().duration_ms is None


@pytest.mark.parametrize("count", [2, 100])
def test_a_whole_node_is_rescued_in_as_many_statements_as_two_executions(make_job, count):
    hold(count, make_job, rerun_lost=True)
    fall_silent()

    with CaptureQueriesContext(connection) as captured:
        rescued = rescue()

    assert {each.status for each in rescued} == {"queued"}
    assert (len(rescued), ExecutionAttempt.objects.filter(status="lost").count()) == (count, count)
    assert len(captured) <= STATEMENTS


def test_each_job_of_a_node_is_treated_by_its_own_rule(make_job):
    (again,) = hold(1, make_job, "again", rerun_lost=True)
    (over,) = hold(1, make_job, "over", rerun_lost=False)
    (gone,) = hold(1, make_job, "gone", rerun_lost=True)
    (broken,) = hold(1, make_job, "broken", rerun_lost=True)
    (unwanted,) = hold(1, make_job, "unwanted", rerun_lost=True)
    Job.objects.filter(name="gone").delete()
    Job.objects.filter(name="broken").update(time_zone="Mars/Base")
    JobExecution.objects.filter(pk=unwanted.pk).update(cancel_requested_at=read_clock("default"))
    fall_silent()

    found = {each.pk: each.status for each in rescue()}

    assert found == {again.pk: "queued", over.pk: "lost", gone.pk: "lost", broken.pk: "lost", unwanted.pk: "lost"}
    assert dict(JobExecution.objects.values_list("pk", "status")) == found
    assert list(JobExecution.objects.exclude(claim_token="")) == []


def test_what_cannot_be_read_is_rescued_like_the_rest(make_job):
    bad, good = hold(2, make_job)
    column, value = ("scheduled_for", "infinity") if connection.vendor == "postgresql" else ("params", HUGE)
    write("cronjobs_jobexecution", column, value, bad.pk)
    fall_silent()

    assert [each.pk for each in rescue()] == [bad.pk, good.pk]

    assert set(JobExecution.objects.values_list("status", flat=True)) == {"lost"}
