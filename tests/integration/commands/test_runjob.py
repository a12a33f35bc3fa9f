"""`runjob` performs a job here and now, and its exit code says how it ended."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

import pytest

from cronjobs.database import DatabaseNow
from cronjobs.models import Job, JobExecution, Node
from tests.commands import run_command, run_command_process

pytestmark = pytest.mark.django_db


def test_a_job_that_succeeds_is_code_0_and_its_result_is_printed():
    out, err, code = run_command("runjob", "succeeds", "--param", "value=2")

    execution = JobExecution.objects.get()
    assert (code, err) == (0, "")
    assert out.startswith(f"succeeds #{execution.pk} succeeded in ")
    assert out.endswith('.\n{\n  "value": 2\n}\n')
    assert (execution.trigger, execution.status, execution.params) == ("manual", "succeeded", {"value": 2})
    assert execution.requested_by


def test_a_job_that_fails_is_code_1_and_its_error_one_line():
    out, err, code = run_command("runjob", "fails")

    assert code == 1
    assert out.startswith("fails #")
    assert err == f"CommandError: fails #{JobExecution.objects.get().pk} failed: boom\n"


def test_the_traceback_of_the_job_is_there_for_those_who_ask():
    err = run_command("runjob", "fails", "--verbosity", "2").err

    assert 'raise RuntimeError("boom")' in err


def test_a_job_that_skips_itself_is_code_0():
    out, _, code = run_command("runjob", "skips")

    assert code == 0
    assert out.endswith(": nothing to do\n")
    assert " skipped in " in out


@pytest.mark.parametrize("name", ["fails-twice", "asks-again"])
def test_nothing_is_left_to_be_retried(name):
    assert run_command("runjob", name).code == 1

    execution = JobExecution.objects.get()
    assert (execution.status, execution.attempt, execution.max_attempts) == ("failed", 1, 1)


def test_the_log_of_the_job_is_shown():
    err = run_command("runjob", "logs").err

    said = [line.split(maxsplit=1)[1] for line in err.splitlines()]
    assert said == [
        'INFO    Beginning {"step": 1, "password": "***"}',
        "WARNING Odd",
        "ERROR   Bad: ValueError: worse",
        "WARNING somebody.else: From elsewhere",
        "INFO    Finished",
    ]
    assert JobExecution.objects.get().log_lines.count() == 5


def test_the_log_can_be_kept_off_the_terminal():
    assert run_command("runjob", "logs", "--verbosity", "0").err == ""

    assert JobExecution.objects.get().log_lines.count() == 5


def test_a_line_is_not_shown_twice_where_the_project_logs_to_the_terminal():
    handler, logger = logging.StreamHandler(sys.stderr), logging.getLogger("cronjobs")
    logger.addHandler(handler)
    try:
        err = run_command("runjob", "logs").err

        assert err.count("Beginning") == 1
        assert handler in logger.handlers
    finally:
        logger.removeHandler(handler)


def test_the_execution_as_json():
    out, _, code = run_command("runjob", "fails", "--json")

    execution = json.loads(out)
    assert code == 1
    assert execution.pop("durationMs") >= 0
    assert execution == {
        "executionId": JobExecution.objects.get().pk,
        "jobName": "fails",
        "status": "failed",
        "success": False,
        "result": None,
        "error": "boom",
        "errorType": "RuntimeError",
        "reason": None,
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("2", 2, id="number"),
        pytest.param('"2"', "2", id="quoted"),
        pytest.param("two words", "two words", id="text"),
        pytest.param('["a", {"b": null}]', ["a", {"b": None}], id="json"),
        pytest.param("a=b", "a=b", id="equals"),
        pytest.param("", "", id="empty"),
        pytest.param("NaN", "NaN", id="not-a-number"),
        pytest.param("9" * 5_000, "9" * 5_000, id="huge-number"),
        pytest.param("[" * 100_000, "[" * 100_000, id="deep"),
    ],
)
def test_a_value_is_json_or_else_text(text, value):
    assert run_command("runjob", "succeeds", "--param", f"value={text}", "--queue").code == 0

    assert JobExecution.objects.get().params == {"value": value}


@pytest.mark.parametrize("text", ["value", "=2", "2=2", "a-b=2"])
def test_what_is_no_parameter_is_code_2(text):
    out, err, code = run_command("runjob", "succeeds", f"--param={text}")

    assert (code, out) == (2, "")
    assert f"argument --param: {text!r} is not of the form NAME=VALUE, such as days=2." in err
    assert not JobExecution.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(("suceeds",), "There is no job named 'suceeds'. Did you mean 'succeeds'?", id="typo"),
        pytest.param(("zzz",), "There is no job named 'zzz'. cronstatus lists them.", id="unknown"),
        pytest.param(
            ("succeeds", "--param", "vale=1"),
            "Invalid parameters for 'succeeds': vale: There is no such parameter.",
            id="parameter",
        ),
        pytest.param(
            ("succeeds", "--param", "value=1", "--param", "value=2"), "Parameter 'value' is given twice.", id="twice"
        ),
    ],
)
@pytest.mark.parametrize("queue", [(), ("--queue",), ("--at", "2050-01-01T08:00:00Z")], ids=["here", "queue", "at"])
def test_a_mistake_is_code_2_and_one_sentence(arguments, sentence, queue):
    out, err, code = run_command("runjob", *arguments, *queue)

    assert (out, err, code) == ("", f"CommandError: {sentence}\n", 2)
    assert not JobExecution.objects.exists()


def test_a_broken_job_cannot_run_and_leaves_no_row(make_job):
    make_job("noop", time_zone="Mars/Base")

    _, err, code = run_command("runjob", "noop")

    assert code == 1
    assert err.startswith("CommandError: Job noop cannot run: time_zone: 'Mars/Base' is not the name of a time zone")
    assert not JobExecution.objects.exists()


def test_a_request_for_a_node_is_only_recorded():
    out, err, code = run_command("runjob", "fails-twice", "--queue")

    execution = JobExecution.objects.get()
    assert code == 0
    assert out == f"fails-twice #{execution.pk} is queued; a node performs it.\n"
    assert err == "No node is alive: it waits until runcron is started.\n"
    assert (execution.status, execution.attempt, execution.max_attempts) == ("queued", 0, 3)


def test_a_time_to_come_is_recorded_for_a_node():
    out, err, code = run_command("runjob", "succeeds", "--param", "value=2", "--at", "2050-01-01T10:00:00+02:00")

    execution = JobExecution.objects.get()
    assert code == 0
    assert out == f"succeeds #{execution.pk} is queued for 2050-01-01 08:00:00 UTC; a node performs it then.\n"
    assert err == "No node is alive: it waits until runcron is started.\n"
    assert (execution.status, execution.params) == ("queued", {"value": 2})
    assert execution.run_after == datetime(2050, 1, 1, 8, tzinfo=UTC)
    assert execution.requested_by


def test_a_time_to_come_as_json():
    out = run_command("runjob", "succeeds", "--at", "2050-01-01T08:00:00Z", "--json").out

    assert json.loads(out).items() >= {"status": "queued", "runAfter": "2050-01-01T08:00:00.000Z"}.items()


@pytest.mark.parametrize(
    ("time", "sentence"),
    [
        pytest.param("2020-01-01T00:00:00Z", "2020-01-01 00:00:00 UTC is not in the future.", id="past"),
        pytest.param("2050-01-01T00:00:00", "must be a time with its zone", id="naive"),
        pytest.param("tomorrow", "must be a time with its zone", id="words"),
    ],
)
def test_a_time_that_cannot_be_meant_is_code_2(time, sentence):
    out, err, code = run_command("runjob", "succeeds", "--at", time)

    assert (code, out) == (2, "")
    assert sentence in err
    assert not JobExecution.objects.exists()


def test_with_a_node_there_is_nothing_to_add():
    now = DatabaseNow()
    Node.objects.create(name="node-1", pid=1, workers=8, started_at=now, heartbeat_at=now)

    assert run_command("runjob", "noop", "--queue").err == ""


def test_a_job_that_the_code_defines_but_migrate_has_not_made_is_no_unknown_one():
    Job.objects.filter(name="succeeds").delete()

    sentence = "The code defines it: run manage.py migrate (or start a node), and it is made."
    assert run_command("runjob", "succeeds") == ("", f"CommandError: There is no job named 'succeeds'. {sentence}\n", 2)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_log_of_a_job_in_a_process_is_shown_as_well(make_job):
    make_job("isolated")

    _, err, code = run_command_process("runjob", "isolated")

    assert code == 0
    assert err.count("Beginning") == err.count("From elsewhere") == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_it_works_as_a_program(make_job):
    make_job("logs")

    out, err, code = run_command_process("runjob", "logs", "--json")

    assert (code, json.loads(out)["status"]) == (0, "succeeded")
    assert err.count("Beginning") == err.count("From elsewhere") == 1
