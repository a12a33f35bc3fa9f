"""`cronlog` shows what became of an execution: outcome, log, error and traceback."""

from __future__ import annotations

import json
import logging

import pytest
from django.db import OperationalError, connection

from cronjobs.database import read_clock
from cronjobs.executors.inline import perform_inline, run_inline
from cronjobs.management.commands import cronlog
from cronjobs.models import ExecutionLog, JobExecution
from cronjobs.models.moves import cancel
from tests.commands import address_of_nobody, run_command, run_command_process
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db


def add_lines(execution, attempt, *messages, start=1):
    rows = [
        ExecutionLog(
            execution=execution,
            attempt=attempt,
            number=number,
            level=logging.INFO,
            message=message,
            logged_at=NOON,
        )
        for number, message in enumerate(messages, start)
    ]
    ExecutionLog.objects.bulk_create(rows)


def change(execution, **columns):
    JobExecution.objects.filter(pk=execution.pk).update(**columns)


@pytest.fixture
def running(make_job):
    """An execution that runs, in its first attempt."""
    make_job("noop")
    execution = JobExecution.objects.request("noop")
    change(execution, status="running", attempt=1, max_attempts=2, node="a", started_at=read_clock("default"))
    add_lines(execution, 1, "one")
    return execution


@pytest.fixture
def twice_failed(make_job):
    """An execution that succeeded at the third attempt."""
    make_job("fails-twice")
    execution = JobExecution.objects.request("fails-twice")
    for _ in range(3):
        change(execution, run_after=read_clock("default"))
        execution.refresh_from_db()
        perform_inline(execution)
    execution.refresh_from_db()
    return execution


def test_what_failed_ends_with_its_traceback(make_job):
    make_job("fails")
    execution = run_inline("fails")

    out, err, code = run_command("cronlog", f"#{execution.pk}")

    assert (err, code) == ("", 0)
    first, *_ = out.splitlines()
    assert first.startswith(f"fails #{execution.pk}: failed ")
    assert "attempt 1 of 1, took " in first
    assert "\nError: RuntimeError: boom\nTraceback (most recent call last):\n" in out
    assert out.endswith("\nRuntimeError: boom\n")


def test_the_log_has_time_level_message_and_data(make_job):
    make_job("logs")
    execution = run_inline("logs")

    _, *lines = run_command("cronlog", str(execution.pk)).out.splitlines()

    assert lines[0].endswith('Z INFO    Beginning {"step": 1, "password": "***"}')
    assert any(" WARNING From elsewhere" in each for each in lines)
    assert not any(each.startswith("Error:") for each in lines)


def test_attempts_are_told_apart(twice_failed):
    add_lines(twice_failed, 1, "first said", start=100)
    add_lines(twice_failed, 2, "second said", start=100)

    out = run_command("cronlog", str(twice_failed.pk)).out

    assert out.index("first said") < out.index("Attempt 2:\n") < out.index("second said")
    assert "Attempt 1: failed after " in out
    assert ": RuntimeError: attempt 2\n" in out
    assert "Traceback" not in out


def test_one_attempt(twice_failed):
    add_lines(twice_failed, 1, "first said", start=100)
    add_lines(twice_failed, 2, "second said", start=100)

    out, err, code = run_command("cronlog", str(twice_failed.pk), "--attempt", "1")

    assert (err, code) == ("", 0)
    assert "first said" in out
    assert "second said" not in out
    assert out.endswith("RuntimeError: attempt 1\n")
    assert "Traceback (most recent call last):" in out
    assert "attempt 2" not in out


def test_everything_as_json(twice_failed):
    add_lines(twice_failed, 2, "said", start=100)

    found = json.loads(run_command("cronlog", str(twice_failed.pk), "--json").out)
    second = json.loads(run_command("cronlog", str(twice_failed.pk), "--json", "--attempt", "2").out)

    assert (found["executionId"], found["status"], found["attempt"]) == (twice_failed.pk, "succeeded", 3)
    assert [(each["attempt"], each["error"]) for each in found["attempts"]] == [(1, "attempt 1"), (2, "attempt 2")]
    assert [each["attempt"] for each in second["attempts"]] == [2]
    assert (second["lines"][-1]["message"], second["lines"][-1]["level"]) == ("said", "INFO")
    assert {each["attempt"] for each in second["lines"]} == {2}


def test_what_waits_says_why(make_job):
    make_job("noop")
    execution = JobExecution.objects.request("noop")

    out = run_command("cronlog", str(execution.pk)).out

    first, second = out.splitlines()
    assert first == f"noop #{execution.pk}: queued."
    assert second.startswith("It waits: ")
    assert "node" in second
    told = json.loads(run_command("cronlog", str(execution.pk), "--json").out)
    assert (told["waitsFor"], f"It waits: {told['waitsBecause']}") == ("node", second)


def test_who_has_called_it_off_is_said(make_job):
    make_job("noop")
    execution = JobExecution.objects.request("noop")
    cancel(JobExecution.objects.filter(pk=execution.pk), reason="Wrong month.", by="olive")

    out = run_command("cronlog", str(execution.pk)).out

    assert "cancelled now" in out
    assert "by olive: Wrong month.\n" in out


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 due time"), (2, "2 due times"), (10_001, "More than 10,000 due times")]
)
def test_what_was_missed_says_which_times(make_job, count, said):
    make_job("noop")
    execution = JobExecution.objects.request("noop")
    change(execution, status="missed", missed_from=NOON, missed_until=NOON, missed_count=count)

    out = run_command("cronlog", str(execution.pk)).out

    assert f"Missed: {said}, from 2026-01-15T12:00:00.000Z to 2026-01-15T12:00:00.000Z.\n" in out


