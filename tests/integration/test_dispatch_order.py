"""What is handed to the broker: within which limits, in which order, and of which jobs."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from cronjobs.conf import get_settings
from cronjobs.database import read_clock
from cronjobs.exceptions import ClaimLost, InvalidJob, InvalidSettings
from cronjobs.models import Job, JobExecution, Queue
from cronjobs.models.choices import WaitsFor
from cronjobs.models.mistakes import mistakes
from cronjobs.models.moves import (
    cancel,
    claim_one,
    dispatch,
    give_to_nodes,
    recall,
)
from cronjobs.models.moves.choosing import Room
from cronjobs.models.reruns import retry
from cronjobs.scheduler.node import NodeProcess
from tests.integration.dispatching import (
    APP,
    CELERY,
    WAITING,
    begun,
    claimed,
    dispatched,
    request,
    state_of,
)
from tests.servers import wait_for

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _celery(settings):
    settings.CRONJOBS = CELERY


@pytest.mark.parametrize("was", ["waiting", "dispatched"])
def test_where_there_is_no_celery_any_more_nodes_perform_what_waited_for_it(make_job, settings, was):
    make_job("noop")
    make_job("noop", name="far", executor="celery")
    rows, far = [request() for _ in range(2)], request("far")
    if was == "dispatched":
        assert len(dispatched()) == 3
        past = read_clock("default") - get_settings().dispatch_timeout - timedelta(seconds=1)
        JobExecution.objects.update(dispatched_at=past)
    settings.CRONJOBS = {}
    assert claimed() == []

    recall()
    assert give_to_nodes() == 2

    assert [each.pk for each in claimed()] == [each.pk for each in rows]
    # Its job is broken, and says so: somebody wants it to run where nothing can.
    assert state_of(far) == WAITING
    assert give_to_nodes() == 0


@pytest.mark.django_db(transaction=True)
def test_a_node_sees_to_that(make_job, settings):
    make_job("noop")
    row = request()
    settings.CRONJOBS = {"LEASE": 3}
    node = NodeProcess(workers=1)
    try:
        node.start()
        wait_for(lambda: state_of(row)[0] == "succeeded")
    finally:
        node.stop(grace=timedelta(seconds=5))

    assert row.node == node.name


def test_at_most_so_many_of_a_queue_are_with_the_broker(make_job, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "DISPATCH_LIMIT": 3}
    make_job("noop")
    make_job("noop", name="other", queue="other")
    rows = [request() for _ in range(5)]
    other = request("other")

    first = dispatch(limit=10, now=read_clock("default"))

    assert [each.pk for each, _ in first.executions] == [*(each.pk for each in rows[:3]), other.pk]
    assert first.is_more
    assert dispatched() == []
    begun(first.executions[0][0])
    assert [each.pk for each in dispatched()] == [rows[3].pk]


def test_room_counts_each_queue_by_itself():
    room = Room(2)
    a, b = JobExecution(queue="a"), JobExecution(queue="b")

    assert [room.take(each) for each in (a, a, a, b, b, b)] == [True, True, False, True, True, False]


def test_limits_count_what_is_with_the_broker(make_job):
    make_job("noop", max_instances=2)
    for _ in range(4):
        request()

    sent = dispatched()
    assert len(sent) == 2
    begun(sent[0])
    assert dispatched() == []


def test_the_limit_of_a_queue_counts_it_too(make_job):
    Queue.objects.update_or_create(name="default", defaults={"limit": 2})
    make_job("noop")
    make_job("noop", name="here", executor="thread")
    for _ in range(3):
        request()

    assert len(dispatched()) == 2
    request("here")
    assert (claimed(), dispatched()) == ([], [])


def test_a_rate_limit_counts_it_as_a_start_until_it_is_one(make_job):
    make_job("noop", rate_limit="2/h")
    for _ in range(4):
        request()

    sent = dispatched()
    assert len(sent) == 2
    begun(sent[0])
    assert dispatched() == []


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_a_start_in_the_moment_of_counting_is_counted(make_job):
    make_job("noop", rate_limit="2/h")
    for _ in range(4):
        request()
    sent = dispatched()
    waiting = list(sent)

    def begin_meanwhile(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        # Once those that have started are counted.
        while "COUNT(" in sql.upper() and "started_at" in sql and waiting:
            beginner = threading.Thread(target=begin_and_close, args=(waiting.pop(),))
            beginner.start()
            beginner.join()
        return result

    with connection.execute_wrapper(begin_meanwhile):
        assert dispatched() == []

    assert (waiting, JobExecution.objects.running().count()) == ([], 2)


def begin_and_close(row):
    begun(row)
    connection.close()


def test_a_job_that_forbids_overlap_has_one_with_the_broker(make_job):
    make_job("succeeds")
    first, _ = request("succeeds"), request("succeeds")

    assert [each.pk for each in dispatched()] == [first.pk]
    assert dispatched() == []


def test_a_higher_priority_goes_first(make_job):
    make_job("noop")
    low, high = request(priority="low"), request(priority="high")

    assert [each.pk for each in dispatched()] == [high.pk, low.pk]


def test_what_is_due_later_is_not_dispatched(make_job):
    make_job("noop")
    request(run_after=read_clock("default") + timedelta(minutes=5))

    assert dispatched() == []


def test_a_node_dispatches_what_is_in_its_queues(make_job):
    make_job("noop", queue="heavy")
    request()

    assert dispatched(queues=["default"]) == []
    assert len(dispatched(queues=["heavy"], is_apart=True)) == 1


@pytest.mark.parametrize("before", ["celery", "thread"])
def test_what_waits_follows_its_job_to_another_executor(make_job, before):
    job = make_job("noop", executor=before)
    make_job("noop", name="stays", executor=before)
    rows, stays = [request() for _ in range(3)], request("stays")
    after = "thread" if before == "celery" else "celery"
    Job.objects.filter(pk=job.pk).update(executor=after)

    take, others = (dispatched, claimed) if before == "celery" else (claimed, dispatched)
    assert [each.pk for each in take()] == [stays.pk]
    assert [each.pk for each in others()] == [each.pk for each in rows]


def test_what_is_with_the_broker_may_be_performed_by_whoever_asks_for_it_here(make_job):
    make_job("noop")
    row = request()
    (sent,) = dispatched()

    here = claim_one(row, node="here", now=read_clock("default"))

    with pytest.raises(ClaimLost):
        begun(sent)
    assert (here.node, state_of(row)[:2]) == ("here", ("running", WaitsFor.DISPATCH))


def test_a_repetition_waits_for_its_dispatch(make_job):
    make_job("noop")
    row = request()
    cancel(JobExecution.objects.filter(pk=row.pk), reason="Ann said so.")

    assert retry(row.pk).execution.waits_for == WaitsFor.DISPATCH


def test_the_executor_is_the_operators_then_the_definitions_then_the_queues_then_the_sites(make_job, settings):
    settings.CRONJOBS = {**APP, "QUEUE_EXECUTORS": {"far": "celery", "near": "thread"}}
    job = make_job("noop")
    assert job.resolve().executor == "thread"
    job.queue = "far"
    assert job.resolve().executor == "celery"
    job.executor = "process"
    assert job.resolve().executor == "process"
    isolated = make_job("isolated")
    assert isolated.resolve().executor == "process"
    isolated.queue = "far"
    assert isolated.resolve().executor == "process"


def test_a_limit_needs_a_process_whatever_the_queue_says(make_job, settings):
    settings.CRONJOBS = {**APP, "QUEUE_EXECUTORS": {"far": "celery", "near": "thread"}}

    near = make_job("noop", queue="near", timeout=timedelta(seconds=5), memory_limit=2**30)
    assert near.resolve().executor == "process"
    near.queue = "far"
    # Where the worker has one for it.
    assert near.resolve().executor == "celery"


@pytest.mark.parametrize("wish", [{"EXECUTOR": "celery"}, {"QUEUE_EXECUTORS": {"far": "celery"}}])
def test_settings_that_want_celery_need_an_app(settings, wish):
    settings.CRONJOBS = wish

    with pytest.raises(InvalidSettings, match="CELERY_APP"):
        get_settings()


@pytest.mark.django_db(transaction=True)
def test_many_nodes_dispatch_each_execution_once(make_job, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "DISPATCH_LIMIT": 1000}
    make_job("noop")
    rows = [request().pk for _ in range(40)]
    barrier, got = threading.Barrier(4), []

    def work():
        barrier.wait()
        while sent := dispatched(limit=7):
            got.extend(each.pk for each in sent)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # A round that found only locked rows ends early; what is left is dispatched by the next.
    got += [each.pk for each in dispatched(limit=40)]
    assert sorted(got) == rows


def test_a_job_that_wants_celery_where_there_is_none_is_told_so(make_job, settings):
    job = make_job("noop", executor="celery")
    assert mistakes(job) == {}
    settings.CRONJOBS = {}

    assert "CELERY_APP" in str(mistakes(job)["executor"])
    with pytest.raises(InvalidJob, match="CELERY_APP"):
        job.resolve()
