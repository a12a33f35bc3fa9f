"""Purges that are stopped, meet others, or meet those who work with the same rows."""

from __future__ import annotations

import signal
import threading

import pytest
from django.db import connection, transaction

from cronjobs.database import read_clock
from cronjobs.executors.inline import run_inline
from cronjobs.jobs.purge import purge_history
from cronjobs.logs import JobContext, create_job_logger
from cronjobs.models import ExecutionLog, JobExecution
from cronjobs.retention import Pace, Purge, current_policy
from tests.commands import run_command
from tests.integration.retention.conftest import add_traces, left, no_rest

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def history(make_job, record):
    """Make so many old executions with their logs, and the newest one; return its id."""
    job = make_job("noop")

    def make(number):
        rows = [record(job, 40) for _ in range(number)]
        for each in rows:
            add_traces(each)
        return record(job, 0.5).pk

    return make


def orphans():
    return ExecutionLog.objects.exclude(execution__in=JobExecution.objects.all()).count()


def test_one_that_is_stopped_leaves_nothing_half_deleted_and_the_next_goes_on(history, database_now):
    newest = history(30)
    rests = iter([False, False, True])

    stopped = Purge(current_policy(database_now), pace=Pace(rest=lambda _: next(rests, True), size=5))
    assert stopped.perform().executions == 15
    assert not stopped.is_complete
    assert (JobExecution.objects.count(), orphans()) == (16, 0)

    rest = Purge(current_policy(database_now))
    assert rest.perform().executions == 15
    assert rest.is_complete
    assert left() == [newest]


def test_an_error_in_the_middle_of_a_batch_takes_back_the_batch(history, database_now):
    history(10)

    def fail(execute, sql, params, many, context):
        if sql.startswith("DELETE") and "jobexecution" in sql:
            raise RuntimeError("boom")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail), pytest.raises(RuntimeError):
        Purge(current_policy(database_now)).perform()

    assert (JobExecution.objects.count(), ExecutionLog.objects.count()) == (11, 20)


@pytest.fixture
def heard():
    """Let Ctrl-C be heard, as it is not in a process that a shell has put into the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("presses", "deleted", "said"),
    [
        (1, 5, "Interrupted. Deleted 5 executions, 5 attempts, 10 lines of logs. Run it again to go on."),
        (2, 0, "Interrupted at once. What was deleted stays so. Run it again to go on."),
    ],
)
def test_ctrl_c_lets_the_command_end_its_batch_and_a_second_one_takes_that_back(history, heard, presses, deleted, said):
    history(20)
    left_to_press = iter(range(presses))

    def press(execute, sql, params, many, context):
        done = execute(sql, params, many, context)
        if sql.startswith("DELETE") and "jobexecution" in sql:
            for _ in left_to_press:
                signal.raise_signal(signal.SIGINT)
        return done

    with connection.execute_wrapper(press):
        out, err, code = run_command("purge_executions", "--batch", "5")

    assert (out, err.strip(), code) == ("", f"CommandError: {said}", 1)
    assert (JobExecution.objects.count(), orphans()) == (21 - deleted, 0)
    assert signal.getsignal(signal.SIGINT) is heard


def test_two_purges_at_once_delete_everything_once(history, database_now):
    newest = history(200)
    barrier, tallies, errors = threading.Barrier(3), [], []

    def work():
        try:
            barrier.wait(10)
            tallies.append(Purge(current_policy(database_now), pace=Pace(rest=no_rest, size=3)).perform())
        except Exception as error:  # noqa: BLE001 - told below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert errors == []
    # What one has locked the others pass over.
    assert sum(each.executions for each in tallies) == 200
    assert sum(each.log_lines for each in tallies) == 400
    assert (left(), orphans()) == ([newest], 0)


def test_what_somebody_holds_is_left_for_the_next_time(history, database_now):
    if not connection.features.has_select_for_update_skip_locked:
        pytest.skip("there are no locks on rows")
    newest = history(5)
    held = JobExecution.objects.order_by("pk").first()
    is_held, may_end = threading.Event(), threading.Event()

    def hold():
        try:
            with transaction.atomic():
                JobExecution.objects.select_for_update().get(pk=held.pk)
                is_held.set()
                may_end.wait(30)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait(30)
    try:
        assert Purge(current_policy(database_now)).perform().executions == 4
    finally:
        may_end.set()
        holder.join()

    assert left() == [held.pk, newest]
    assert held.log_lines.count() == 2


def test_the_job_is_in_its_own_history_and_says_what_it_did(history):
    newest = history(12)

    execution = run_inline("purge-history")

    assert execution.status == "succeeded"
    assert execution.result["complete"] is True
    assert (execution.result["deletedCount"], execution.result["logLineCount"]) == (12, 24)
    assert execution.result["endedBefore"] < execution.result["timestamp"]
    assert left() == [newest, execution.pk]
    messages = list(execution.log_lines.order_by("number").values_list("message", flat=True))
    assert messages[-1] == "Deleted 12 executions, 12 attempts, 24 lines of logs."


def test_the_job_can_be_called_like_a_function(history):
    history(3)

    assert purge_history()["deletedCount"] == 3


@pytest.mark.parametrize("event", ["stop_requested", "node_stops"])
def test_the_job_ends_after_a_batch_when_it_is_cancelled_or_its_node_stops(history, event):
    history(300)
    context = JobContext(
        execution_id=0,
        job_name="purge-history",
        trigger="manual",
        scheduled_for=read_clock("default"),
        attempt=1,
        max_attempts=1,
        log=create_job_logger("purge-history"),
    )
    getattr(context, event).set()

    result = purge_history(context)

    assert result["complete"] is False
    assert 0 < result["deletedCount"] < 300
    assert JobExecution.objects.count() == 301 - result["deletedCount"]
    assert orphans() == 0
