"""`POST execute` where no node is alive: the job is performed in the request, and its end is the answer."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from cronjobs import JobFailed, Retry, RetryPolicy, Skip
from cronjobs.models import Job
from tests.integration.api.callers import TIME, document
from tests.integration.api.rows import the_execution

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/cron/execute/noop", "/cron/execute/noop/"])
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(b"", "application/json", id="empty"),
        pytest.param(b"", "application/x-www-form-urlencoded", id="empty-form"),
        pytest.param(b" \n", "", id="blank"),
        pytest.param(b"{}", "text/plain", id="empty-object"),
        pytest.param(b'{"params": {}, "wait": true}', "application/json", id="defaults"),
    ],
)
def test_a_job_is_run_and_its_result_returned(operator, path, body, content_type):
    answer = operator.post(path, body, content_type=content_type)

    assert answer.status_code == 200
    assert document(answer)["success"] is True
    assert the_execution().status == "succeeded"


def test_the_shape_of_a_success(operator):
    found = document(operator.post("/cron/execute/succeeds", {"params": {"value": [1, "ü"]}}))

    execution = the_execution()
    assert TIME.fullmatch(found.pop("timestamp"))
    assert TIME.fullmatch(found["result"].pop("timestamp"))
    for name in ("scheduledFor", "queuedAt", "startedAt", "finishedAt"):
        assert TIME.fullmatch(found.pop(name)), name
    assert found == {
        "success": True,
        "jobName": "succeeds",
        "waitsFor": None,
        "dispatchedAt": None,
        "executionId": execution.pk,
        "status": "succeeded",
        "attempt": 1,
        "maxAttempts": 3,
        "durationMs": execution.duration_ms,
        "node": execution.node,
        "trigger": "api",
        "requestedBy": "olive",
        "cancelRequestedAt": None,
        "cancelRequestedBy": None,
        "cancelReason": None,
        "flow": None,
        "upstream": None,
        "retryOf": None,
        "progress": None,
        "peakRssBytes": None,
        "cpuMs": None,
        "overrunning": False,
        "result": {"success": True, "value": [1, "ü"]},
        "url": f"/cron/executions/{execution.pk}",
    }


def test_the_row_says_who_asked_and_how(operator):
    operator.post("/cron/execute/succeeds", {"params": {"value": 2}})

    execution = the_execution()
    assert (execution.trigger, execution.requested_by, execution.params) == ("api", "olive", {"value": 2})


@pytest.mark.parametrize("result", [None, 7, "text", [1, 2], False])
def test_a_result_that_is_no_object_is_a_value(operator, define, result):
    name = define(lambda context: result)

    found = document(operator.post(f"/cron/execute/{name}"))["result"]

    assert (found["success"], found["value"]) == (True, result)


def test_a_job_may_give_success_and_timestamp_itself(operator, define):
    name = define(lambda context: {"success": False, "timestamp": "then", "modifiedCount": 3})

    found = document(operator.post(f"/cron/execute/{name}"))

    assert found["success"] is True
    assert found["result"] == {"success": False, "timestamp": "then", "modifiedCount": 3}


def test_a_failed_job_is_answered_not_an_error_of_the_request(operator):
    answer = operator.post("/cron/execute/fails")

    found = document(answer)
    assert answer.status_code == 200
    assert (found["success"], found["code"], found["error"]) == (False, "job_failed", "RuntimeError: boom")
    assert TIME.fullmatch(found["result"].pop("timestamp"))
    assert found["result"] == {"success": False, "error": "RuntimeError: boom"}
    assert "Traceback" not in answer.content.decode()


def test_a_failed_job_may_leave_a_result(operator, define):
    def fail(context):
        raise JobFailed("MongoDB is away", result={"success": True, "mongodb": "away"})

    found = document(operator.post(f"/cron/execute/{define(fail)}"))

    assert found["code"] == "job_failed"
    assert (found["result"]["success"], found["result"]["mongodb"]) == (False, "away")


def test_an_error_is_one_line_without_credentials(operator, define):
    def fail(context):
        raise ConnectionError("mongodb://root:hunter2@db:27017/chat is away\nSELECT secret FROM somewhere" + "x" * 900)

    answer = operator.post(f"/cron/execute/{define(fail)}")

    assert document(answer)["error"] == "ConnectionError: mongodb://***@db:27017/chat is away"
    assert "hunter2" not in answer.content.decode()
    assert "SELECT" not in answer.content.decode()


def test_a_long_error_is_cut(operator, define):
    def fail(context):
        raise ValueError("x" * 2000)

    assert len(document(operator.post(f"/cron/execute/{define(fail)}"))["error"]) == 501


def test_a_skipped_job_says_why(operator, define):
    def skip(context):
        raise Skip("nothing to do")

    found = document(operator.post(f"/cron/execute/{define(skip)}"))

    assert (found["success"], found["code"], found["error"]) == (False, "job_skipped", "nothing to do")
    assert found["status"] == "skipped"


def test_results_that_json_cannot_say_are_text(operator, define):
    name = define(lambda context: {"ratio": math.nan, "max": math.inf, "min": -math.inf, "n": 1})

    found = document(operator.post(f"/cron/execute/{name}"))

    assert found["status"] == "succeeded"
    assert {key: found["result"][key] for key in ("ratio", "max", "min", "n")} == {
        "ratio": "NaN",
        "max": "Infinity",
        "min": "-Infinity",
        "n": 1,
    }


def test_unspeakable_characters_in_errors_and_results_are_replaced(operator, define):
    def fail(context):
        raise JobFailed("a\x00b ü \ud83d", result={"text": "a\x00b ü \ud83d"})

    found = document(operator.post(f"/cron/execute/{define(fail)}"))

    assert found["error"] == "cronjobs.exceptions.JobFailed: a\ufffdb ü \ufffd"
    assert found["result"]["text"] == "a\ufffdb ü \ufffd"


def test_a_disabled_job_runs_when_asked(operator):
    Job.objects.filter(name="noop").update(enabled=False)

    assert document(operator.post("/cron/execute/noop"))["status"] == "succeeded"


def test_attempts_that_fit_into_the_time_are_all_made(operator):
    found = document(operator.post("/cron/execute/fails-twice"))

    assert (found["success"], found["attempt"], found["result"]["value"]) == (True, 3, "third time lucky")


def test_a_retry_is_waited_for(operator, define):
    def fail_once(context):
        if context.attempt == 1:
            raise Retry("not yet", after=timedelta(seconds=0.2))
        return "now"

    found = document(operator.post(f"/cron/execute/{define(fail_once, retry=RetryPolicy(max_attempts=2))}"))

    assert (found["attempt"], found["result"]["value"]) == (2, "now")
