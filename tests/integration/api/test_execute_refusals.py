"""What `POST execute` refuses: what cannot be meant, names that no job has, and jobs that are broken."""

from __future__ import annotations

import pytest
from django import forms

from cronjobs.database import read_clock
from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.plans import reconcile
from tests.integration.api.callers import assert_error, document

pytestmark = pytest.mark.django_db


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


def test_execute_cannot_be_got(operator):
    answer = operator.get("/cron/execute/noop")

    assert_error(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "POST"
