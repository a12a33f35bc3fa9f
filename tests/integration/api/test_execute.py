"""`POST execute` where no node is alive: the job is performed in the request."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from django import forms

from cronjobs import JobFailed, Retry, RetryPolicy, Skip
from cronjobs.database import read_clock
from cronjobs.models import Job, JobExecution, Queue
from cronjobs.models.moves import claim_one
from cronjobs.scheduler.plans import reconcile
from tests.integration.api.callers import TIME, assert_error, document

pytestmark = pytest.mark.django_db


def the_execution():
    return JobExecution.objects.get()


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


def test_unspeakable_characters_in_a_request_are_echoed_as_text(operator):
    found = assert_error(operator.post("/cron/execute/noop", b'{"a\\u0000\\ud83d": 1}'), 400, "invalid_body")

    assert list(found["errors"]) == ["a\ufffd\ufffd"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(b"nonsense", "application/json", id="not-json"),
        pytest.param(b'{"params": {}', "application/json", id="cut"),
        pytest.param(b'{"params": {"value": NaN}}', "application/json", id="nan"),
        pytest.param(b'{"params": {"value": -Infinity}}', "application/json", id="infinity"),
        pytest.param(b"[]", "application/json", id="array"),
        pytest.param(b"null", "application/json", id="null"),
        pytest.param(b'"text"', "application/json", id="text"),
        pytest.param(b"7", "application/json", id="number"),
        pytest.param(b"\xff\xfe\x00", "application/json", id="not-utf-8"),
        pytest.param(b"[" * 100_000, "application/json", id="too-deep"),
        pytest.param(b"1" * 10_000, "application/json", id="huge-number"),
        pytest.param(b"value=1", "application/x-www-form-urlencoded", id="form"),
        pytest.param(b"value=1&wait=true", "text/plain; charset=utf-7", id="text-type"),
        pytest.param(b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x", id="multipart"),
        pytest.param(b'{"parameters": {}}', "application/json", id="unknown-key"),
        pytest.param(b'{"params": []}', "application/json", id="params-array"),
        pytest.param(b'{"params": null}', "application/json", id="params-null"),
        pytest.param(b'{"wait": "yes"}', "application/json", id="wait-text"),
        pytest.param(b'{"wait": 1}', "application/json", id="wait-number"),
    ],
)
def test_a_body_that_is_not_understood_runs_nothing(operator, body, content_type):
    answer = operator.post("/cron/execute/noop", body, content_type=content_type)

    assert_error(answer, 400, "invalid_body")
    assert not JobExecution.objects.exists()


def test_every_key_that_is_wrong_is_named(operator):
    found = assert_error(operator.post("/cron/execute/noop", {"parms": {}, "wait": 1}), 400, "invalid_body")

    assert found["errors"] == {
        "parms": ["There is no such key; known are params and wait."],
        "wait": ["Must be true or false."],
    }


def test_a_body_that_is_too_large_runs_nothing(operator, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

    answer = operator.post("/cron/execute/succeeds", {"params": {"value": "x" * 100}})

    assert_error(answer, 413, "body_too_large")
    assert not JobExecution.objects.exists()


def test_parameters_that_do_not_fit_are_named(operator):
    found = assert_error(operator.post("/cron/execute/noop", {"params": {"days": 1}}), 400, "invalid_parameters")

    assert found["errors"] == {"days": ["There is no such parameter."]}
    assert not JobExecution.objects.exists()


def test_a_form_says_what_is_wrong_with_parameters(operator, define):
    class Days(forms.Form):
        days = forms.IntegerField(min_value=1)

    name = define(lambda context, *, days: days, params_form=Days)

    refused = assert_error(operator.post(f"/cron/execute/{name}", {"params": {"days": 0}}), 400, "invalid_parameters")
    accepted = document(operator.post(f"/cron/execute/{name}", {"params": {"days": 2}}))

    assert list(refused["errors"]) == ["days"]
    assert accepted["result"]["value"] == 2
    assert JobExecution.objects.count() == 1


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("no-such-job", id="unknown"),
        pytest.param("a.b", id="dot"),
        pytest.param("..", id="parent"),
        pytest.param("reports%2Fdaily", id="slash"),
        pytest.param("a%252Fb", id="twice-quoted"),
        pytest.param("x%20y", id="space"),
        pytest.param("noop%0A", id="newline"),
        pytest.param("a%00b", id="nul"),
        pytest.param("%FF", id="not-utf-8"),
        pytest.param("n%C3%A4chtlich%20%E6%97%A5%E5%A0%B1", id="not-latin"),
        pytest.param("%3Cb%3E", id="markup"),
        pytest.param("%3Fq", id="question-mark"),
        pytest.param("n" * 255, id="long"),
        pytest.param("NOOP", id="upper-case"),
        pytest.param("", id="empty"),
    ],
)
def test_what_is_no_job_is_not_found(operator, name):
    answer = operator.post(f"/cron/execute/{name}")

    assert_error(answer, 404, "job_not_found")
    assert not JobExecution.objects.exists()


def test_execute_needs_a_name(operator):
    assert_error(operator.post("/cron/execute"), 404, "job_not_found")


@pytest.mark.parametrize("columns", [{"schedule": "61 * * * *"}, {"definition": "gone"}])
def test_a_broken_job_is_a_conflict(operator, columns):
    Job.objects.filter(name="noop").update(**columns)

    found = assert_error(operator.post("/cron/execute/noop"), 409, "job_broken")

    assert found["error"].startswith("Job 'noop' is broken: ")
    assert not JobExecution.objects.exists()


def test_what_a_node_found_out_is_a_conflict_until_somebody_edits_the_job(operator):
    reconcile(read_clock("default"))
    Job.objects.filter(name="noop").update(broken_reason="The database refuses it.")
    assert_error(operator.post("/cron/execute/noop"), 409, "job_broken")

    Job.objects.filter(name="noop").update(schedule="0 4 * * *")

    assert document(operator.post("/cron/execute/noop"))["status"] == "succeeded"


def test_a_disabled_job_runs_when_asked(operator):
    Job.objects.filter(name="noop").update(enabled=False)

    assert document(operator.post("/cron/execute/noop"))["status"] == "succeeded"


def test_execute_cannot_be_got(operator):
    answer = operator.get("/cron/execute/noop")

    assert_error(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "POST"


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
