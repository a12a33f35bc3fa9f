"""Attempts in processes of their own: the same as in a thread where they should be."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from cronjobs import events
from cronjobs.executors.inline import run_inline
from cronjobs.models import Job
from tests.integration.processes.attempts import limit, lines_of
from tests.servers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_job_finds_in_its_process_what_it_would_find_in_a_thread(perform):
    execution = perform("isolated", value={"a": [1]})

    result = execution.result
    assert execution.status == "succeeded"
    assert result["pid"] != os.getpid()
    assert result["session"] == result["pid"]
    assert result["value"] == {"a": [1]}
    assert result["jobs"] == Job.objects.count()
    due = execution.scheduled_for.isoformat()
    assert result["context"] == [execution.pk, "isolated", "manual", due, 1, 3, {"value": {"a": [1]}}]
    rows = execution.log_lines.values_list("number", "message", "data")
    assert list(rows) == [
        (1, "Beginning", {"password": "***"}),
        (2, "From elsewhere", {"logger": "somebody.else"}),
    ]


def test_what_an_attempt_used_is_recorded(perform):
    execution = perform("limited", grow=50, wait=0.3)

    assert execution.status == "succeeded"
    assert execution.peak_rss_bytes > 50 * 2**20
    assert 0 < execution.cpu_ms < 10_000


def test_a_coroutine_runs_in_a_process(perform):
    execution = perform("isolated-coroutine")

    assert (execution.status, execution.result) == ("succeeded", Job.objects.count())


def test_observers_hear_of_an_attempt_once_and_here(perform):
    heard = []

    def hear(execution, **_):
        heard.append((os.getpid(), execution.pk))

    events.execution_started.connect(hear)
    try:
        execution = perform("isolated")
    finally:
        events.execution_started.disconnect(hear)

    assert heard == [(os.getpid(), execution.pk)]


def test_thousands_of_lines_arrive_complete_and_in_order(perform):
    execution = perform("isolated-chatter", lines=3_000)

    numbers = execution.log_lines.order_by("number").values_list("data", flat=True)
    assert [each["number"] for each in numbers] == list(range(3_000))


def test_log_and_result_are_bounded_as_in_a_thread(perform):
    execution = perform("isolated-chatter", lines=200, size=15_000)

    *_, full, last = lines_of(execution)
    assert full == "The log is full (1000000 bytes); later lines are not kept."
    assert last.startswith("The log was full: ")
    assert execution.log_lines.count() < 100
    assert perform("isolated-chatter", lines=0, size=100_000).result["truncated"] is True


def test_inline_honours_limits_in_a_process(settings):
    limit(timeout=timedelta(seconds=0.5))

    execution = run_inline("limited")

    assert execution.status == "timed_out"
    assert run_inline("isolated").result["pid"] != os.getpid()


@pytest.mark.django_db
def test_inline_stays_here_within_a_transaction_that_nobody_else_sees():
    assert run_inline("isolated").result["pid"] == os.getpid()


def test_prints_and_progress_come_from_the_process(perform):
    execution = perform("isolated-talkative")

    assert lines_of(execution) == ["Printed", "Wrong: password=***"]
    assert (execution.progress["done"], execution.progress["total"]) == (2, 2)
    assert execution.progress["message"] == "all of it"


def test_progress_can_be_seen_while_the_process_runs(running):
    attempt = running("isolated-talkative", seconds=60)

    progress = wait_for(attempt.claim.progress.newest)

    assert (progress["done"], progress["total"], progress["message"]) == (1, 2, "half of it")
