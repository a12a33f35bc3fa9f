"""What `POST execute` does not perform in the request is accepted, says why, and can be asked for."""

from __future__ import annotations

import pytest

from cronjobs.database import read_clock
from cronjobs.models import JobExecution, Queue
from cronjobs.models.moves import claim_one
from tests.integration.api.callers import assert_error, document
from tests.integration.api.rows import the_execution

pytestmark = pytest.mark.django_db


def accepted(answer):
    found = document(answer)
    assert (answer.status_code, found["success"], found["status"], found["result"]) == (202, True, "queued", None)
    assert found["note"]
    assert answer["Location"] == found["url"]
    return found


def test_a_retry_that_does_not_fit_into_the_time_is_left_to_a_node(operator):
    found = accepted(operator.post("/cron/execute/asks-again"))

    assert found["attempt"] == 1
    assert "No node is alive" in found["note"]


def test_without_waiting_the_row_is_written_and_nothing_is_run(operator):
    found = accepted(operator.post("/cron/execute/noop", {"wait": False}))

    assert found["attempt"] == 0
    assert the_execution().pk == found["executionId"]


@pytest.mark.parametrize(
    ("setting", "note"),
    [
        pytest.param({"EXECUTE_INLINE": "never"}, "No node is alive", id="never-inline"),
        pytest.param({"PAUSED": True}, "paused", id="paused"),
        pytest.param({"EXECUTE_MAX_WAITING": 0}, "Too many", id="no-seat"),
    ],
)
def test_what_may_not_be_performed_in_the_request_is_accepted(operator, settings, setting, note):
    settings.CRONJOBS = setting

    found = accepted(operator.post("/cron/execute/noop"))

    assert note in found["note"]


@pytest.mark.parametrize("name", ["heavy", "*"])
def test_what_a_pause_holds_back_is_accepted_at_once(operator, make_job, name):
    make_job("noop", queue="heavy")
    Queue.objects.update_or_create(name=name, defaults={"paused": True})

    found = accepted(operator.post("/cron/execute/noop"))

    assert ("Its queue is paused" if name == "heavy" else "All jobs are paused") in found["note"]
    assert found["attempt"] == 0


@pytest.mark.parametrize(
    ("columns", "note"),
    [
        ({"queue": "heavy"}, "It has to wait: Queue heavy runs as much as it may at once."),
        ({"rate_limit": "1/h"}, "It has to wait: noop has started as often as its rate limit, 1/h, allows."),
        ({"overlap": "forbid"}, "It has to wait: noop runs as often as it may at once."),
    ],
    ids=["queue", "rate", "overlap"],
)
def test_what_a_limit_holds_back_is_accepted_with_the_reason(operator, make_job, settings, columns, note):
    settings.CRONJOBS = {"EXECUTE_TIMEOUT": 0.3}
    make_job("noop", **columns)
    Queue.objects.update_or_create(name="heavy", defaults={"limit": 1})
    running = JobExecution.objects.request("noop")
    claim_one(running, node="elsewhere", now=read_clock("default"))

    assert accepted(operator.post("/cron/execute/noop"))["note"] == note


def test_an_accepted_execution_can_be_asked_for(operator):
    url = accepted(operator.post("/cron/execute/noop", {"wait": False}))["url"]

    for path in (url, f"{url}/"):
        found = document(operator.get(path))
        assert (found["success"], found["status"], found["jobName"]) == (True, "queued", "noop")


def test_a_failed_execution_can_be_asked_for(operator):
    url = document(operator.post("/cron/execute/fails"))["url"]

    assert document(operator.get(url))["code"] == "job_failed"


@pytest.mark.parametrize("number", ["0", "999999", "9" * 18])
def test_an_execution_that_does_not_exist_is_not_found(operator, number):
    assert_error(operator.get(f"/cron/executions/{number}"), 404, "execution_not_found")
