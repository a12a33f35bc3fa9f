"""What a job says and how it ends is the same, wherever it runs."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from cronjobs.models import Job, JobExecution
from tests.servers import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SECRET = "hunter2"


def lines_of(execution):
    return list(execution.log_lines.values_list("message", flat=True))


def test_a_success_has_its_result_its_times_and_the_name_of_who_performed_it(executor):
    execution = executor.perform("shared-says", value=[7, None, "ü"])

    assert (execution.status, execution.attempt, execution.attempts.count()) == ("succeeded", 1, 0)
    assert execution.result["value"] == [7, None, "ü"]
    assert (execution.result["attempt"], execution.result["execution"]) == (1, execution.pk)
    assert (execution.result["pid"] == os.getpid()) == (executor.kind == "inline")
    assert execution.queued_at <= execution.first_started_at == execution.started_at <= execution.finished_at
    assert execution.lateness >= timedelta(0)
    assert execution.duration_ms >= 0
    assert executor.workers.fullmatch(execution.node)
    assert (execution.dispatched_at is not None) == executor.is_celery
    assert (execution.lease_expires_at, execution.error_type, execution.reason) == (None, "", "")


def test_what_it_logs_and_prints_is_kept_in_order_once_and_masked(executor):
    execution = executor.perform("shared-says")

    lines = [(each.message, each.data) for each in execution.log_lines.all()]
    assert lines == [
        ("Beginning", {"step": 1, "password": "***"}),
        ("From elsewhere", {"logger": "somebody.else"}),
        ("Printed", {"stream": "stdout"}),
        ("Wrong", {"stream": "stderr"}),
        ("Finished", None),
    ]
    assert [each.number for each in execution.log_lines.all()] == [1, 2, 3, 4, 5]
    assert set(execution.log_lines.values_list("attempt", flat=True)) == {1}


def test_progress_and_lines_are_seen_while_it_runs(executor):
    execution = executor.request("advances", done=3, seconds=60)

    seen = wait_for(lambda: JobExecution.objects.filter(pk=execution.pk, progress__isnull=False).first())
    wait_for(lambda: lines_of(execution) == ["There"])
    assert seen.status == "running"
    assert (seen.progress["done"], seen.progress["total"]) == (3, 8)
    executor.cancel(execution)
    assert executor.until(execution).status == "cancelled"


def test_a_failure_has_its_traceback_and_its_attempt(executor):
    execution = executor.perform("fails")

    assert (execution.status, execution.error_type, execution.error_message) == ("failed", "RuntimeError", "boom")
    assert 'raise RuntimeError("boom")' in execution.traceback
    attempt = execution.attempts.get()
    assert (attempt.attempt, attempt.status, attempt.error_message) == (1, "failed", "boom")
    assert attempt.node == execution.node
    assert attempt.traceback == execution.traceback


def test_what_fails_is_tried_again_until_it_succeeds(executor):
    execution = executor.request("fails-twice")
    executor.until(execution)

    assert (execution.status, execution.attempt, execution.result) == ("succeeded", 3, "third time lucky")
    attempts = list(execution.attempts.values_list("attempt", "status", "error_message"))
    assert attempts == [(1, "failed", "attempt 1"), (2, "failed", "attempt 2")]
    assert execution.first_started_at < execution.started_at


def test_a_job_may_say_that_there_is_nothing_to_do(executor):
    execution = executor.perform("skips")

    assert (execution.status, execution.reason, execution.attempts.count()) == ("skipped", "nothing to do", 0)


def test_a_job_may_ask_for_another_attempt(executor):
    execution = executor.perform("shared-comes-back")

    assert (execution.status, execution.attempt, execution.result) == ("succeeded", 3, 3)


def test_a_coroutine_runs_on_a_loop(executor):
    execution = executor.perform("shared-coroutine")

    assert (execution.status, execution.result, lines_of(execution)) == ("succeeded", True, ["Awaited"])


def test_no_secret_is_stored_or_said_by_those_who_perform(executor):
    params = {"password": SECRET, "address": f"postgres://ann:{SECRET}@db:5432/shop"}
    execution = executor.perform("leaks", **params)

    assert (execution.status, execution.params) == ("failed", params)
    assert execution.error_message == "{'api_key': '***'} is refused by postgres://***@db:5432/shop"
    assert lines_of(execution) == ["Connecting with password=***", "Authorization: ***", "secret: ***"]
    assert SECRET not in execution.traceback + execution.attempts.get().traceback
    said = [line for log in executor.site.logs() for line in log.splitlines() if SECRET in line]
    # What the job itself has logged beside its own log goes where the site lets it go.
    assert [line for line in said if not line.endswith(f"Authorization: Bearer {SECRET}")] == []


def test_a_job_that_takes_too_long_is_ended(executor):
    executor.job("naps", timeout=timedelta(seconds=0.5), max_attempts=1)

    execution = executor.perform("naps", seconds=60)

    assert (execution.status, execution.error_type) == ("timed_out", "cronjobs.exceptions.TimedOut")
    assert execution.attempts.get().status == "timed_out"
    assert execution.duration_ms < 30_000
    assert executor.workers.fullmatch(execution.node)


def test_a_job_that_takes_too_much_memory_is_ended(executor):
    limit = 200 * 2**20
    executor.job("shared-grows", memory_limit=limit)

    execution = executor.perform("shared-grows")

    assert (execution.status, execution.error_type) == ("failed", "cronjobs.exceptions.MemoryLimitExceeded")
    assert execution.peak_rss_bytes > limit


def test_the_language_that_a_job_leaves_behind_is_not_the_next_ones(executor):
    executions = [executor.request("shared-speaks") for _ in range(12)]

    assert [executor.until(each).result for each in executions] == ["en-us"] * 12


def test_a_job_finds_usable_connections_whatever_the_last_one_did(executor):
    for name in ("opens-transaction", "closes-connections", "turns-autocommit-off") * 2:
        assert executor.perform(name).status == "succeeded"
        assert executor.perform("counts").result == Job.objects.count()