def test_a_terminal_obeys_nothing_that_a_job_has_logged(running):
    add_lines(running, 1, "\x1b[2J\x9b31mred\rover\ttab", start=2)

    out = run_command("cronlog", str(running.pk)).out

    assert "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}31mred\N{REPLACEMENT CHARACTER}over\ttab" in out
    assert "\x1b[2J" not in out


@pytest.fixture
def meanwhile(monkeypatch):
    """Let things happen, one after another, whenever the command pauses; after the last it would pause for ever."""

    def happen(*events):
        coming = iter(events)
        monkeypatch.setattr(cronlog, "sleep", lambda _: next(coming)())

    return happen


def test_following_shows_every_line_once_and_the_end(running, meanwhile):
    meanwhile(
        lambda: add_lines(running, 1, "two", start=2),
        lambda: None,
        lambda: (change(running, status="queued"), add_lines(running, 1, "three", start=3)),
        lambda: (change(running, status="running", attempt=2), add_lines(running, 2, "four")),
        lambda: (
            add_lines(running, 2, "five", start=2),
            change(running, status="failed", error_type="ValueError", error_message="odd", finished_at=NOON),
        ),
    )

    out, err, code = run_command("cronlog", str(running.pk), "--follow")

    assert (err, code) == ("", 0)
    said = [line.rpartition(" ")[2] for line in out.splitlines() if line.startswith("2026-01-15T12:00:00.000Z INFO")]
    assert said == ["one", "two", "three", "four", "five"]
    assert out.startswith(f"noop #{running.pk}: running for ")
    assert f"\nnoop #{running.pk}: failed " in out
    assert out.endswith("\nError: ValueError: odd\n")


def test_following_one_attempt_ends_with_it(running, meanwhile):
    meanwhile(lambda: (add_lines(running, 1, "two", start=2), change(running, status="queued")))

    out, _, code = run_command("cronlog", str(running.pk), "--follow", "--attempt", "1")

    assert code == 0
    assert " two\n" in out


def test_following_what_has_ended_waits_for_nothing(running, meanwhile):
    change(running, status="succeeded", finished_at=NOON)
    meanwhile()

    out, err, code = run_command("cronlog", str(running.pk), "--follow")

    assert (err, code) == ("", 0)
    assert out.count(f"noop #{running.pk}: succeeded") == 1


def test_interrupting_stops_only_the_looking(running, meanwhile):
    def interrupt():
        raise KeyboardInterrupt

    meanwhile(interrupt)

    _, err, code = run_command("cronlog", str(running.pk), "--follow")

    assert (err, code) == ("CommandError: Interrupted. The execution goes on.\n", 130)
    running.refresh_from_db()
    assert (running.status, running.cancel_requested_at) == ("running", None)


def test_what_is_purged_while_it_is_followed_is_said(running, meanwhile):
    meanwhile(lambda: JobExecution.objects.filter(pk=running.pk).delete())
    pk = running.pk

    _, err, code = run_command("cronlog", str(pk), "--follow")

    assert (err, code) == (f"CommandError: There is no execution {pk}.\n", 2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["999"], "There is no execution 999.", id="unknown"),
        pytest.param(
            ["X"], "'X' is not the number of an execution, such as 4711, and no name of a job.", id="no-number"
        ),
        pytest.param(["x"], "There is no job named 'x'. cronstatus lists them.", id="no-job"),
        pytest.param([], "Which execution? Say its number", id="nothing"),
        pytest.param(["{pk}", "--attempt", "0"], "'0' is not the number of an attempt; the first is 1.", id="zeroth"),
        pytest.param(["{pk}", "--attempt", "2"], "noop #{pk} has had no attempt 2 up to now.", id="attempt"),
        pytest.param(["{pk}", "--follow", "--json"], "not allowed with", id="both"),
    ],
)
def test_wrong_arguments_are_explained(running, arguments, sentence):
    _, err, code = run_command("cronlog", *(each.format(pk=running.pk) for each in arguments))

    assert code == 2
    assert sentence.format(pk=running.pk) in err
    assert "Traceback" not in err


def test_a_database_that_is_away_is_one_sentence():
    out, err, code = run_command_process("cronlog", "1", DATABASE_URL=address_of_nobody("hunter2"))

    assert (out, code) == ("", 1)
    assert "Traceback" not in err
    assert "hunter2" not in err


def test_a_database_that_goes_while_an_execution_is_followed_is_one_sentence(running, meanwhile):
    def vanish():
        raise OperationalError("gone")

    meanwhile(vanish)

    _, err, code = run_command("cronlog", str(running.pk), "--follow")

    assert code == 1
    assert "Traceback" not in err
    assert connection.is_usable()


def test_the_name_of_a_job_stands_for_its_newest_execution(running, make_job):
    make_job("succeeds")
    newest = JobExecution.objects.request("noop")
    JobExecution.objects.request("succeeds")

    assert run_command("cronlog", "noop").out == run_command("cronlog", str(newest.pk)).out


def test_without_a_number_the_newest_is_named(running):
    outcome = run_command("cronlog")

    assert (outcome.code, outcome.out) == (2, "")
    assert f"(the newest is {running.pk}; cronstatus shows them)" in outcome.err


def test_what_has_never_run_has_nothing_to_show(make_job):
    make_job("succeeds")

    assert run_command("cronlog", "succeeds").err == "CommandError: Job succeeds has no execution yet.\n"
    assert "there is none yet" in run_command("cronlog").err
