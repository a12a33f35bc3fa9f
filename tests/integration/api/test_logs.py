"""What an execution has logged, and its attempts, over HTTP."""

from __future__ import annotations

import logging
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs import RetryPolicy
from cronjobs.database import read_clock
from cronjobs.executors.inline import perform_inline, run_inline
from cronjobs.models import ExecutionLog, JobExecution
from tests.integration.api.callers import TIME, assert_error, document
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def log(make_job):
    """An execution that runs, to which lines are added by attempt and number."""
    make_job("noop")
    execution = JobExecution.objects.request("noop")
    JobExecution.objects.filter(pk=execution.pk).update(status="running")

    def add(attempt, *numbers, text="line"):
        rows = [
            ExecutionLog(
                execution=execution,
                attempt=attempt,
                number=number,
                level=logging.INFO,
                message=f"{text} {attempt}.{number}",
                logged_at=NOON,
            )
            for number in numbers
        ]
        ExecutionLog.objects.bulk_create(rows)
        return execution

    return add


def said(found):
    return [each["message"].removeprefix("line ") for each in found["lines"]]


def end(execution, status="succeeded"):
    JobExecution.objects.filter(pk=execution.pk).update(status=status)


@pytest.mark.parametrize("slash", ["", "/"])
def test_lines_have_levels_by_name(reader, make_job, slash):
    make_job("logs")
    execution = run_inline("logs")

    found = document(reader.get(f"/cron/executions/{execution.pk}/logs{slash}"))

    assert (found["executionId"], found["status"], found["isFinal"]) == (execution.pk, "succeeded", True)
    assert {"INFO", "WARNING", "ERROR"} == {each["level"] for each in found["lines"]}
    [first, *_] = found["lines"]
    assert (first["attempt"], first["number"]) == (1, 1)
    assert (first["message"], first["data"]) == ("Beginning", {"step": 1, "password": "***"})
    assert all(TIME.fullmatch(each["loggedAt"]) for each in found["lines"])
    assert [each["number"] for each in found["lines"]] == list(range(1, len(found["lines"]) + 1))


def test_following_an_execution_to_its_end_reads_every_line_once(reader, log):
    execution = log(1, *range(1, 6))
    found = document(reader.get(f"/cron/executions/{execution.pk}/logs?limit=3"))
    assert (said(found), found["isFinal"]) == (["1.1", "1.2", "1.3"], False)

    found = document(reader.get(found["next"]))
    assert (said(found), found["isFinal"]) == (["1.4", "1.5"], False)

    # Nothing yet: the address stays, and tells what comes.
    empty = document(reader.get(found["next"]))
    assert (said(empty), empty["isFinal"], empty["next"]) == ([], False, found["next"])
    log(1, 6)
    log(2, 1, 2)
    log(10, 1)
    found = document(reader.get(empty["next"]))
    assert (said(found), found["isFinal"]) == (["1.6", "2.1", "2.2"], False)

    end(execution)
    found = document(reader.get(found["next"]))
    assert (said(found), found["isFinal"]) == (["10.1"], True)


def test_what_has_ended_is_final_only_with_its_last_line(reader, log):
    execution = log(1, 1, 2)
    end(execution, "failed")

    first = document(reader.get(f"/cron/executions/{execution.pk}/logs?limit=1"))
    last = document(reader.get(first["next"]))

    assert [first["isFinal"], last["isFinal"]] == [False, True]


def test_an_execution_between_two_attempts_is_not_final(reader, log):
    execution = log(1, 1)
    end(execution, "queued")

    assert document(reader.get(f"/cron/executions/{execution.pk}/logs"))["isFinal"] is False


def test_plain_text(reader, log):
    execution = log(1, 1, text="<b>Ä</b>\n\tand more")
    ExecutionLog.objects.update(data={"grüße": 1}, level=logging.WARNING)
    end(execution)

    answer = reader.get(f"/cron/executions/{execution.pk}/logs?format=text")

    line = '2026-01-15T12:00:00.000Z WARNING <b>Ä</b>\n\tand more 1.1 {"grüße": 1}\n'
    assert answer.content.decode() == line
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert (answer["X-Content-Type-Options"], answer["Cache-Control"]) == ("nosniff", "no-store")
    assert answer["X-Is-Final"] == "true"
    following = re.fullmatch('<(.+)>; rel="next"', answer["Link"])[1]
    assert following == f"/cron/executions/{execution.pk}/logs?format=text&after=1.1"
    assert reader.get(following).content == b""


