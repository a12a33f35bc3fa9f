"""A node in this process, and what its threads do when the database misbehaves."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import timedelta

import pytest
from django.db import connection, transaction

from cronjobs import events
from cronjobs.database import SteadyClock, read_clock
from cronjobs.executors.inline import run_inline
from cronjobs.models import Job, JobExecution, Node, Queue
from cronjobs.models.queue import EVERYTHING
from cronjobs.scheduler.clock import Clock
from cronjobs.scheduler.clock_rows import own_rows
from cronjobs.scheduler.node import NodeProcess
from cronjobs.scheduler.plans import reconcile, sync
from tests.servers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def statuses():
    return set(JobExecution.objects.values_list("status", flat=True))


def test_a_burst_larger_than_the_pool_is_performed_in_full(start_node):
    for _ in range(200):
        JobExecution.objects.request("noop")

    start_node(workers=4)

    wait_for(lambda: statuses() == {"succeeded"})
    assert JobExecution.objects.count() == 200


def test_jobs_that_must_wait_for_a_worker_are_not_missed(start_node, make_job):
    node = start_node(workers=2)
    for number in range(8):
        make_job("naps", name=f"nap-{number}", schedule="* * * * * *", params={"seconds": 0.3})
    wait_for(lambda: JobExecution.objects.values("job").distinct().count() == 8)
    Job.objects.update(schedule="")

    wait_for(lambda: not JobExecution.objects.open().exists())

    assert statuses() <= {"succeeded", "skipped"}
    assert node.failure is None


def test_a_pausing_setting_claims_nothing(settings):
    settings.CRONJOBS = {"PAUSED": True}
    execution = JobExecution.objects.request("noop")
    node = NodeProcess()

    assert node.run_once() == 0
    node.stop(grace=timedelta(0))

    execution.refresh_from_db()
    assert execution.status == "queued"


def test_a_job_deleted_while_it_runs_keeps_its_history(start_node, make_job):
    job = make_job("naps", params={"seconds": 0.5})
    execution = JobExecution.objects.request("naps")
    start_node()
    wait_for(lambda: JobExecution.objects.running().exists())

    job.delete()
    wait_for(lambda: not JobExecution.objects.open().exists())

    execution.refresh_from_db()
    assert (execution.status, execution.job_name) == ("succeeded", "naps")


def test_a_result_that_the_database_refuses_does_not_take_others_with_it(start_node, make_job):
    make_job("succeeds", overlap="allow")
    # No value of ours is refused any more, so the database is told to refuse one.
    with closing(connection.cursor()) as cursor:
        cursor.execute(refuse_poison(connection.vendor))
    try:
        node = start_node()
        refused = JobExecution.objects.request("succeeds", params={"value": "poison"})
        others = [JobExecution.objects.request("succeeds", params={"value": n}) for n in range(5)]
        wait_for(lambda: not JobExecution.objects.open().exists())
    finally:
        with closing(connection.cursor()) as cursor:
            cursor.execute(accept_poison(connection.vendor))

    refused.refresh_from_db()
    assert (refused.status, refused.result) == ("succeeded", None)
    assert "could not be stored" in refused.reason
    assert {JobExecution.objects.get(pk=each.pk).result["value"] for each in others} == set(range(5))
    assert node.failure is None


def test_the_node_tells_about_itself(start_node):
    node = start_node(workers=3)

    row = wait_for(lambda: Node.objects.filter(name=node.name, last_tick_at__isnull=False).first())

    assert row.workers == 3
    assert row.rss_bytes > 10_000_000
    assert abs(row.clock_skew_ms) < 2_000
    assert Node.objects.alive().get() == row


@pytest.mark.sqlite_only
def test_endings_wait_while_another_program_holds_the_database(start_node):
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite locks the whole database")
    node = start_node()
    for _ in range(4):
        JobExecution.objects.request("noop")
    held, release = threading.Event(), threading.Event()

    def hold():
        with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            held.set()
            release.wait(3)
            other.execute("ROLLBACK")

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    holder.join()

    wait_for(lambda: statuses() == {"succeeded"})
    assert node.failure is None


TABLE = "cronjobs_jobexecution"


def refuse_poison(vendor):
    if vendor == "postgresql":
        return f"ALTER TABLE {TABLE} ADD CONSTRAINT poison CHECK (result IS NULL OR result::text NOT LIKE '%poison%')"
    if vendor == "mysql":
        return f"ALTER TABLE {TABLE} ADD CONSTRAINT poison CHECK (result IS NULL OR result NOT LIKE '%poison%')"
    return (
        f"CREATE TRIGGER poison BEFORE UPDATE ON {TABLE} WHEN NEW.result LIKE '%poison%' "
        "BEGIN SELECT RAISE(ABORT, 'poison'); END"
    )


def accept_poison(vendor):
    return "DROP TRIGGER poison" if vendor == "sqlite" else f"ALTER TABLE {TABLE} DROP CONSTRAINT poison"


def test_a_node_whose_row_was_deleted_comes_back(start_node, settings):
    settings.CRONJOBS = {"LEASE": 3}
    node = start_node()
    wait_for(lambda: Node.objects.filter(name=node.name).exists())

    Node.objects.all().delete()

    wait_for(lambda: Node.objects.alive().filter(name=node.name).exists())


def test_what_has_ended_is_recorded_before_the_rest_is_given_up(define, monkeypatch):
    told, gate, end = [], threading.Event(), threading.Event()

    def delay(execution, **_):
        told.append(execution.pk)
        gate.wait(30)

    def outlasts_its_node(context):
        end.wait(60)

    rest = JobExecution.objects.request(define(outlasts_its_node))
    node = NodeProcess(workers=2)
    events.execution_finished.connect(delay)
    try:
        node.start()
        JobExecution.objects.request("noop")
        wait_for(lambda: told)
        ended = JobExecution.objects.request("noop")
        wait_for(lambda: node.running == 2 and node._executor.free() == 1)
        close = node._recorder.close
        monkeypatch.setattr(node._recorder, "close", lambda *, timeout: [gate.set(), close(timeout=timeout)])
        assert not node.stop(grace=timedelta(0))
    finally:
        gate.set()
        end.set()
        events.execution_finished.disconnect(delay)

    assert JobExecution.objects.get(pk=ended.pk).status == "succeeded"
    assert JobExecution.objects.get(pk=rest.pk).status == "lost"


def test_once_ends_although_an_attempt_is_to_be_repeated(transactional_db):
    Job.objects.update(schedule="")
    again = JobExecution.objects.request("asks-again")
    others = [JobExecution.objects.request("noop") for _ in range(3)]
    node = NodeProcess()

    performed = node.run_once()

    assert node.stop(grace=timedelta(seconds=5))
    assert performed == 4
    assert node.failure is None
    again.refresh_from_db()
    assert again.status == "queued"
    assert {JobExecution.objects.get(pk=each.pk).status for each in others} == {"succeeded"}


def test_a_locked_clock_row_is_left_alone_for_a_while(make_job):
    if not connection.features.has_select_for_update_skip_locked:
        pytest.skip("SQLite has no row locks")
    Job.objects.update(schedule="")
    make_job("noop", schedule="* * * * * *")
    clock = Clock(time=SteadyClock())
    sync(read_clock("default") - timedelta(seconds=5))
    held, release = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            list(own_rows().select_for_update())
            held.set()
            release.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    try:
        waits = [clock._wait_until_next(clock.tick_once()) for _ in range(8)]
    finally:
        release.set()
        holder.join()

    assert waits == sorted(waits)
    assert waits[0] > 0.02
    assert waits[-1] == 1.0


def test_a_result_outlives_a_database_that_takes_no_writes_for_a_while(start_node, make_job):
    if connection.vendor != "postgresql":
        pytest.skip("needs a server that can be told to be read-only")
    make_job("naps", params={"seconds": 1.0})
    node = start_node()
    execution = JobExecution.objects.request("naps")
    wait_for(lambda: JobExecution.objects.running().exists())

    make_read_only("on")
    try:
        wait_for(lambda: node._recorder._backoff._failures >= 5)
        execution.refresh_from_db()
        assert execution.status == "running"
    finally:
        make_read_only("off")

    wait_for(lambda: not JobExecution.objects.open().exists())
    execution.refresh_from_db()
    assert (execution.status, execution.reason, execution.attempt) == ("succeeded", "", 1)
    assert node.failure is None


def make_read_only(value):
    """Let new connections read only, or not, and end the others."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
        cursor.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {value}')
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [name],
        )


