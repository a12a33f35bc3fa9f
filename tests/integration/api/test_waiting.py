"""`POST execute` beside others: real nodes, requests that wait at once, databases that go away."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from cronjobs import RetryPolicy
from cronjobs.database import DatabaseNow
from cronjobs.models import JobExecution, Node
from tests.integration.api.callers import assert_error, document
from tests.servers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

SOON = RetryPolicy(max_attempts=2, initial_delay=timedelta(seconds=0.1), jitter=0)


@pytest.fixture
def aside():
    """Send requests from threads, which let go of their connections at the end."""
    with ThreadPoolExecutor(4) as pool:

        def send(caller, path):
            def work():
                try:
                    return caller.post(path)
                finally:
                    connection.close()

            return pool.submit(work)

        yield send


@pytest.fixture
def absent_node():
    """A node that seems to be alive, and does nothing."""
    now = DatabaseNow()
    return Node.objects.create(name="absent", pid=1, version="1", workers=1, started_at=now, heartbeat_at=now)


def test_a_node_performs_what_the_request_waits_for(operator, node):
    found = document(operator.post("/cron/execute/succeeds", {"params": {"value": 3}}))

    assert found["result"]["value"] == 3
    assert JobExecution.objects.get(pk=found["executionId"]).node == node.name


def test_a_node_s_retries_are_waited_for(operator, node):
    found = document(operator.post("/cron/execute/fails-twice"))

    assert (found["success"], found["attempt"], found["result"]["value"]) == (True, 3, "third time lucky")


def test_a_node_s_failure_is_answered_after_its_last_attempt(operator, node, define):
    def fail(context):
        raise RuntimeError(f"attempt {context.attempt}")

    found = document(operator.post(f"/cron/execute/{define(fail, retry=SOON)}"))

    assert (found["code"], found["error"]) == ("job_failed", "RuntimeError: attempt 2")


def test_many_requests_are_each_performed_once(operator, node, aside, define, settings):
    settings.CRONJOBS = {"EXECUTE_MAX_WAITING": 10}
    calls = []
    path = f"/cron/execute/{define(lambda context: calls.append(context.execution_id), overlap='allow')}"

    answers = [document(each.result()) for each in [aside(operator, path) for _ in range(8)]]

    assert {each["status"] for each in answers} == {"succeeded"}
    assert sorted(calls) == sorted(each["executionId"] for each in answers)


def test_the_row_is_seen_by_nodes_where_requests_are_transactions(operator, node, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)  # noqa: FBT003 - its value

    assert document(operator.post("/cron/execute/noop"))["status"] == "succeeded"


def test_what_takes_too_long_is_accepted(operator, absent_node, settings):
    settings.CRONJOBS = {"EXECUTE_TIMEOUT": 0.2}

    answer = operator.post("/cron/execute/noop")

    assert answer.status_code == 202
    assert "not ended yet" in document(answer)["note"]


def test_a_request_takes_over_from_a_node_that_stops(operator, absent_node, aside):
    waiting = aside(operator, "/cron/execute/noop")
    wait_for(JobExecution.objects.exists)

    Node.objects.update(stopped_at=DatabaseNow())

    assert document(waiting.result())["status"] == "succeeded"


def test_an_execution_that_vanishes_meanwhile_is_not_found(operator, absent_node, aside):
    waiting = aside(operator, "/cron/execute/noop")
    wait_for(JobExecution.objects.exists)

    JobExecution.objects.all().delete()

    assert_error(waiting.result(), 404, "execution_not_found")


def test_only_so_many_requests_wait(operator, define, aside, settings):
    settings.CRONJOBS = {"EXECUTE_MAX_WAITING": 1}
    started, release = threading.Event(), threading.Event()

    def block(context):
        started.set()
        release.wait(10)

    first = aside(operator, f"/cron/execute/{define(block)}")
    started.wait(10)
    second = operator.post("/cron/execute/noop")
    release.set()

    assert second.status_code == 202
    assert "Too many" in document(second)["note"]
    assert document(first.result())["status"] == "succeeded"
    assert operator.post("/cron/execute/noop").status_code == 200


def test_requests_that_perform_the_same_job_take_turns(operator, define, aside):
    inside, most = [], []

    def note(context):
        inside.append(context.execution_id)
        most.append(len(inside))
        threading.Event().wait(0.1)
        inside.remove(context.execution_id)

    path = f"/cron/execute/{define(note)}"

    answers = [document(each.result()) for each in [aside(operator, path) for _ in range(3)]]

    assert [each["status"] for each in answers] == ["succeeded"] * 3
    assert most == [1, 1, 1]
