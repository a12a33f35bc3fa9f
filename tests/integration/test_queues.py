"""Queues that are limited or paused, and the pause of everything."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from cronjobs import job as job_decorator
from cronjobs.database import SteadyClock, lock_unlocked, read_clock
from cronjobs.exceptions import AtLimit, ClaimLost, QueueNotFound
from cronjobs.models import Job, JobExecution, Queue
from cronjobs.models.moves import claim, claim_one
from cronjobs.models.moves.candidates import in_open_queues, with_limited_queue
from cronjobs.models.queue import EVERYTHING, queues_in_use
from cronjobs.registry import registry
from cronjobs.scheduler.clock import Clock
from cronjobs.scheduler.clock_rows import own_rows
from cronjobs.scheduler.looks import look
from cronjobs.scheduler.plans import sync
from cronjobs.scheduler.ticks import tick
from tests.integration.conftest import NOON, rows_of

pytestmark = pytest.mark.django_db

WAYS = pytest.mark.parametrize("is_apart", [False, True], ids=["together", "apart"])


def claimed(limit=10, node="a", **options):
    claims = claim(node=node, limit=limit, now=read_clock("default"), **options)
    return [execution.pk for execution, _ in claims.executions]


def request(name="noop", count=1, **options):
    return [JobExecution.objects.request(name, **options).pk for _ in range(count)]


def end(ids):
    JobExecution.objects.filter(pk__in=ids).update(status="succeeded")


@pytest.fixture
def heavy(make_job):
    """A job in a queue of its own, beside one in the default queue."""
    make_job("noop")
    return make_job("noop", name="heavy", queue="heavy")


@pytest.fixture
def set_queue(db):
    def set_queue(name="heavy", **columns):
        return Queue.objects.update_or_create(name=name, defaults=columns)[0]

    return set_queue


@WAYS
def test_nothing_of_a_paused_queue_is_claimed_until_it_is_resumed(heavy, set_queue, is_apart):
    set_queue(paused=True)
    held, other = request("heavy", 3), request()

    assert claimed(is_apart=is_apart) == other
    set_queue(paused=False)
    assert claimed(is_apart=is_apart) == held


def test_what_runs_goes_on_when_its_queue_is_paused(heavy, set_queue):
    (running,) = request("heavy")
    assert claimed() == [running]

    set_queue(paused=True)

    assert JobExecution.objects.get(pk=running).status == "running"


@WAYS
def test_a_limit_counts_what_runs_on_every_node(heavy, make_job, set_queue, is_apart):
    set_queue(limit=2)
    make_job("noop", name="heavy-too", queue="heavy")
    (first, second), (third,) = request("heavy", 2), request("heavy-too")

    assert claimed(limit=1, node="a", is_apart=is_apart) == [first]
    assert claimed(node="b", is_apart=is_apart) == [second]
    assert claimed(node="c", is_apart=is_apart) == []
    end([first])
    assert claimed(node="c", is_apart=is_apart) == [third]


@WAYS
def test_a_full_queue_does_not_hold_back_the_others(heavy, set_queue, is_apart):
    set_queue(limit=1)
    waiting, others = request("heavy", 20), request("noop", 3)

    assert claimed(limit=4, is_apart=is_apart) == [waiting[0], *others]


def test_more_is_waiting_when_a_queue_is_full(heavy, set_queue):
    set_queue(limit=1)
    request("heavy", 2)

    assert claim(node="a", limit=8, now=read_clock("default")).is_more


def test_a_limit_of_the_job_holds_within_the_queue_s(make_job, set_queue):
    set_queue(limit=3)
    make_job("noop", queue="heavy", max_instances=2)
    make_job("noop", name="beside", queue="heavy")
    ids, beside = request("noop", 3), request("beside", 3)

    assert claimed() == [*ids[:2], beside[0]]


@WAYS
def test_the_order_is_that_of_the_turn_whichever_way_claims_go(heavy, make_job, set_queue, is_apart):
    set_queue("closed", paused=True)
    make_job("noop", name="third", queue="Third")
    now = read_clock("default")
    names = ["heavy", "noop", "third", "noop", "heavy", "third", "heavy"]
    ids = [
        request(name, run_after=now - timedelta(seconds=60 - place), priority="medium")[0]
        for place, name in enumerate(names)
    ]

    assert claimed(limit=5, is_apart=is_apart) == ids[:5]
    assert claimed(limit=5, is_apart=is_apart) == ids[5:]


@WAYS
def test_a_node_for_some_queues_respects_their_pauses_and_limits(heavy, make_job, set_queue, is_apart):
    set_queue("heavy", limit=1)
    set_queue("closed", paused=True)
    make_job("noop", name="closed", queue="closed")
    request("closed"), request("noop")
    heavy_ids = request("heavy", 2)

    assert claimed(queues=["heavy", "closed"], is_apart=is_apart) == heavy_ids[:1]


def test_without_limits_a_claim_takes_three_statements(make_job, set_queue):
    make_job("noop")
    set_queue("heavy", paused=True)
    set_queue("other", limit=1)
    request("noop")
    claimed()
    (execution,) = request("noop")

    with CaptureQueriesContext(connection) as captured:
        assert claimed() == [execution]

    # The job was read for the claim before. Beside the clock, which the test itself reads: candidates, whether their jobs are still the same, and the claim.
    sent = [sql for each in captured if (sql := each["sql"].lstrip("( ")).startswith(("SELECT", "UPDATE"))]
    assert len(sent[1:]) == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("not connection.features.has_select_for_update_skip_locked")
def test_a_claim_locks_executions_and_no_queue(heavy, set_queue):
    set_queue("heavy", limit=1)
    set_queue("closed", paused=True)
    request("heavy"), request("noop")
    free = []

    def see():
        with transaction.atomic():
            free.append(len(lock_unlocked(Queue.objects.filter(name__in=["heavy", "closed"]))))
            free.append(len(lock_unlocked(JobExecution.objects.all())))
        connection.close()

    with transaction.atomic():
        waiting = with_limited_queue(in_open_queues(JobExecution.objects.claimable(read_clock("default"))))
        assert len(lock_unlocked(waiting)[:10]) == 2
        thread = threading.Thread(target=see)
        thread.start()
        thread.join()

    assert free == [2, 0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("not connection.features.has_select_for_update_skip_locked")
def test_a_queue_that_somebody_counts_is_passed_over_and_not_waited_for(heavy, set_queue):
    set_queue("heavy", limit=5)
    request("heavy")
    other = request("noop")
    found = []

    def work():
        found.extend(claimed(node="b"))
        connection.close()

    with transaction.atomic():
        list(Queue.objects.filter(name="heavy").select_for_update())
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    assert found == other
    assert len(claimed()) == 1


@pytest.mark.django_db(transaction=True)
def test_threads_that_claim_at_once_never_exceed_the_limit(heavy, set_queue):
    set_queue(limit=3)
    request("heavy", 30)
    taken, errors, barrier = [], [], threading.Barrier(5)

    def work(node):
        try:
            barrier.wait()
            for _ in range(5):
                taken.extend(claimed(limit=4, node=node))
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(f"n{number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(taken) <= 3
    assert len([*taken, *claimed()]) == JobExecution.objects.running().count() == 3


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"name": "heavy", "paused": True}, "Queue heavy is paused."),
        ({"name": "heavy", "limit": 1}, "Queue heavy runs as much as it may at once."),
        ({"name": EVERYTHING, "paused": True}, "Everything is paused"),
    ],
    ids=["paused", "full", "everything"],
)
def test_one_execution_is_refused_with_the_reason(heavy, set_queue, columns, why):
    set_queue(**columns)
    running, waiting = (JobExecution.objects.get(pk=pk) for pk in request("heavy", 2))
    now = read_clock("default")
    claim_one(running, node="a", now=now)

    with pytest.raises(AtLimit, match=why):
        claim_one(waiting, node="a", now=now, within_limits=True)
    assert claim_one(waiting, node="a", now=now).attempt == 1
    with pytest.raises(ClaimLost):
        claim_one(waiting, node="a", now=now, within_limits=True)


def test_a_background_job_starts_in_a_stream_of_critical_ones(make_job):
    make_job("noop")
    start = read_clock("default") - timedelta(hours=1)
    (background,) = request("noop", priority="background", run_after=start)
    minutes = 0

    # Each minute brings more critical work than can be done in it.
    while JobExecution.objects.get(pk=background).status == "queued":
        now = start + timedelta(minutes=minutes)
        request("noop", 3, priority="critical", run_after=now)
        done = claim(node="a", limit=2, now=now).executions
        end([execution.pk for execution, _ in done if execution.pk != background])
        minutes += 1
        assert minutes < 30

    assert minutes >= 4


def test_everything_paused_claims_nothing_and_makes_nothing_up(make_job, set_queue):
    job = make_job("noop", schedule="* * * * *", misfire_grace=timedelta(hours=2), catch_up="all")
    sync(NOON)
    set_queue(EVERYTHING, paused=True)
    request("noop")
    assert claimed() == []

    for minute in (1, 2, 3):
        tick(NOON + timedelta(minutes=minute))
    set_queue(EVERYTHING, paused=False)
    tick(NOON + timedelta(minutes=4))

    scheduled = [row for row in rows_of(job) if row[0] != "manual"]
    assert scheduled == [("schedule", "queued", NOON + timedelta(minutes=4))]
    assert len(claimed()) == 2


def test_the_clock_moves_on_while_everything_is_paused(make_job, set_queue):
    job = make_job("noop", schedule="* * * * *")
    now = read_clock("default")
    sync(now - timedelta(minutes=10))
    set_queue(EVERYTHING, paused=True)
    Clock(time=SteadyClock()).tick_once()

    assert rows_of(job) == []
    assert own_rows().get(id=f"cronjobs:{job.pk}").next_run_time > now


def test_a_look_tells_what_is_paused(set_queue):
    assert (look().is_everything_paused, look().is_any_queue_paused) == (False, False)
    set_queue("heavy", paused=True)
    assert (look().is_everything_paused, look().is_any_queue_paused) == (False, True)
    set_queue(EVERYTHING, paused=True)
    assert look().is_everything_paused


def test_every_queue_in_use_gets_a_row_and_decisions_stay(make_job, set_queue):
    job_decorator("in-lab", queue="lab")(lambda context: None)
    try:
        make_job("noop", queue="heavy")
        set_queue("heavy", limit=2, paused=True)

        Queue.objects.ensure()
        Queue.objects.ensure()

        names = set(Queue.objects.values_list("name", flat=True))
        assert names == {EVERYTHING, "heavy", "lab", "default"} == {EVERYTHING, *queues_in_use("default")}
        assert list(Queue.objects.filter(name="heavy").values_list("limit", "paused")) == [(2, True)]
    finally:
        registry.remove("in-lab")


def test_a_queue_that_nobody_uses_is_not_found(make_job):
    make_job("noop", queue="heavy")

    assert Queue.objects.named("heavy").pause() == 1
    assert Queue.objects.named("heavy").pause() == 0
    assert Queue.objects.named("heavy").resume() == 1
    with pytest.raises(QueueNotFound, match="no queue named 'hevy'"):
        Queue.objects.named("hevy")
    assert not Queue.objects.filter(name="hevy").exists()


@pytest.mark.parametrize("name", ["*", "a,b", " a", "a\n"])
def test_a_job_cannot_use_a_name_that_nobody_could_mean(make_job, name):
    job = Job(name="odd", definition="noop", queue=name)

    with pytest.raises(ValidationError) as caught:
        job.full_clean()

    assert "queue" in caught.value.message_dict


@pytest.mark.parametrize(
    ("columns", "field"),
    [({"name": "a,b"}, "name"), ({"name": "a", "limit": 0}, "limit"), ({"name": EVERYTHING, "limit": 1}, "limit")],
    ids=["comma", "zero", "everything"],
)
def test_a_row_that_could_not_be_meant_is_refused(db, columns, field):
    with pytest.raises(ValidationError) as caught:
        Queue(**columns).full_clean()

    assert field in caught.value.message_dict
