"""Whatever a job does ends as a recorded outcome: performed here, through the same runner as everywhere."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from bson import ObjectId

from cronjobs import JobFailed, events
from cronjobs.exceptions import ClaimLost
from cronjobs.executors.inline import perform_inline, run_inline
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import cancel
from tests.integration.listening import listening

pytestmark = pytest.mark.django_db


def strict_json(value):
    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(json.dumps(value), parse_constant=refuse)


def test_a_success_is_recorded_with_its_result():
    execution = run_inline("succeeds", params={"value": 5}, requested_by="ann")

    assert (execution.status, execution.result, execution.attempt) == ("succeeded", {"value": 5}, 1)
    assert (execution.trigger, execution.requested_by) == ("manual", "ann")
    assert execution.finished_at >= execution.started_at
    assert execution.node.endswith(":inline")


def test_a_failure_is_recorded_with_its_traceback_and_attempt():
    execution = run_inline("fails")

    assert (execution.status, execution.error_type, execution.error_message) == ("failed", "RuntimeError", "boom")
    assert execution.traceback.startswith("Traceback")
    assert 'raise RuntimeError("boom")' in execution.traceback
    assert "runner.py" not in execution.traceback
    assert list(execution.attempts.values_list("attempt", "status", "error_message")) == [(1, "failed", "boom")]


def test_attempts_are_rows_that_wait_not_threads_that_sleep():
    execution = run_inline("fails-twice")
    assert (execution.status, execution.attempt) == ("queued", 1)
    assert execution.error_message == "attempt 1"

    perform_inline(execution)
    execution = perform_inline(execution)

    assert (execution.status, execution.attempt, execution.result) == ("succeeded", 3, "third time lucky")
    assert execution.error_message == ""
    assert list(execution.attempts.values_list("error_message", flat=True)) == ["attempt 1", "attempt 2"]


def test_a_job_may_ask_for_another_attempt_in_its_own_time():
    execution = run_inline("asks-again")

    assert execution.status == "queued"
    assert timedelta(minutes=59) < execution.run_after - execution.started_at <= timedelta(minutes=61)


def test_a_job_may_skip_itself():
    execution = run_inline("skips")

    assert (execution.status, execution.reason, execution.error_type) == ("skipped", "nothing to do", "")


def test_what_a_job_logs_is_its_executions(caplog):
    execution = run_inline("logs")

    lines = [(each.level, each.message, each.data) for each in execution.log_lines.all()]
    assert lines == [
        (20, "Beginning", {"step": 1, "password": "***"}),
        (30, "Odd", None),
        (40, "Bad: ValueError: worse", None),
        (30, "From elsewhere", {"logger": "somebody.else"}),
        (20, "Finished", None),
    ]


CYCLE: dict[str, object] = {}
CYCLE["self"] = CYCLE


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        pytest.param(
            {"ratio": math.nan, "max": math.inf, "min": -math.inf, "n": 1},
            {"ratio": "NaN", "max": "Infinity", "min": "-Infinity", "n": 1},
            id="not-finite",
        ),
        pytest.param(datetime(2026, 1, 15, tzinfo=UTC), "2026-01-15T00:00:00+00:00", id="datetime"),
        pytest.param(Decimal("0.10"), "0.10", id="decimal"),
        pytest.param(ObjectId("6b06e0cd5843ae04ba1f8ada"), "6b06e0cd5843ae04ba1f8ada", id="object-id"),
        pytest.param(b"abc", "(3 bytes)", id="bytes"),
        pytest.param({"b", "a"}, ["a", "b"], id="set"),
        pytest.param(CYCLE, {"self": "…"}, id="cycle"),
        pytest.param("a\x00b ü \ud83d 🎉", "a\ufffdb ü \ufffd 🎉", id="unstorable"),
        pytest.param({"password": "x"}, {"password": "***"}, id="secret"),
    ],
)
def test_a_result_that_is_not_json_is_stored_as_documented_text(define, value, stored):
    def returns(context):
        return value

    execution = run_inline(define(returns))

    assert execution.status == "succeeded"
    assert strict_json(execution.result) == stored


def test_a_huge_result_is_cut_and_says_so(define):
    def returns_much(context):
        return ["x" * 1_000] * 1_000

    execution = run_inline(define(returns_much))

    assert execution.status == "succeeded"
    assert execution.result["truncated"] is True
    assert len(execution.result["text"]) < 70_000


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def recurse():
    return recurse()


@pytest.mark.parametrize(
    ("error", "name", "message"),
    [
        pytest.param(SystemExit(3), "SystemExit", "3", id="exit"),
        pytest.param(KeyboardInterrupt(), "KeyboardInterrupt", "", id="interrupt"),
        pytest.param(Mute(), f"{__name__}.Mute", "<Mute, whose text cannot be made: RuntimeError>", id="mute"),
        pytest.param(ValueError("a\x00b ü \ud83d"), "ValueError", "a\ufffdb ü \ufffd", id="unstorable"),
    ],
)
def test_whatever_a_job_raises_is_a_recorded_failure(define, error, name, message):
    def raises(context):
        raise error

    execution = run_inline(define(raises))

    assert (execution.status, execution.error_type, execution.error_message) == ("failed", name, message)
    assert execution.traceback


def test_a_refusal_of_the_database_is_a_recorded_failure_inside_a_transaction_too(define):
    def creates_what_is_there(context):
        Job.objects.create(name="succeeds", definition="succeeds")

    execution = run_inline(define(creates_what_is_there))

    assert (execution.status, execution.error_type) == ("failed", "django.db.utils.IntegrityError")
    assert Job.objects.filter(name="succeeds").count() == 1


def test_endless_recursion_is_a_recorded_failure(define):
    def recurses(context):
        return recurse()

    execution = run_inline(define(recurses))

    assert (execution.status, execution.error_type) == ("failed", "RecursionError")
    assert len(execution.traceback) < 65_000


def test_a_job_may_fail_and_leave_a_result(define):
    def half_done(context):
        raise JobFailed("one of two is missing", result={"found": 1})

    execution = run_inline(define(half_done))

    assert (execution.status, execution.result) == ("failed", {"found": 1})
    assert execution.error_message == "one of two is missing"


def test_a_coroutine_is_awaited(define):
    async def asynchronous(context, *, n=2):
        count = await JobExecution.objects.acount()
        return {"n": n, "executions": count}

    execution = run_inline(define(asynchronous))

    assert (execution.status, execution.result) == ("succeeded", {"n": 2, "executions": 1})


async def work_asynchronously(context):
    context.log.progress("working")
    return await JobExecution.objects.acount()


class AsynchronousCall:
    async def __call__(self, context):
        return await work_asynchronously(context)


class Awaitable:
    def __init__(self, context):
        self._context = context

    def __await__(self):
        return work_asynchronously(self._context).__await__()


def return_a_coroutine(context):
    return work_asynchronously(context)


def return_an_awaitable(context):
    return Awaitable(context)


@pytest.mark.parametrize(
    "func",
    [
        pytest.param(AsynchronousCall(), id="object"),
        pytest.param(return_a_coroutine, id="coroutine"),
        pytest.param(return_an_awaitable, id="awaitable"),
        pytest.param(partial(work_asynchronously), id="partial"),
    ],
)
def test_whatever_is_to_be_awaited_is_awaited(define, func):
    execution = run_inline(define(func, name="asynchronous"))

    assert (execution.status, execution.result) == ("succeeded", 1)
    assert [line.message for line in execution.log_lines.all()] == ["working"]


def test_what_is_raised_while_awaiting_is_the_jobs_failure(define):
    async def breaks():
        raise RuntimeError("too late")

    execution = run_inline(define(lambda context: breaks(), name="breaks-late"))

    assert (execution.status, execution.error_type, execution.error_message) == ("failed", "RuntimeError", "too late")
    assert 'raise RuntimeError("too late")' in execution.traceback


def test_observers_are_told_and_a_broken_one_changes_nothing(define):
    heard = []

    def listen(*, execution, **kwargs):
        heard.append((execution.job_name, execution.status))
        raise RuntimeError("broken observer")

    events.execution_finished.connect(listen)
    try:
        execution = run_inline("succeeds")
    finally:
        events.execution_finished.disconnect(listen)

    assert execution.status == "succeeded"
    assert heard == [("succeeds", "succeeded")]


def test_an_execution_that_somebody_else_has_is_left_alone():
    execution = JobExecution.objects.request("succeeds")
    perform_inline(execution)

    with pytest.raises(ClaimLost):
        perform_inline(execution)


def test_a_broken_job_fails_with_its_reason_and_is_not_retried(make_job):
    execution = JobExecution.objects.request("succeeds")
    Job.objects.filter(name="succeeds").update(time_zone="Mars/Base")

    execution = perform_inline(execution)

    assert (execution.status, execution.attempt) == ("failed", 1)
    assert "Mars/Base" in execution.error_message


def test_the_history_of_a_job_that_was_deleted_ends_honestly():
    execution = JobExecution.objects.request("succeeds")
    Job.objects.filter(name="succeeds").delete()

    execution = perform_inline(execution)

    assert (execution.status, execution.error_message) == ("failed", "There is no job named 'succeeds'.")


def test_how_many_lines_were_not_kept_is_the_last_line(define, settings):
    settings.CRONJOBS = {"LOG_MAX_BYTES": 1_000}

    def chatters(context):
        for number in range(100):
            context.log.progress(f"line {number:03}")
        raise RuntimeError("exhausted")

    execution = run_inline(define(chatters))

    kept = execution.log_lines.filter(message__startswith="line").count()
    assert execution.log_lines.last().message == f"The log was full: {100 - kept} lines were not kept."


@pytest.mark.django_db(transaction=True)
def test_a_job_outside_of_a_node_is_asked_to_stop_as_well(define):
    def waits(context):
        cancel(JobExecution.objects.filter(pk=context.execution_id), reason="Enough.", by="ann")
        return context.stop_requested.wait(30)

    execution = run_inline(define(waits))

    assert (execution.status, execution.reason, execution.result) == ("cancelled", "Enough.", True)
    assert execution.cancel_requested_by == "ann"


@pytest.mark.django_db(transaction=True)
def test_a_job_outside_of_a_node_is_asked_to_stop_when_its_claim_is_lost(define, caplog):
    def waits(context):
        JobExecution.objects.filter(pk=context.execution_id).update(claim_token="somebody-elses")
        return context.stop_requested.wait(30)

    with listening("execution_finished") as heard:
        execution = run_inline(define(waits))

    assert (execution.status, execution.claim_token, heard) == ("running", "somebody-elses", [])
    assert f"{execution} ended here after its claim was lost; nothing was recorded." in caplog.text
