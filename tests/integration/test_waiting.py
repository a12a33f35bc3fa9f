"""Why an execution that waits has not started."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cronjobs.database import read_clock
from cronjobs.models import Job, JobExecution, Node, Queue
from cronjobs.models.moves import claim, claim_one
from cronjobs.models.queue import EVERYTHING
from cronjobs.models.waiting import NO_NODE, NO_WORKER, why_waiting

pytestmark = pytest.mark.django_db


@pytest.fixture
def node(db):
    now = timezone.now()
    return Node.objects.create(name="a", hostname="a", pid=1, version="1", workers=1, started_at=now, heartbeat_at=now)


def why(execution):
    execution.refresh_from_db()
    return why_waiting(execution, now=read_clock("default"))


def test_nothing_is_in_the_way_but_that_all_workers_are_busy(node, make_job):
    make_job("noop")

    assert why(JobExecution.objects.request("noop")) == NO_WORKER


def test_no_node_is_alive(make_job):
    make_job("noop")

    assert why(JobExecution.objects.request("noop")) == NO_NODE


def test_what_does_not_wait_has_no_reason(node, make_job):
    make_job("noop")
    execution = JobExecution.objects.request("noop")
    claim_one(execution, node="a", now=read_clock("default"))

    assert why(execution) == ""


def test_its_time_has_not_come(node, make_job):
    make_job("noop")
    at = read_clock("default").replace(microsecond=0) + timedelta(hours=1)
    execution = JobExecution.objects.request("noop", run_after=at)

    assert why(execution) == f"It is not due before {at:%Y-%m-%dT%H:%M:%S}.000Z."
    JobExecution.objects.filter(pk=execution.pk).update(attempt=1)
    assert why(execution).startswith("Its next attempt is not due before ")


def test_somebody_has_paused_it(node, make_job):
    make_job("noop")
    execution = JobExecution.objects.request("noop")

    Queue.objects.update_or_create(name="default", defaults={"paused": True})
    assert why(execution) == "Queue default is paused."
    Queue.objects.update_or_create(name=EVERYTHING, defaults={"paused": True})
    assert why(execution).startswith("Everything is paused")


def test_only_another_node_can_perform_it(node, make_job):
    make_job("noop")
    execution = JobExecution.objects.request("noop")
    Job.objects.filter(name="noop").update(definition="of-tomorrow")

    assert why(execution) == "Only a node that knows the definition of-tomorrow can perform it."


def test_a_limit_is_reached(node, make_job):
    make_job("naps", overlap="forbid")
    make_job("noop", rate_limit="1/h")
    make_job("succeeds", queue="narrow", overlap="allow")
    Queue.objects.create(name="narrow", limit=1)
    first = [JobExecution.objects.request(name, params=params) for name, params in NAMES]
    assert len(claim(node="a", limit=9, now=read_clock("default")).executions) == len(first)

    waiting = [JobExecution.objects.request(name, params=params) for name, params in NAMES]

    assert [why(each) for each in waiting] == [
        "naps runs as often as it may at once.",
        "noop has started as often as its rate limit, 1/h, allows.",
        "Queue narrow runs as much as it may at once.",
    ]


NAMES = [("naps", {"seconds": 1}), ("noop", {}), ("succeeds", {})]


def test_looking_locks_nothing(node, make_job):
    make_job("naps", overlap="forbid")
    execution = JobExecution.objects.request("naps", params={"seconds": 1})

    with CaptureQueriesContext(connection) as queries:
        assert why(execution) == NO_WORKER

    assert not [each["sql"] for each in queries.captured_queries if "FOR UPDATE" in each["sql"]]
    assert len(queries) <= 10
