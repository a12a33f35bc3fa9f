"""Progress is to be seen while a job runs, is kept with its end, and is nobody else's."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cronjobs.executors.inline import run_inline
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import claim, record, record_progress
from cronjobs.registry import registry
from cronjobs.runner import Claim, perform
from cronjobs.scheduler.node import NodeProcess
from tests.servers import wait_for


def without_time(progress):
    return {key: value for key, value in progress.items() if key != "at"}


AT_THREE = {"done": 3, "total": 8, "message": "row 3, password=***"}


def stored(execution):
    execution.refresh_from_db()
    return None if execution.progress is None else without_time(execution.progress)


@pytest.fixture
def advances(db):
    Job.objects.ensure([registry["advances"]])


@pytest.fixture
def node(transactional_db, advances):
    Job.objects.update(schedule="")
    node = NodeProcess(workers=4)
    node.start()
    yield node
    node.stop(grace=timedelta(seconds=10))


@pytest.mark.django_db(transaction=True)
def test_a_node_shows_progress_while_the_job_runs(node):
    executions = [JobExecution.objects.request("advances", params={"done": done, "seconds": 60}) for done in (3, 5)]
    Job.objects.filter(name="advances").update(overlap="allow")

    wait_for(lambda: [(stored(each) or {}).get("done") for each in executions] == [3, 5])

    assert stored(executions[0]) == AT_THREE
    assert executions[0].status == "running"
    JobExecution.objects.update(cancel_requested_at=timezone.now())
    wait_for(lambda: not JobExecution.objects.open().exists())
    assert stored(executions[0]) == AT_THREE


@pytest.mark.django_db(transaction=True)
def test_the_inline_executor_shows_log_and_progress_while_the_job_runs(advances):
    found = []

    def look():
        wait_for(JobExecution.objects.filter(progress__isnull=False).exists)
        execution = JobExecution.objects.get()
        wait_for(execution.log_lines.exists)
        found.append((stored(execution), execution.status, [each.message for each in execution.log_lines.all()]))
        connection.close()

    looking = threading.Thread(target=look)
    looking.start()
    execution = run_inline("advances", params={"done": 3, "seconds": 3})
    looking.join()

    assert found == [(AT_THREE, "running", ["There"])]
    assert execution.status == "succeeded"
    assert [each.message for each in execution.log_lines.all()] == ["There"]


@pytest.mark.django_db
def test_inside_a_transaction_it_comes_with_the_end(advances):
    execution = run_inline("advances", params={"done": 3, "seconds": 0})

    assert stored(execution) == AT_THREE


@pytest.mark.django_db
def test_a_failed_attempt_keeps_its_last_word_and_the_next_begins_with_none(advances):
    execution = run_inline("advances", params={"done": 3, "seconds": 0, "fails": True}, max_attempts=2)
    assert (execution.status, stored(execution)) == ("queued", AT_THREE)

    ((again, job),) = claim(node="test", limit=10, now=timezone.now() + timedelta(hours=1)).executions

    assert again.progress is None
    assert stored(execution) is None
    record([], [perform(Claim.of(again, job), now=timezone.now)])
    assert (stored(execution), execution.status) == (AT_THREE, "failed")


@pytest.mark.django_db
def test_many_are_written_in_one_statement_and_only_under_their_token(advances):
    for _ in range(3):
        JobExecution.objects.request("advances", params={"done": 1, "seconds": 0})
    Job.objects.filter(name="advances").update(overlap="allow")
    claimed = [each for each, _ in claim(node="test", limit=10, now=timezone.now() + timedelta(hours=1)).executions]
    JobExecution.objects.filter(pk=claimed[0].pk).update(claim_token="another")
    JobExecution.objects.filter(pk=claimed[1].pk).update(status="succeeded")

    with CaptureQueriesContext(
        connection,
    ) as queries:
        record_progress([(each, {"done": 1, "total": 2, "message": "", "at": ""}) for each in claimed])

    assert len([each for each in queries.captured_queries if "UPDATE" in each["sql"]]) == 1
    assert [stored(each) is not None for each in claimed] == [False, False, True]


@pytest.mark.django_db
def test_a_million_words_write_one_row(define):
    async def counts_far(context):
        for number in range(1_000_000):
            context.progress(number, 1_000_000)

    name = define(counts_far)
    with CaptureQueriesContext(connection) as queries:
        execution = run_inline(name)

    assert len([each for each in queries.captured_queries if "progress" in each["sql"]]) <= 5
    assert len(queries) < 20
    assert execution.progress["done"] == 999_999


@pytest.mark.django_db
def test_what_is_no_number_is_the_jobs_failure(define):
    def misspeaks(context):
        context.progress("half")

    execution = run_inline(define(misspeaks))

    assert (execution.status, execution.error_message) == ("failed", "done must be a number, not 'half'.")
    assert execution.progress is None