def test_once_works_through_what_depends_on_what_it_performs(transactional_db, make_job):
    Job.objects.all().delete()
    names = ["extract", "load", "report", "publish"]
    for upstream, name in zip(["", *names], names, strict=False):
        make_job("noop", name=name, depends_on=upstream)
    make_job("noop", name="alarm", depends_on="load:failure")
    JobExecution.objects.request("extract")
    node = NodeProcess()

    performed = node.run_once()

    assert node.stop(grace=timedelta(seconds=5))
    assert performed == 4
    rows = dict(JobExecution.objects.values_list("job_name", "status"))
    assert rows == {**dict.fromkeys(names, "succeeded"), "alarm": "skipped"}


def pause_everything(settings, by, *, paused):
    if by == "setting":
        settings.CRONJOBS = {"PAUSED": paused}
    else:
        Queue.objects.update_or_create(name=EVERYTHING, defaults={"paused": paused})


@pytest.mark.parametrize("by", ["setting", "row"])
def test_while_all_jobs_are_paused_nobody_is_woken_to_claim(settings, by):
    JobExecution.objects.request("noop")
    woken = threading.Event()
    clock = Clock(time=SteadyClock(), on_work=woken.set)

    pause_everything(settings, by, paused=True)
    clock._wait_until_next(clock.tick_once())
    assert not woken.is_set()

    pause_everything(settings, by, paused=False)
    clock._wait_until_next(clock.tick_once())
    assert woken.is_set()


