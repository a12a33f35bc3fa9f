"""Whatever text a job makes is recorded, on every database, and never keeps an outcome from being recorded."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from cronjobs import JobFailed, RetryPolicy, Skip
from cronjobs.executors.inline import perform_inline, run_inline
from cronjobs.models import ExecutionAttempt, ExecutionLog, Job, JobExecution
from cronjobs.scheduler.node import NodeProcess
from tests.servers import wait_for

ODD = "a\x00b ü \ud83d 🎉"
STORED = "a\ufffdb ü \ufffd 🎉"


@pytest.mark.django_db
def test_every_text_of_an_execution_may_hold_anything(define):
    def says_odd_things(context):
        context.log.progress(ODD, data={ODD: ODD})
        context.progress(1, 2, ODD)
        print(ODD)
        raise JobFailed(ODD, result={ODD: [ODD]})

    execution = run_inline(define(says_odd_things), requested_by=ODD)

    assert (execution.status, execution.error_message, execution.requested_by) == ("failed", STORED, STORED)
    assert execution.traceback.endswith(f"JobFailed: {STORED}\n")
    assert execution.result == {STORED: [STORED]}
    assert execution.progress["message"] == STORED
    assert execution.attempts.get().error_message == STORED
    assert list(execution.log_lines.values_list("message", "data")) == [
        (STORED, {STORED: STORED}),
        (STORED, {"stream": "stdout"}),
    ]


@pytest.mark.django_db
def test_a_reason_may_hold_anything(define):
    def skips_oddly(context):
        raise Skip(ODD)

    execution = run_inline(define(skips_oddly))

    assert (execution.status, execution.reason) == ("skipped", STORED)


@pytest.mark.django_db
def test_an_errors_name_may_hold_anything(define):
    def raises_oddly(context):
        raise type(f"Odd🎉{'x' * 300}", (Exception,), {})

    execution = run_inline(define(raises_oddly))

    assert execution.error_type.startswith(f"{__name__}.Odd🎉x")
    assert len(execution.error_type.encode()) <= 200


@pytest.mark.django_db
def test_ten_megabytes_are_cut(define):
    def shouts(context):
        loud = "🎉" * 2_500_000
        context.log.progress(loud, data={"loud": loud})
        context.progress(1, 2, loud)
        print(loud)
        raise JobFailed(loud, result=loud)

    execution = run_inline(define(shouts))

    assert execution.status == "failed"
    assert len(execution.error_message.encode()) <= 64_000
    assert len(execution.traceback.encode()) <= 64_000
    assert len(json.dumps(execution.result, ensure_ascii=False).encode()) <= 64_100
    assert len(execution.progress["message"].encode()) <= 500
    for line in execution.log_lines.all():
        assert len(line.message.encode()) <= 16_000
        assert line.message.endswith("… [cut]")


@pytest.mark.django_db
def test_the_cap_of_the_log_is_the_executions_and_every_attempt_has_a_part(define, settings):
    settings.CRONJOBS = {"LOG_MAX_BYTES": 10_000}

    def chatters(context):
        for number in range(1_000):
            context.log.progress(f"attempt {context.attempt}, line {number}", data={"half": "ü" * 20})
        raise RuntimeError

    name = define(chatters, retry=RetryPolicy(max_attempts=4, initial_delay=timedelta(0), jitter=0))

    execution = run_inline(name)
    for _ in range(3):
        perform_inline(execution)

    execution.refresh_from_db()
    sizes = [
        sum(
            len(each.message.encode()) + len(json.dumps(each.data, ensure_ascii=False).encode()) + 32
            for each in execution.log_lines.filter(attempt=attempt)
        )
        for attempt in (1, 2, 3, 4)
    ]
    assert (execution.status, execution.attempt) == ("failed", 4)
    assert 10_000 <= sizes[0] < 10_500
    # A line, and the two that say what was left out, may exceed it.
    assert all(1_000 <= size < 1_500 for size in sizes[1:])


@pytest.mark.django_db
def test_what_an_attempt_left_of_the_cap_is_the_next_ones(define, settings):
    settings.CRONJOBS = {"LOG_MAX_BYTES": 10_000}

    def talks_more_and_more(context):
        for number in range(50 if context.attempt == 1 else 1_000):
            context.log.progress(f"line {number} {'x' * 60}", data={"n": number})
        raise RuntimeError

    name = define(talks_more_and_more, retry=RetryPolicy(max_attempts=2, initial_delay=timedelta(0), jitter=0))
    execution = perform_inline(run_inline(name))

    first, second = (execution.log_lines.filter(attempt=attempt).count() for attempt in (1, 2))
    assert first == 50
    # Some 110 bytes each: ten thousand in all, give or take how a database writes JSON.
    assert 30 <= second <= 50


OLD_COLUMNS = (
    (JobExecution, ("error_type", "error_message", "traceback", "reason", "result", "progress")),
    (ExecutionAttempt, ("error_type", "error_message", "traceback")),
    (ExecutionLog, ("message", "data")),
)


@pytest.fixture
def old_utf8(transactional_db):
    """Tables that somebody made when MySQL's utf8 had three bytes."""
    if connection.vendor != "mysql":
        pytest.skip("only MySQL and MariaDB have an utf8 of three bytes")
    changed = [(model._meta.get_field(name), model) for model, names in OLD_COLUMNS for name in names]

    def change(charset):
        with connection.cursor() as cursor:
            for field, model in changed:
                kind = field.db_type(connection).replace("json", "longtext")
                null = "NULL" if field.null else "NOT NULL"
                cursor.execute(
                    f"ALTER TABLE {model._meta.db_table} MODIFY {field.column} {kind} CHARACTER SET {charset} {null}"
                )

    change("utf8mb3")
    yield
    change("utf8mb4")


PLAIN = "party \ufffd at ü"


@pytest.fixture
def celebrates(define, old_utf8):
    def celebrates(context):
        context.progress(1, 2, "party 🎉 at ü")
        context.log.progress("party 🎉 at ü", data={"🎉": "ü"})
        context.log.progress("plain")
        raise JobFailed("party 🎉 at ü", result={"🎉": "party 🎉 at ü"})

    return define(celebrates)


def assert_plain(execution):
    execution.refresh_from_db()
    assert (execution.status, execution.error_message) == ("failed", PLAIN)
    assert execution.result == {"\ufffd": PLAIN}
    assert execution.progress["message"] == PLAIN
    assert execution.attempts.get().error_message == PLAIN
    lines = [(PLAIN, {"\ufffd": "ü"}), ("plain", None)]
    assert list(execution.log_lines.values_list("message", "data")) == lines


@pytest.mark.django_db(transaction=True)
def test_inline_a_column_of_three_bytes_keeps_all_but_what_has_four(celebrates):
    assert_plain(run_inline(celebrates))


@pytest.mark.django_db(transaction=True)
def test_on_a_node_a_column_of_three_bytes_keeps_all_but_what_has_four(celebrates):
    Job.objects.update(schedule="")
    execution = JobExecution.objects.request(celebrates)
    other = JobExecution.objects.request("succeeds")
    node = NodeProcess(workers=2)
    node.start()
    try:
        wait_for(lambda: not JobExecution.objects.open().exists())
    finally:
        node.stop(grace=timedelta(seconds=10))

    assert_plain(execution)
    other.refresh_from_db()
    assert other.result == {"value": 1}
    assert execution.finished_at <= timezone.now() + timedelta(minutes=1)
