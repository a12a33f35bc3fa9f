"""Jobs written as coroutines: the context, the database and errors, as in any other job."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from cronjobs.executors.inline import run_inline
from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.node import NodeProcess
from tests.servers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def only_on_demand(db):
    Job.objects.update(schedule="")


def perform(name, *, meanwhile=lambda execution: None):
    """Let a node perform the job."""
    execution = JobExecution.objects.request(name)
    node = NodeProcess(workers=2)
    node.start()
    try:
        meanwhile(execution)
        wait_for(lambda: not JobExecution.objects.open().exists())
    finally:
        node.stop(grace=timedelta(seconds=10))
    execution.refresh_from_db()
    return execution


async def uses_the_database(context):
    """Ask, iterate and write by Django's asynchronous methods."""
    names = [each.name async for each in Job.objects.filter(name="uses-the-database")]
    execution = await JobExecution.objects.aget(pk=context.execution_id)
    await Job.objects.filter(name="uses-the-database").aupdate(owner="me")
    context.progress(1, 2, "asked")
    context.log.complete("Asked")
    return {"jobs": names, "status": execution.status, "count": await Job.objects.filter(owner="me").acount()}


@pytest.mark.parametrize("road", [perform, run_inline])
def test_djangos_asynchronous_methods_work(define, road):
    execution = road(define(uses_the_database))

    assert (execution.status, execution.error_message) == ("succeeded", "")
    assert execution.result == {"jobs": ["uses-the-database"], "status": "running", "count": 1}
    assert (execution.progress["done"], execution.progress["message"]) == (1, "asked")
    assert [each.message for each in execution.log_lines.all()] == ["Asked"]


@pytest.mark.parametrize("road", [perform, run_inline])
def test_a_synchronous_query_is_refused_in_djangos_own_words(define, road):
    async def forgets_to_await(context):
        return Job.objects.count()

    execution = road(define(forgets_to_await))

    assert execution.status == "failed"
    assert execution.error_type == "django.core.exceptions.SynchronousOnlyOperation"
    assert "You cannot call this from an async context" in execution.error_message


def test_a_coroutine_learns_that_it_is_to_stop(define):
    async def waits(context):
        while not context.cancelled:  # noqa: ASYNC110 - as a job does
            await asyncio.sleep(0.01)
        return {"thread": threading.current_thread().name}

    def ask_to_stop(execution):
        wait_for(lambda: JobExecution.objects.filter(pk=execution.pk, status="running").exists())
        JobExecution.objects.filter(pk=execution.pk).update(cancel_requested_at=timezone.now(), cancel_reason="enough")

    execution = perform(define(waits), meanwhile=ask_to_stop)

    assert (execution.status, execution.reason) == ("cancelled", "enough")


def test_tasks_of_a_coroutine_print_and_log_for_their_job(define):
    async def splits(context):
        async def part(number):
            await asyncio.sleep(0)
            print(f"part {number}")

        await asyncio.gather(*(part(number) for number in range(3)))

    execution = run_inline(define(splits))

    assert sorted(each.message for each in execution.log_lines.all()) == ["part 0", "part 1", "part 2"]
