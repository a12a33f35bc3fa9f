"""Executions with the broker: who may begin them, and what becomes of those that nobody begins."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from cronjobs.conf import get_settings
from cronjobs.database import read_clock
from cronjobs.exceptions import AtLimit, ClaimLost, DefinitionNotFound
from cronjobs.models import Job, JobExecution, Queue
from cronjobs.models.choices import WaitsFor
from cronjobs.models.moves import begin, cancel, claim_one, new_token, recall, renew, rescue, take_back
from tests.commands import run_command
from tests.integration.dispatching import (
    CELERY,
    WAITING,
    WITH_BROKER,
    begun,
    claimed,
    dispatched,
    hire,
    request,
    state_of,
)

pytestmark = pytest.mark.django_db

# What the database lets in, and Python cannot hold: column, value.
UNREADABLE = ("ends_at", "infinity") if connection.vendor == "postgresql" else ("params", '{"a": ' + "9" * 5_000 + "}")


@pytest.fixture(autouse=True)
def _celery(settings):
    settings.CRONJOBS = CELERY


def test_what_celery_is_to_perform_is_no_nodes_to_claim(make_job):
    make_job("noop")
    row = request()

    assert (row.waits_for, claimed()) == (WaitsFor.DISPATCH, [])
    assert [each.pk for each in dispatched()] == [row.pk]


def test_what_is_dispatched_stays_queued_under_a_token_and_is_dispatched_once(make_job):
    make_job("noop")
    rows = [request() for _ in range(3)]

    sent = dispatched()

    assert [each.pk for each in sent] == [each.pk for each in rows]
    assert {state_of(each) for each in rows} == {WITH_BROKER}
    assert {each.claim_token for each in rows} == {each.claim_token for each in sent}
    assert (rows[0].attempt, rows[0].started_at, rows[0].lease_expires_at) == (0, None, None)
    assert dispatched() == []


def test_the_token_begins_it_once_and_is_used_up(make_job):
    make_job("noop", timeout=timedelta(minutes=1))
    request()
    (sent,) = dispatched()

    row = begun(sent)

    stored = JobExecution.objects.get()
    assert (stored.status, stored.node, stored.attempt) == ("running", "w1", 1)
    assert stored.claim_token == row.claim_token != sent.claim_token
    assert stored.first_started_at == stored.started_at == row.started_at
    assert stored.deadline_at == stored.started_at + timedelta(minutes=1)
    assert stored.lease_expires_at > read_clock("default") + get_settings().lease - timedelta(seconds=5)
    with pytest.raises(ClaimLost):
        begun(sent)
    # Nor is the new one a message.
    with pytest.raises(ClaimLost):
        begun(row)


@pytest.mark.parametrize("token", ["", "0" * 32])
def test_another_token_opens_nothing(make_job, token):
    make_job("noop")
    request(), request(run_after=read_clock("default") + timedelta(hours=1))
    dispatched()

    for row in JobExecution.objects.all():
        with pytest.raises(ClaimLost):
            begin(row.pk, token, node="w1")

    assert not JobExecution.objects.running().exists()


def test_the_token_of_one_batch_opens_nothing_of_another(make_job):
    make_job("noop")
    request(), request()
    (first,), (second,) = dispatched(limit=1), dispatched(limit=1)

    with pytest.raises(ClaimLost):
        begin(first.pk, second.claim_token, node="w1")


def test_what_was_called_off_with_the_broker_is_not_begun(make_job):
    make_job("noop")
    row = request()
    (sent,) = dispatched()

    assert cancel(JobExecution.objects.filter(pk=row.pk), reason="Ann said so.").cancelled == {row.pk}

    with pytest.raises(ClaimLost):
        begun(sent)
    assert (recall(), dispatched()) == ([], [])


def test_what_could_not_be_handed_over_waits_again(make_job):
    make_job("noop")
    rows = [request() for _ in range(3)]
    first, *others = dispatched()
    begun(first)

    # One has been begun all the same: the broker had it.
    assert take_back([first, *others]) == 2

    assert [state_of(each) for each in rows[1:]] == [WAITING] * 2
    rows[0].refresh_from_db()
    assert rows[0].status == "running"
    with pytest.raises(ClaimLost):
        begun(others[0])
    assert [each.pk for each in dispatched()] == [each.pk for each in others]


def test_a_late_wish_to_take_back_does_not_concern_the_next_dispatch(make_job):
    make_job("noop")
    row = request()
    (first,) = dispatched()
    take_back([first])
    dispatched()

    assert take_back([first]) == 0
    assert state_of(row) == WITH_BROKER


def test_what_nobody_begins_in_time_is_dispatched_again_under_another_token(make_job):
    make_job("noop")
    late, fresh = request(), request()
    (first,), (second,) = dispatched(limit=1), dispatched(limit=1)
    hire()
    assert recall() == []
    let_time_pass(late)

    assert recall() == [late.pk]

    assert (state_of(late), state_of(fresh)) == (WAITING, WITH_BROKER)
    (again,) = dispatched()
    with pytest.raises(ClaimLost):
        begun(first)
    assert begun(again).attempt == begun(second).attempt == 1


def let_time_pass(row):
    past = read_clock("default") - get_settings().dispatch_timeout - timedelta(seconds=1)
    JobExecution.objects.filter(pk=row.pk).update(dispatched_at=past)


def test_while_no_worker_takes_messages_nothing_is_dispatched_on_top_of_them(make_job):
    make_job("noop")
    row = request()
    dispatched()
    let_time_pass(row)
    hire("another")
    dead = hire(heartbeat_at=read_clock("default") - timedelta(hours=1))

    assert (recall(), state_of(row)) == ([], WITH_BROKER)

    dead.heartbeat_at = read_clock("default")
    dead.save()
    assert (recall(), state_of(row)) == ([row.pk], WAITING)


def test_without_an_app_everything_is_recalled(make_job, settings):
    make_job("noop")
    row = request()
    dispatched()
    let_time_pass(row)
    settings.CRONJOBS = {}

    assert recall() == [row.pk]


def test_beginning_again_after_a_lost_reply_finds_what_was_begun(make_job):
    job = make_job("noop")
    request()
    (sent,) = dispatched()
    token = new_token()
    begin(sent.pk, sent.claim_token, node="w1", claim_token=token)

    again, its_job = begin(sent.pk, sent.claim_token, node="w1", claim_token=token)

    assert (again.pk, again.attempt, again.claim_token, its_job) == (sent.pk, 1, token, job)
    with pytest.raises(ClaimLost):
        begin(sent.pk, sent.claim_token, node="w2", claim_token=new_token())


def test_what_is_with_the_broker_has_its_place_for_whoever_performs_it_after_all(make_job):
    make_job("noop", overlap="forbid")
    row = request()
    dispatched()

    assert claim_one(row, node="web", now=read_clock("default"), within_limits=True).attempt == 1


def test_what_was_lost_and_is_tried_again_is_dispatched_again(make_job):
    make_job("noop", rerun_lost=True)
    row = request()
    first = begun(dispatched()[0])
    JobExecution.objects.filter(pk=row.pk).update(lease_expires_at=read_clock("default") - timedelta(seconds=1))

    assert [each.pk for each in rescue()] == [row.pk]

    assert state_of(row)[:3] == ("queued", WaitsFor.DISPATCH, False)
    assert (recall(), claimed()) == ([], [])
    (again,) = dispatched()
    assert begun(again, node="w2").attempt == 2
    # The silent one writes nothing more.
    assert [each.pk for each in renew([first])] == [row.pk]


@pytest.mark.parametrize("what", ["queue", "everything", "settings"])
def test_what_is_paused_is_not_begun_and_waits_for_its_dispatch(make_job, settings, what):
    make_job("noop")
    row = request()
    (sent,) = dispatched()
    match what:
        case "queue":
            Queue.objects.update_or_create(name="default", defaults={"paused": True})
        case "everything":
            run_command("cronqueue", "--pause-all")
        case _:
            settings.CRONJOBS = {**settings.CRONJOBS, "PAUSED": True}

    with pytest.raises(AtLimit, match="paused"):
        begun(sent)

    # What only this machine's settings say is not what others go by.
    assert state_of(row) == (WITH_BROKER if what == "settings" else WAITING)
    assert dispatched() == []


def test_a_worker_that_does_not_know_the_definition_leaves_it_to_others(make_job):
    job = make_job("noop")
    row = request()
    (sent,) = dispatched()
    Job.objects.filter(pk=job.pk).update(definition="nobody-knows")

    with pytest.raises(DefinitionNotFound):
        begun(sent)

    assert state_of(row) == WITH_BROKER
    Job.objects.filter(pk=job.pk).update(definition="noop")
    assert begun(sent).status == "running"


def test_a_worker_that_cannot_read_the_job_lets_it_wait_until_it_is_mended(make_job):
    job = make_job("noop")
    row = request()
    (sent,) = dispatched()
    with connection.cursor() as cursor:
        column, value = UNREADABLE
        cursor.execute(f"UPDATE cronjobs_job SET {column} = %s WHERE id = %s", [value, job.pk])  # noqa: S608 - our own

    with pytest.raises(AtLimit, match="cannot be read"):
        begun(sent)

    assert state_of(row) == WITH_BROKER
    hire()
    let_time_pass(row)
    assert (recall(), dispatched()) == ([row.pk], [])
    Job.objects.filter(pk=job.pk).update(**{column: {} if column == "params" else None})
    (again,) = dispatched()
    assert begun(again).attempt == 1


@pytest.mark.django_db(transaction=True)
def test_a_message_that_two_workers_receive_is_begun_by_one(make_job):
    make_job("noop")
    for _ in range(20):
        request()
    sent = dispatched(limit=20)
    barrier, got = threading.Barrier(4), []

    def work(name):
        barrier.wait()
        for each in sent:
            try:
                got.append(begun(each, node=name).pk)
            except ClaimLost:
                continue
        connection.close()

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(got) == [each.pk for each in sent]
