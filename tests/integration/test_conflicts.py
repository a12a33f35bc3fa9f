"""Real deadlocks, serialization failures and torn ticks: provoked by a second connection, survived by doing it again."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing, contextmanager, suppress
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction

from cronjobs.database import in_transaction, read_clock
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import claim, record
from cronjobs.runner import Claim, perform
from cronjobs.scheduler.clock_rows import own_rows
from cronjobs.scheduler.node import NodeProcess
from tests.servers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

AGAIN = "Transaction conflict, trying again."


@pytest.fixture(autouse=True)
def has_row_locks():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite locks the whole database, and has no deadlocks")


@pytest.fixture
def conflicts(caplog):
    """How often a transaction was begun again."""
    caplog.set_level(logging.DEBUG, logger="cronjobs.database")
    return lambda: [record.message for record in caplog.records].count(AGAIN)


@contextmanager
def rival(work):
    """Run `work` in a transaction of another thread meanwhile."""
    errors = []

    def run():
        try:
            with transaction.atomic():
                work()
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        thread.join()
    assert errors == []


def touch(execution, reason):
    JobExecution.objects.filter(pk=execution.pk).update(reason=reason)


def survive_deadlocks():
    """Let the other one be the victim: who has done more, or is more patient, is spared."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL deadlock_timeout = '60s'")


def test_a_deadlock_runs_the_work_again_from_the_start(make_job, conflicts):
    make_job("noop")
    first, second, *others = [JobExecution.objects.request("noop") for _ in range(40)]
    has_first, has_second = threading.Event(), threading.Event()

    def oppose():
        survive_deadlocks()
        for each in others:
            touch(each, "rival")
        touch(second, "rival")
        has_second.set()
        has_first.wait(10)
        touch(first, "rival")

    def work():
        touch(first, "ours")
        has_first.set()
        has_second.wait(10)
        touch(second, "ours")
        return "done"

    with rival(oppose):
        has_second.wait(10)
        assert in_transaction("default", work) == "done"

    assert conflicts() >= 1
    assert [JobExecution.objects.get(pk=each.pk).reason for each in (first, second)] == ["ours", "ours"]


def test_a_serialization_failure_runs_the_work_again_from_the_start(make_job, conflicts):
    make_job("noop")
    execution = JobExecution.objects.request("noop")

    def work():
        seen = JobExecution.objects.get(pk=execution.pk).reason
        if not seen:
            # Changed after our transaction has taken its picture of the database, and before it writes.
            with rival(lambda: touch(execution, "rival")):
                pass
        touch(execution, f"{seen} and ours")

    with seeing_one_picture():
        in_transaction("default", work)

    assert conflicts() == 1
    execution.refresh_from_db()
    assert execution.reason == "rival and ours"


@contextmanager
def seeing_one_picture():
    """Let the transactions of this connection see the database as it was when they began."""
    statements = {
        "postgresql": ["SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ"],
        "mysql": [
            "SET SESSION innodb_snapshot_isolation = ON",
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        ],
    }
    try:
        for statement in statements[connection.vendor]:
            execute(statement)
        yield
    except OperationalError as error:
        if "innodb_snapshot_isolation" in str(error):
            pytest.skip("this MariaDB cannot tell that a row has changed since it was read")
        raise
    finally:
        connection.close()


def claimed_and_performed(number):
    for _ in range(number):
        JobExecution.objects.request("noop")
    claims = [Claim.of(*each) for each in claim(node="a", limit=number, now=read_clock("default")).executions]
    return [perform(each, now=lambda: read_clock("default")) for each in claims]


def test_endings_that_meet_a_deadlock_are_recorded(make_job, conflicts):
    make_job("noop")
    others = [
        JobExecution.objects.request("noop", run_after=read_clock("default") + timedelta(days=1)) for _ in range(40)
    ]
    endings = claimed_and_performed(8)
    *_, last = endings
    has_last, is_waited_for = threading.Event(), threading.Event()

    def oppose():
        survive_deadlocks()
        for each in others:
            touch(each, "rival")
        touch(last.execution, "")
        has_last.set()
        is_waited_for.wait(10)
        # The batch has locked the others by now, and waits for the last.
        for ending in endings[:-1]:
            touch(ending.execution, "")

    with rival(oppose):
        has_last.wait(10)
        watcher = threading.Thread(target=set_when_somebody_waits, args=(is_waited_for,))
        watcher.start()
        assert record([], endings) == set()
        watcher.join()

    assert conflicts() >= 1
    assert set(
        JobExecution.objects.filter(pk__in=[e.execution.pk for e in endings]).values_list("status", flat=True)
    ) == {"succeeded"}


def set_when_somebody_waits(event):
    try:
        wait_for(somebody_waits)
    finally:
        event.set()
        connection.close()


WAITING = {
    "postgresql": "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    "mysql": (
        "SELECT 1 FROM information_schema.innodb_trx JOIN information_schema.processlist "
        "ON id = trx_mysql_thread_id WHERE db = database() AND trx_state = 'LOCK WAIT'"
    ),
}


def somebody_waits():
    # MariaDB shows who asks more often than that the same picture again.
    time.sleep(0.15)
    return execute(WAITING[connection.vendor])


SLOW_INSERT = {
    "postgresql": """
        CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(30); RETURN NEW; END $$;
        CREATE TRIGGER slow BEFORE INSERT ON cronjobs_jobexecution FOR EACH ROW EXECUTE FUNCTION slow()
    """,
    "mysql": "CREATE TRIGGER slow BEFORE INSERT ON cronjobs_jobexecution FOR EACH ROW SET @slept = SLEEP(30)",
}
FAST_INSERT = {"postgresql": "DROP FUNCTION slow CASCADE", "mysql": "DROP TRIGGER slow"}
IN_THE_MIDDLE = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'",
    "mysql": "SELECT id FROM information_schema.processlist WHERE db = database() AND state = 'User sleep'",
}
END = {"postgresql": "SELECT pg_terminate_backend(%s)", "mysql": "KILL CONNECTION %s"}


def execute(statement, *params):
    with closing(connection.cursor()) as cursor:
        cursor.execute(statement, params or None)
        return cursor.fetchall() if cursor.description else []


def test_a_connection_that_dies_in_the_middle_of_a_tick_leaves_one_row_and_no_gap(make_job):
    Job.objects.update(schedule="")
    job = make_job("noop", schedule="* * * * * *")
    node = NodeProcess()
    vendor = connection.vendor
    execute(SLOW_INSERT[vendor])
    try:
        node.start()
        (pid,) = wait_for(lambda: execute(IN_THE_MIDDLE[vendor]))[0]
        undecided = own_rows().get(id=f"cronjobs:{job.pk}").next_run_time
    finally:
        # Waits for the tick's lock on the table, or is waited for by the next tick.
        ender = threading.Thread(target=end_the_tick, args=(vendor,))
        ender.start()
        execute(FAST_INSERT[vendor])
        ender.join()

    rows = JobExecution.objects.filter(job=job).order_by("scheduled_for")
    wait_for(lambda: rows.count() >= 3)
    node.stop(grace=timedelta(seconds=10))

    assert pid
    times = list(rows.values_list("scheduled_for", flat=True))
    assert times == [undecided + timedelta(seconds=number) for number in range(len(times))]
    assert node.failure is None


def end_the_tick(vendor):
    """End whatever sleeps in the middle of a tick, until nothing does."""
    try:
        with suppress(OperationalError):
            while found := execute(IN_THE_MIDDLE[vendor]):
                for (pid,) in found:
                    execute(END[vendor], pid)
    finally:
        connection.close()
