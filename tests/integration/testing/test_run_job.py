"""A job runs in the thread of a test, and its execution is there to be looked at."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import TestCase

from cronjobs import Retry, RetryPolicy, Skip
from cronjobs.exceptions import InvalidParameters, JobNotFound
from cronjobs.models import Job, JobExecution
from cronjobs.registry import registry
from cronjobs.testing import capture_alerts, run_job
from tests.integration.listening import listening

pytestmark = pytest.mark.django_db
# Whatever the clock of the database shows.
FAR = [datetime(2019, 3, 1, 7, tzinfo=UTC), datetime(2090, 3, 1, 7, tzinfo=UTC)]


def test_the_execution_is_returned_as_it_was_recorded():
    execution = run_job("succeeds", value=5)

    assert execution == JobExecution.objects.get()
    assert (execution.status, execution.result, execution.params) == ("succeeded", {"value": 5}, {"value": 5})
    assert (execution.trigger, execution.attempt, execution.max_attempts) == ("manual", 1, 1)
    assert execution.finished_at >= execution.started_at


@pytest.mark.parametrize(
    "given",
    [lambda: "succeeds", lambda: registry["succeeds"], lambda: Job.objects.named("succeeds")],
    ids=["name", "definition", "job"],
)
def test_a_job_is_named_or_handed_over(given):
    assert run_job(given()).job_name == "succeeds"


def test_a_job_whose_row_a_test_has_deleted_is_made_anew():
    Job.objects.all().delete()

    assert run_job("succeeds").status == "succeeded"


def test_what_is_asked_of_nobody_is_an_error():
    with pytest.raises(JobNotFound):
        run_job("no-such-job")
    with pytest.raises(InvalidParameters):
        run_job("succeeds", colour="red")


def test_parameters_may_have_the_names_of_options(cronjobs_job):
    @cronjobs_job("opinionated")
    def opinionated(context, *, retry, job):
        return [retry, job]

    assert run_job(opinionated, params={"retry": 7}, job="x").result == [7, "x"]


def test_what_a_job_raises_is_raised_once_it_is_recorded():
    with pytest.raises(RuntimeError, match="boom") as caught:
        run_job("fails")

    execution = JobExecution.objects.get()
    assert (execution.status, execution.error_message) == ("failed", "boom")
    shown = [entry.name for entry in caught.traceback if not entry.ishidden(caught)]
    assert shown == ["test_what_a_job_raises_is_raised_once_it_is_recorded", "fails"]


def test_an_error_may_be_left_in_the_execution():
    execution = run_job("fails", raise_exceptions=False)

    assert (execution.status, execution.error_type, execution.error_message) == ("failed", "RuntimeError", "boom")
    assert 'raise RuntimeError("boom")' in execution.traceback


def test_a_job_that_is_broken_says_why(make_job):
    make_job("succeeds")
    Job.objects.filter(name="succeeds").update(time_zone="Mars/Base")

    with pytest.raises(Exception, match="Mars/Base"):
        run_job("succeeds")


def test_there_is_one_attempt():
    execution = run_job("fails-twice", raise_exceptions=False)

    assert (execution.status, execution.attempt, execution.error_message) == ("failed", 1, "attempt 1")


def test_further_attempts_do_not_wait(cronjobs_job):
    @cronjobs_job("patient-one", retry=RetryPolicy(max_attempts=3, initial_delay=3_600, max_delay=3_600))
    def patient_one(context):
        if context.attempt < 3:
            raise ConnectionError(f"attempt {context.attempt}")
        return "at last"

    execution = run_job(patient_one, retry=True)

    assert (execution.status, execution.attempt, execution.result) == ("succeeded", 3, "at last")
    assert list(execution.attempts.values_list("error_message", flat=True)) == ["attempt 1", "attempt 2"]


def test_of_several_attempts_the_last_error_is_raised(cronjobs_job):
    @cronjobs_job("never-good", retry=RetryPolicy(max_attempts=2))
    def never_good(context):
        raise Retry(f"attempt {context.attempt}", after=timedelta(days=1))

    with pytest.raises(Retry, match="attempt 2"):
        run_job(never_good, retry=True)


def test_a_job_that_skips_itself_has_made_no_mistake(cronjobs_job):
    @cronjobs_job("idle")
    def idle(context):
        try:
            return 1 / 0
        except ZeroDivisionError:
            raise Skip("nothing to do") from None

    execution = run_job(idle)

    assert (execution.status, execution.reason) == ("skipped", "nothing to do")


def test_a_job_that_performs_another_one_may_live_with_its_failure(cronjobs_job):
    @cronjobs_job("forgiving")
    def forgiving(context):
        return run_job("fails", raise_exceptions=False).status

    assert run_job(forgiving).result == "failed"


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), pytest.fail.Exception("from a stub")], ids=lambda each: repr(each)[:8]
)
def test_who_wants_the_test_to_end_is_heard(cronjobs_job, error):
    @cronjobs_job("interrupted", retry=RetryPolicy(max_attempts=3))
    def interrupted(context):
        raise error

    with pytest.raises(type(error)):
        run_job(interrupted, retry=True, raise_exceptions=False)

    assert JobExecution.objects.get().attempt == 1


@pytest.mark.parametrize("at", FAR)
def test_an_execution_may_stand_for_any_time(cronjobs_job, at):
    @cronjobs_job("dated")
    def dated(context):
        return context.scheduled_for.isoformat()

    execution = run_job(dated, scheduled_for=at)

    assert execution.result == at.isoformat()
    assert execution.scheduled_for == execution.started_at == execution.finished_at == at


def test_a_time_without_a_zone_is_none():
    with pytest.raises(ValueError, match="2026-03-29T07:00:00 has no zone"):
        run_job("succeeds", scheduled_for="2026-03-29T07:00")


@pytest.mark.parametrize("at", [None, *FAR])
@pytest.mark.parametrize("dependents", [True, False])
def test_what_depends_on_a_job_runs_if_it_is_asked_for(make_job, at, dependents):
    make_job("adds-up", name="extract", params={"value": 1})
    make_job("adds-up", name="load", depends_on="extract", params={"value": 1})
    make_job("adds-up", name="report", depends_on="load", params={"value": 1})
    make_job("adds-up", name="alarm", depends_on="load:failure")

    root = run_job("extract", scheduled_for=at, dependents=dependents)

    below = JobExecution.objects.filter(flow=root.pk)
    found = {each.job_name: (each.status, each.result and each.result["value"]) for each in below}
    expected = {"load": ("succeeded", 2), "report": ("succeeded", 3), "alarm": ("skipped", None)}
    assert found == (expected if dependents else {})


def test_what_waits_beside_a_flow_is_left_alone():
    waiting = JobExecution.objects.request("succeeds")

    run_job("noop", dependents=True)

    waiting.refresh_from_db()
    assert waiting.status == "queued"


@pytest.mark.parametrize(
    "columns", [{"paused": True}, {"enabled": False}, {"rate_limit": "1/h"}], ids=lambda columns: next(iter(columns))
)
def test_nothing_holds_back_what_a_test_asks_for(make_job, columns):
    make_job("succeeds", **columns)

    assert [run_job("succeeds").status for _ in range(2)] == ["succeeded", "succeeded"]


@pytest.mark.parametrize("is_committing", [False, pytest.param(True, marks=pytest.mark.django_db(transaction=True))])
def test_it_runs_in_this_very_thread_whatever_its_limits_and_its_executor(cronjobs_job, is_committing, settings):
    settings.CRONJOBS = {"EXECUTOR": "process"}
    threads = threading.enumerate()

    @cronjobs_job("held-to-limits", timeout=60, memory_limit="1G", executor="process")
    def held_to_limits(context):
        return [os.getpid(), threading.get_ident(), threading.enumerate() == threads]

    assert connection.in_atomic_block is not is_committing
    assert run_job(held_to_limits).result == [os.getpid(), threading.get_ident(), True]


def test_what_it_says_is_in_its_log():
    assert run_job("logs").log_lines.first().message == "Beginning"


def test_a_coroutine_is_awaited(cronjobs_job):
    @cronjobs_job("asynchronous")
    async def asynchronous(context):
        return await JobExecution.objects.acount()

    assert run_job(asynchronous).result == 1


def test_observers_are_told():
    with listening() as heard:
        execution = run_job("succeeds")

    assert [(name, pk) for name, pk, _ in heard] == [
        ("execution_started", execution.pk),
        ("execution_finished", execution.pk),
    ]


def test_no_monitor_is_called(make_job):
    make_job("succeeds", ping_url="https://hc.example.com/of-a-monitor")

    run_job("succeeds")
    with capture_alerts() as told:
        run_job("succeeds")

    assert [(each.address, each.kind.name) for each in told.pings] == [
        ("https://hc.example.com/of-a-monitor", "START"),
        ("https://hc.example.com/of-a-monitor", "SUCCESS"),
    ]


def breaks_the_transaction(context):
    Job.objects.create(name="succeeds", definition="succeeds")


def test_a_job_that_the_database_refuses_leaves_a_test_that_goes_on(cronjobs_job):
    refused = cronjobs_job("refused", retry=RetryPolicy(max_attempts=2))(breaks_the_transaction)

    with pytest.raises(IntegrityError):
        run_job(refused)
    execution = run_job(refused, retry=True, raise_exceptions=False)

    assert (execution.status, execution.attempt) == ("failed", 2)
    assert Job.objects.filter(name="succeeds").count() == 1


def test_what_was_to_follow_the_commit_of_what_is_undone_is_forgotten(cronjobs_job):
    of_the_test, of_the_job = (lambda: None), (lambda: None)

    @cronjobs_job("promises")
    def promises(context):
        transaction.on_commit(of_the_job)
        transaction.set_rollback(True)

    transaction.on_commit(of_the_test)
    run_job(promises, raise_exceptions=False)

    kept = [callback for _, callback, _ in connection.run_on_commit]
    assert of_the_test in kept
    assert of_the_job not in kept


def test_a_job_that_survives_its_refusal_is_recorded_as_what_it_is(cronjobs_job):
    @cronjobs_job("unperturbed")
    def unperturbed(context):
        with pytest.raises(IntegrityError):
            breaks_the_transaction(context)
        return "fine"

    assert run_job(unperturbed).result == "fine"


def test_a_job_that_leaves_a_transaction_open_leaves_the_tests_own_alone():
    before = list(connection.savepoint_ids)

    execution = run_job("opens-transaction")

    assert execution.status == "succeeded"
    assert connection.savepoint_ids == before
    assert Job.objects.exists()


class WithinATestCase(TestCase):
    """The way of Django's own tests."""

    def test_it_runs_in_the_transaction_of_the_test(self):
        Job.objects.filter(name="succeeds").update(params={"value": 3})

        self.assertEqual(run_job("succeeds").result, {"value": 3})  # noqa: PT009 - as those do