@pytest.mark.parametrize("by", ["setting", "row"])
def test_while_all_jobs_are_paused_nothing_is_followed_up(settings, make_job, by):
    Job.objects.all().delete()
    make_job("noop", name="extract")
    make_job("noop", name="load", depends_on="extract")
    run_inline("extract")
    pause_everything(settings, by, paused=True)
    clock = Clock(time=SteadyClock())

    clock.tick_once()
    node = NodeProcess()
    assert node.run_once() == 0
    node.stop(grace=timedelta(0))
    assert not JobExecution.objects.filter(job_name="load").exists()

    pause_everything(settings, by, paused=False)
    clock.tick_once()
    assert JobExecution.objects.filter(job_name="load", status="queued").exists()


@pytest.mark.parametrize(("ahead", "is_planned_anew"), [(timedelta(days=365), True), (timedelta(seconds=-1), False)])
def test_after_the_clock_was_set_back_while_no_node_ran_the_next_one_plans_anew(make_job, ahead, is_planned_anew):
    Job.objects.all().delete()
    job = make_job("noop", schedule="* * * * *")
    now = read_clock("default")
    reconcile(now)
    # Written while the clock was ahead, by a node that has gone since.
    Node.objects.create(name="gone", pid=1, workers=8, heartbeat_at=now + ahead, started_at=now + ahead)
    own_rows().update(next_run_time=now + timedelta(days=365))

    node = NodeProcess()
    node._prepare()
    node.stop(grace=timedelta(0))

    next_run_time = own_rows().get(id=f"cronjobs:{job.pk}").next_run_time
    assert (next_run_time < now + timedelta(minutes=3)) is is_planned_anew
