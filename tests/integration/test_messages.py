"""What a message opens: an execution that was dispatched under its token, once, while nothing holds it back."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from cronjobs.database import read_clock
from cronjobs.exceptions import AtLimit, ClaimLost, DefinitionNotFound
from cronjobs.executors.celery.connections import connections_kept
from cronjobs.models import Calendar, JobExecution, Queue
from cronjobs.models.moves import Ending, begin, cancel, dispatch, recall, record, take_back
from cronjobs.states import ExecutionStatus
from tests.integration.dispatching import hire

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _celery(settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "CELERY_APP": "project.celery.app", "EXECUTOR": "celery"}


def dispatched(limit=10, **options):
    return [each for each, _ in dispatch(limit=limit, now=read_clock("default"), **options).executions]


def is_dispatched(execution):
    return JobExecution.objects.dispatched().filter(pk=execution.pk).exists()


def test_a_message_begins_its_execution_once(make_job):
    make_job("noop")
    wanted = JobExecution.objects.request("noop")
    (sent,) = dispatched()

    execution, job = begin(sent.pk, sent.claim_token, node="w")

    assert (execution.pk, job.name) == (wanted.pk, "noop")
    row = JobExecution.objects.get(pk=wanted.pk)
    assert (row.status, row.node, row.attempt) == ("running", "w", 1)
    assert row.claim_token == execution.claim_token != sent.claim_token
    assert row.started_at == row.first_started_at == execution.started_at
    assert row.lease_expires_at > row.started_at
    with pytest.raises(ClaimLost):
        begin(sent.pk, sent.claim_token, node="another")


@pytest.mark.parametrize("token", ["", "0" * 32, "'; DROP TABLE x; --"])
def test_another_token_opens_nothing(make_job, token):
    make_job("noop")
    JobExecution.objects.request("noop")
    (sent,) = dispatched()

    with pytest.raises(ClaimLost):
        begin(sent.pk, token, node="w")

    assert is_dispatched(sent)


def test_an_execution_that_was_never_dispatched_is_not_begun_with_an_empty_token(make_job):
    make_job("noop")
    waiting = JobExecution.objects.request("noop")

    with pytest.raises(ClaimLost):
        begin(waiting.pk, "", node="w")


def test_what_nobody_begins_is_sent_again_and_the_first_message_opens_nothing(make_job, settings):
    make_job("noop")
    JobExecution.objects.request("noop")
    (first,) = dispatched()
    JobExecution.objects.update(dispatched_at=read_clock("default") - timedelta(hours=1))
    hire()

    assert recall() == [first.pk]
    (second,) = dispatched()

    assert second.claim_token != first.claim_token
    with pytest.raises(ClaimLost):
        begin(first.pk, first.claim_token, node="w")
    assert begin(second.pk, second.claim_token, node="w")[0].pk == first.pk


def test_what_is_cancelled_while_it_is_with_the_broker_never_starts(make_job):
    make_job("noop")
    JobExecution.objects.request("noop")
    (sent,) = dispatched()

    cancel(JobExecution.objects.filter(pk=sent.pk), reason="Not now.", by="ann")

    with pytest.raises(ClaimLost):
        begin(sent.pk, sent.claim_token, node="w")


@pytest.mark.parametrize("name", ["default", "*"])
def test_what_is_paused_meanwhile_is_given_back(make_job, name):
    make_job("noop")
    JobExecution.objects.request("noop")
    (sent,) = dispatched()
    Queue.objects.ensure([name])
    Queue.objects.filter(name=name).update(paused=True)

    with pytest.raises(AtLimit, match="paused"):
        begin(sent.pk, sent.claim_token, node="w")

    assert not is_dispatched(sent)
    assert dispatched() == []
    Queue.objects.update(paused=False)
    assert [each.pk for each in dispatched()] == [sent.pk]


def test_a_worker_whose_code_does_not_have_the_job_leaves_it_dispatched(make_job):
    job = make_job("noop")
    JobExecution.objects.request("noop")
    (sent,) = dispatched()
    type(job).objects.filter(pk=job.pk).update(definition="of-a-newer-release")

    with pytest.raises(DefinitionNotFound):
        begin(sent.pk, sent.claim_token, node="w")

    assert is_dispatched(sent)


def test_the_job_comes_as_it_is_when_its_execution_begins(make_job):
    calendar = Calendar.objects.create(name="Holidays", dates=["2026-01-01"])
    job = make_job("noop")
    JobExecution.objects.request("noop", params={})
    (sent,) = dispatched()
    type(job).objects.filter(pk=job.pk).update(timeout=timedelta(seconds=90), calendar=calendar)

    execution, loaded = begin(sent.pk, sent.claim_token, node="w")

    assert loaded == job
    assert loaded.calendar.days() == calendar.days()
    assert loaded.resolve().timeout == timedelta(seconds=90)
    assert execution.deadline_at == execution.started_at + timedelta(seconds=90)
    assert JobExecution.objects.get(pk=sent.pk).deadline_at == execution.deadline_at


def test_an_execution_whose_job_is_gone_begins_without_it(make_job):
    job = make_job("noop")
    JobExecution.objects.request("noop")
    (sent,) = dispatched()
    type(job).objects.filter(pk=job.pk).delete()

    assert begin(sent.pk, sent.claim_token, node="w")[1] is None


def test_what_could_not_be_handed_over_waits_again(make_job):
    make_job("noop")
    JobExecution.objects.request("noop")
    sent = dispatched()

    assert take_back(sent) == 1
    assert [each.pk for each in dispatched()] == [sent[0].pk]


def test_what_is_with_the_broker_counts_where_limits_are_counted(make_job):
    make_job("noop", overlap="allow", max_instances=2)
    for _ in range(3):
        JobExecution.objects.request("noop")

    assert len(dispatched()) == 2
    assert dispatched() == []


def test_a_queue_is_topped_up_when_there_is_room_for_enough(make_job, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "DISPATCH_LIMIT": 4}
    make_job("noop")
    for _ in range(9):
        JobExecution.objects.request("noop")
    first = dispatched()
    assert len(first) == 4
    begin(first[0].pk, first[0].claim_token, node="w")

    assert dispatched(least_room=2) == []
    begin(first[1].pk, first[1].claim_token, node="w")
    assert len(dispatched(least_room=2)) == 2
    begin(first[2].pk, first[2].claim_token, node="w")
    assert len(dispatched()) == 1


def test_beginning_and_ending_take_two_statements_each(make_job):
    make_job("noop")
    for _ in range(2):
        JobExecution.objects.request("noop")
    # The first one is put together.
    for sent in dispatched():
        with CaptureQueriesContext(connection) as begun:
            execution, _ = begin(sent.pk, sent.claim_token, node="w")
        ending = succeeded(execution)
        with CaptureQueriesContext(connection) as ended:
            assert record([], [ending]) == set()

    assert (len(begun), len(ended)) == (2, 2)
    assert set(JobExecution.objects.values_list("status", flat=True)) == {"succeeded"}


def succeeded(execution):
    return Ending(
        execution=execution,
        outcome=ExecutionStatus.SUCCEEDED,
        status=ExecutionStatus.SUCCEEDED,
        finished_at=read_clock("default"),
        duration_ms=1,
        run_after=execution.run_after,
        claim_at=execution.claim_at,
    )


@pytest.mark.django_db(transaction=True)
def test_a_message_that_comes_many_times_at_once_begins_one_attempt(make_job):
    make_job("noop")
    JobExecution.objects.request("noop")
    (sent,) = dispatched()
    begun, refused = [], []
    barrier = threading.Barrier(8)

    def receive(number):
        barrier.wait()
        try:
            begun.append(begin(sent.pk, sent.claim_token, node=f"w{number}")[0].node)
        except ClaimLost:
            refused.append(number)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=receive, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    row = JobExecution.objects.get()
    assert (begun, len(refused)) == ([row.node], 7)
    assert row.attempt == 1


def connections_of_tasks(number, between=lambda own: None):
    """Return the server's number, or else the object, of the connection with which each task of a thread works."""
    found = []

    def perform():
        for _ in range(number):
            with connections_kept():
                connection.ensure_connection()
                found.append(server_s_number())
            # As Celery does with what it finds between two tasks.
            connections.close_all()
            between(found[-1])
        with connections_kept():
            connections.close_all()

    thread = threading.Thread(target=perform)
    thread.start()
    thread.join()
    return found


def server_s_number():
    if connection.vendor == "sqlite":
        return id(connection.connection)
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()" if connection.vendor == "mysql" else "SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def end_on_the_server(number):
    with connection.cursor() as cursor:
        cursor.execute(f"KILL {number}" if connection.vendor == "mysql" else f"SELECT pg_terminate_backend({number})")
    connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("age", "is_kept"), [(60, True), (0, False)])
def test_a_connection_outlives_a_task_if_conn_max_age_lets_it(monkeypatch, age, is_kept):
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", age)

    found = connections_of_tasks(3)

    if is_kept:
        assert len(set(found)) == 1
    else:
        # A file has no numbers, and an object's may come again.
        assert connection.vendor == "sqlite" or len(set(found)) == 3


@pytest.mark.skipif(connection.vendor == "sqlite", reason="nobody ends the connection to a file")
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_has_ended_between_two_tasks_is_replaced(monkeypatch):
    for name, value in {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}.items():
        monkeypatch.setitem(connection.settings_dict, name, value)

    found = connections_of_tasks(3, end_on_the_server)

    assert len(set(found)) == 3