def test_mistakes_in_a_query_for_text_are_json(reader, log):
    execution = log(1, 1)

    assert_error(reader.get(f"/cron/executions/{execution.pk}/logs?format=text&limit=0"), 400, "invalid_parameters")


def test_a_long_log_is_read_in_steps_of_the_same_size(reader, log):
    execution = log(1, *range(1, 3_001))
    address = f"/cron/executions/{execution.pk}/logs"
    with CaptureQueriesContext(connection) as first:
        found = document(reader.get(f"{address}?after=1.5"))
    with CaptureQueriesContext(connection) as later:
        last = document(reader.get(f"{address}?after=1.1900&limit=1000"))

    assert len(first) == len(later)
    assert [len(found["lines"]), len(last["lines"])] == [1_000, 1_000]
    assert (said(last)[0], said(last)[-1]) == ("1.1901", "1.2900")
    lines = [each["sql"] for each in [*first, *later] if "cronjobs_executionlog" in each["sql"]]
    assert lines
    assert all("LIMIT" in sql for sql in lines)
    assert not any("COUNT(" in sql.upper() for sql in lines)


def test_attempts_that_failed(reader, make_job):
    make_job("fails-twice")
    execution = JobExecution.objects.request("fails-twice")
    for _ in range(3):
        JobExecution.objects.filter(pk=execution.pk).update(run_after=read_clock("default"))
        execution.refresh_from_db()
        if execution.status == "queued":
            perform_inline(execution)

    address = f"/cron/executions/{execution.pk}/attempts"
    found = document(reader.get(address))

    assert [each["attempt"] for each in found["attempts"]] == [1, 2]
    first = found["attempts"][0]
    assert (first["status"], first["errorType"], first["error"]) == ("failed", "RuntimeError", "attempt 1")
    assert first["traceback"].startswith("Traceback (most recent call last):")
    assert TIME.fullmatch(first["startedAt"])
    assert first.keys() == {
        *("attempt", "status", "node", "startedAt", "finishedAt", "durationMs"),
        *("errorType", "error", "traceback", "peakRssBytes", "cpuMs"),
    }
    assert found["next"] is None
    following = document(reader.get(f"{address}/?limit=1"))["next"]
    last = document(reader.get(following))
    assert ([each["attempt"] for each in last["attempts"]], last["next"]) == ([2], None)


def test_an_attempt_of_a_limited_job_says_what_it_used(reader, log):
    execution = log(1, 1)
    execution.attempts.create(attempt=1, status="lost", node="a", peak_rss_bytes=5, cpu_ms=7)

    [row] = document(reader.get(f"/cron/executions/{execution.pk}/attempts"))["attempts"]

    assert (row["status"], row["node"], row["peakRssBytes"], row["cpuMs"]) == ("lost", "a", 5, 7)
    assert (row["error"], row["traceback"], row["startedAt"]) == (None, None, None)


@pytest.mark.parametrize("kind", ["logs", "attempts"])
def test_what_is_not_there_is_not_found(reader, kind):
    assert_error(reader.get(f"/cron/executions/999999999999999999/{kind}"), 404, "execution_not_found")


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("logs?after=1", "after"),
        ("logs?after=1.", "after"),
        ("logs?after=1.-1", "after"),
        ("logs?after=99999.1", "after"),
        ("logs?after=1.99999999999", "after"),
        ("logs?after=x.y", "after"),
        ("logs?limit=1001", "limit"),
        ("logs?format=xml", "format"),
        ("logs?level=INFO", "level"),
        ("attempts?after=-1", "after"),
        ("attempts?after=32768", "after"),
        ("attempts?limit=101", "limit"),
        ("attempts?format=text", "format"),
    ],
)
def test_a_query_that_is_not_understood_names_the_parameter(reader, log, address, field):
    execution = log(1, 1)

    found = assert_error(reader.get(f"/cron/executions/{execution.pk}/{address}"), 400, "invalid_parameters")

    assert found["errors"].keys() == {field}


def test_reading_changes_nothing(reader, define):
    def fail(context):
        context.log.progress("Said.")
        raise RuntimeError("boom")

    run_inline(define(fail, retry=RetryPolicy(max_attempts=1)))
    pk = JobExecution.objects.get().pk

    for address in ("", f"/{pk}", f"/{pk}/logs", f"/{pk}/logs?format=text", f"/{pk}/attempts"):
        with CaptureQueriesContext(connection) as queries:
            assert reader.get(f"/cron/executions{address}").status_code == 200
        assert all(each["sql"].lstrip("( ").upper().startswith("SELECT") for each in queries), address
