"""Short attempts are claimed a little ahead; what then cannot begin is handed back, as if nobody had claimed it."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connections, transaction
from django.utils import timezone

from cronjobs.database import SteadyClock, read_clock
from cronjobs.executors.stops import pass_on_losses
from cronjobs.executors.thread import ThreadExecutor
from cronjobs.models import JobExecution, Queue
from cronjobs.models.draining import drain
from cronjobs.models.moves import adopt, cancel, claim, hand_back, record, renew, rescue
from cronjobs.models.queue import EVERYTHING
from cronjobs.runner import Claim, perform
from cronjobs.scheduler.dispatcher import Dispatcher
from cronjobs.scheduler.holdings import Holdings
from tests.integration.conftest import holdings
from tests.servers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

# What a claim changes, and handing back restores.
_FACTS = ("status", "attempt", "node", "claim_token", "started_at", "first_started_at", "deadline_at", "waits_for")


def claimed(limit=10):
    return claim(node="test", limit=limit, now=timezone.now()).executions


def facts(execution):
    return JobExecution.objects.values(*_FACTS, "lease_expires_at", "claim_at", "run_after").get(pk=execution.pk)


@pytest.fixture
def gate():
    opened = threading.Event()
    yield opened
    opened.set()


def make_quick(node):
    """Let the node perform so many short attempts that it claims ahead."""
    for _ in range(150):
        JobExecution.objects.request("noop")
    wait_for(lambda: not JobExecution.objects.open().exists())
    wait_for(lambda: node._executor.free() > node.workers)


def test_what_is_handed_back_is_as_it_was():
    execution = JobExecution.objects.request("noop")
    before = facts(execution)

    ((held, _),) = claimed()
    assert facts(execution) != before
    assert hand_back([held]) == set()

    assert facts(execution) == before
    assert [each.pk for each, _ in claimed()] == [execution.pk]


def test_what_was_tried_before_keeps_its_attempts():
    execution = JobExecution.objects.request("asks-again")
    ((held, job),) = claimed()
    record([], [perform(Claim.of(held, job), now=timezone.now)])
    before = facts(execution)
    assert (before["status"], before["attempt"]) == ("queued", 1)
    JobExecution.objects.update(run_after=timezone.now() - timedelta(seconds=1))

    ((held, _),) = claimed()
    assert held.attempt == 2
    hand_back([held])

    after = facts(execution)
    assert {name: after[name] for name in _FACTS if name != "claim_token"} == {
        name: before[name] for name in _FACTS if name != "claim_token"
    }


def test_what_somebody_wants_to_stop_or_has_been_taken_is_not_handed_back():
    asked, lost = JobExecution.objects.request("noop"), JobExecution.objects.request("noop")
    held = [each for each, _ in claimed()]
    cancel(JobExecution.objects.filter(pk=asked.pk), reason="enough")
    JobExecution.objects.filter(pk=lost.pk).update(claim_token="somebody-else")

    # The other is not ours any more.
    assert hand_back(held) == {asked.pk}
    assert set(JobExecution.objects.values_list("status", flat=True)) == {"running"}


def test_after_a_lost_reply_it_can_be_asked_again():
    JobExecution.objects.request("noop")
    ((held, _),) = claimed()
    hand_back([held])
    ((again, _),) = claimed()

    assert hand_back([held]) == set()
    assert again.pk == held.pk
    assert JobExecution.objects.get(pk=held.pk).claim_token == again.claim_token


def test_a_claim_that_was_only_found_afterwards_is_handed_back_too():
    execution = JobExecution.objects.request("noop")
    before = facts(execution)
    ((held, _),) = claimed()
    ((adopted, _),) = adopt(held.claim_token)

    assert hand_back([adopted]) == set()
    assert facts(execution) == before


def test_a_claim_of_today_is_not_stopped_by_the_loss_of_yesterdays():
    JobExecution.objects.request("noop")
    ((first, job),) = claimed()
    hand_back([first])
    ((second, _),) = claimed()
    ours = Claim.of(second, job)

    # The lease keeper began its round before, and ends it now.
    pass_on_losses([ours], renew([first]))

    assert renew([first]) == [first]
    assert not ours.stop_requested.is_set()


def test_what_may_have_been_handed_back_is_not_begun_here_before_that_is_known(monkeypatch):
    executor = ThreadExecutor(size=1, now=timezone.now, done=lambda claim, ending: None)
    held = holdings(executor)
    rows = [JobExecution.objects.request("noop") for _ in range(3)]
    claims = Claim.of_each(claimed())
    # As behind a long attempt.
    executor._at_work = 1
    for each in claims:
        held.take(each)
        executor.submit(each)

    def lose_the_reply(executions):
        hand_back(executions)
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr("cronjobs.scheduler.holdings.hand_back", lose_the_reply)
    held.hand_back(older_than=0.0)
    assert (len(held), executor.withdraw()) == (3, [])

    monkeypatch.undo()
    held.hand_back(older_than=0.0)
    assert len(held) == 0
    assert JobExecution.objects.filter(pk__in=[each.pk for each in rows], status="queued", attempt=0).count() == 3
    executor.shutdown()


def test_what_others_may_have_rescued_by_now_is_not_begun(define, gate, settings):
    settings.CRONJOBS = {"LEASE": 3}
    called, ended = [], []

    def blocks_until_opened(context):
        gate.wait(60)

    def notes_that_it_was_called(context):
        called.append(context.execution_id)

    rows = [JobExecution.objects.request(define(each)) for each in (blocks_until_opened, notes_that_it_was_called)]
    executor = ThreadExecutor(size=1, now=timezone.now, done=lambda claim, ending: ended.append(claim))
    for each in Claim.of_each(claimed()):
        executor.submit(each)
    # This node is cut off from the database: nothing is renewed, nothing handed back.
    wait_for(lambda: JobExecution.objects.filter(lease_expires_at__lt=read_clock("default")).count() == 2)
    assert {each.pk for each in rescue()} == {each.pk for each in rows}

    gate.set()
    wait_for(lambda: ended)
    executor._pool.shutdown(wait=True)

    assert called == []
    assert [each.execution.pk for each in executor.withdraw()] == [rows[1].pk]


def test_only_what_is_in_a_paused_queue_is_handed_back_at_once(make_job):
    executor = ThreadExecutor(size=1, now=timezone.now, done=lambda claim, ending: None)
    held = holdings(executor)
    rows = {
        queue: JobExecution.objects.request(make_job("noop", name=queue, queue=queue).name) for queue in ("one", "two")
    }
    # As behind a long attempt.
    executor._at_work = 1
    for each in Claim.of_each(claimed()):
        held.take(each)
        executor.submit(each)

    held.hand_back(older_than=60.0, queues={"two"})

    assert set(JobExecution.objects.filter(status="queued").values_list("pk", flat=True)) == {rows["two"].pk}
    assert [each.execution.pk for each in executor.withdraw()] == [rows["one"].pk]
    executor.shutdown()


@pytest.mark.parametrize("how", ["drain", "pause"])
def test_a_node_that_drains_or_is_paused_hands_back_what_it_has_not_begun(start_node, define, gate, how):
    def blocks_until_told(context):
        gate.wait(60)

    node = start_node(workers=1)
    held_up = JobExecution.objects.request(define(blocks_until_told))
    wait_for(lambda: JobExecution.objects.get(pk=held_up.pk).status == "running")
    waiting = [JobExecution.objects.request("noop") for _ in range(3)]
    Queue.objects.named(EVERYTHING).pause() if how == "pause" else drain(node.name, by="Ann")
    for one in Claim.of_each(claimed()):
        node._held.take(one)
        node._executor.submit(one)

    ids = [each.pk for each in waiting]
    wait_for(lambda: JobExecution.objects.filter(pk__in=ids, status="queued", attempt=0).count() == 3)
    assert node.running == 1


def test_the_time_that_an_attempt_has_counts_from_its_beginning(make_job):
    make_job("noop", name="hasty", overlap="allow", executor="thread", timeout=timedelta(milliseconds=1))
    JobExecution.objects.request("hasty")
    ((execution, job),) = claimed()
    one = Claim.of(execution, job)
    before = execution.deadline_at
    one.begins(execution.started_at + timedelta(seconds=1))
    assert execution.deadline_at == before + timedelta(seconds=1)


def test_nothing_is_handed_back_of_nothing():
    assert hand_back([]) == set()


def test_an_attempt_that_is_asked_to_stop_before_it_begins_is_never_called(define, gate):
    called = []

    def blocks_until_told(context):
        gate.wait(30)

    def notes_that_it_ran(context):
        called.append(context.execution_id)

    first = JobExecution.objects.request(define(blocks_until_told))
    second = JobExecution.objects.request(define(notes_that_it_ran))
    ended = []
    executor = ThreadExecutor(size=1, now=timezone.now, done=lambda claim, ending: ended.append(ending))
    claims = {each.pk: Claim.of(each, job) for each, job in claimed()}
    executor.submit(claims[first.pk])
    executor.submit(claims[second.pk])
    claims[second.pk].execution.cancel_reason = "Ann said so."
    claims[second.pk].stop_requested.set()
    gate.set()
    wait_for(lambda: len(ended) == 2)
    executor.shutdown()

    record([], ended)
    second.refresh_from_db()
    assert (second.status, second.reason, called) == ("cancelled", "Ann said so.", [])


def test_it_starts_when_it_begins_and_not_when_it_was_claimed(gate, define):
    def blocks_until_told(context):
        gate.wait(30)

    first, second = JobExecution.objects.request(define(blocks_until_told)), JobExecution.objects.request("noop")
    ended = []
    executor = ThreadExecutor(size=1, now=timezone.now, done=lambda claim, ending: ended.append(ending))
    for each, job in claimed():
        executor.submit(Claim.of(each, job))
    opened_at = timezone.now()
    gate.set()
    wait_for(lambda: len(ended) == 2)
    executor.shutdown()
    record([], ended)

    first.refresh_from_db(), second.refresh_from_db()
    assert first.started_at < opened_at <= second.started_at == second.first_started_at <= second.finished_at


def test_what_waits_behind_a_long_attempt_is_performed_by_another_node(start_node, define, caplog, gate):
    def blocks_until_told(context):
        gate.wait(60)

    caplog.set_level("INFO", logger="cronjobs.scheduler.holdings")
    long = define(blocks_until_told)
    node = start_node(workers=1)
    make_quick(node)
    # All at once, so that the first claim meets all of them.
    with transaction.atomic():
        held_up = JobExecution.objects.request(long)
        others = JobExecution.objects.request_many("noop", [{}] * 30)
    wait_for(lambda: f"Node {node.name} has handed back" in caplog.text)
    start_node(workers=1)

    ids = [each.pk for each in others]
    wait_for(lambda: set(JobExecution.objects.filter(pk__in=ids).values_list("status", flat=True)) == {"succeeded"})
    # Handing back is no attempt.
    assert set(JobExecution.objects.filter(pk__in=ids).values_list("attempt", flat=True)) == {1}
    assert JobExecution.objects.get(pk=held_up.pk).status == "running"


def test_a_node_that_stops_hands_back_what_it_has_not_begun(start_node, define, gate):
    def blocks_until_told(context):
        gate.wait(60)

    node = start_node(workers=1)
    make_quick(node)
    held_up = JobExecution.objects.request(define(blocks_until_told))
    wait_for(lambda: JobExecution.objects.get(pk=held_up.pk).status == "running")
    # As if they had been claimed just before.
    waiting = [JobExecution.objects.request("noop") for _ in range(5)]
    for one in Claim.of_each(claimed()):
        node._held.take(one)
        node._executor.submit(one)

    def stop():
        try:
            node.stop(grace=timedelta(seconds=30))
        finally:
            connections.close_all()

    stopping = threading.Thread(target=stop)
    stopping.start()
    ids = [each.pk for each in waiting]
    wait_for(lambda: JobExecution.objects.filter(pk__in=ids, status="queued", attempt=0).count() == 5)
    gate.set()
    stopping.join(60)
    assert JobExecution.objects.get(pk=held_up.pk).status == "succeeded"


def test_what_is_cancelled_before_it_begins_ends_though_every_thread_hangs(start_node, define, gate):
    def blocks_until_told(context):
        gate.wait(60)

    node = start_node(workers=1)
    held_up = JobExecution.objects.request(define(blocks_until_told))
    wait_for(lambda: JobExecution.objects.get(pk=held_up.pk).status == "running")
    unwanted = JobExecution.objects.request("noop")
    (one,) = Claim.of_each(claimed())
    node._held.take(one)
    cancel(JobExecution.objects.filter(pk=unwanted.pk), reason="Ann said so.")
    node._executor.submit(one)

    wait_for(lambda: JobExecution.objects.get(pk=unwanted.pk).status == "cancelled")
    unwanted.refresh_from_db()
    assert (unwanted.reason, unwanted.attempt) == ("Ann said so.", 1)
    assert node.running == 1


def test_what_a_rate_limits_is_not_claimed_ahead(make_job):
    make_job("noop", name="limited", overlap="allow", rate_limit="10/m")
    for name in ("noop", "limited", "limited", "noop", "limited"):
        JobExecution.objects.request(name)

    found = claim(node="test", limit=10, now=timezone.now(), at_once=2)

    # The second and the third of the limited ones would be counted now, and begin later.
    assert [each.job_name for each, _ in found.executions] == ["noop", "limited", "noop"]
    assert found.is_more
    assert [each.job_name for each, _ in claimed()] == ["limited", "limited"]


def test_no_more_is_claimed_than_may_be_lost():
    steady = SteadyClock()
    steady.set(read_clock("default"))
    executor = ThreadExecutor(size=4, now=steady.now, done=lambda claim, ending: None)
    held = Holdings("test", executor, most=3, ended=lambda claim, ending: None, now=steady.now)
    dispatcher = Dispatcher(node="test", time=steady, executor=executor, held=held)
    for _ in range(6):
        JobExecution.objects.request("noop")

    assert dispatcher.claim_once() == 3
    # Whether they have ended or not: nobody has recorded it.
    assert dispatcher.claim_once() == 0
    held.let_go(held.claims()[:1])
    assert dispatcher.claim_once() == 1
    executor.shutdown()
