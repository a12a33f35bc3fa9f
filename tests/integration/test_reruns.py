"""Running an execution again: another row that says whose repetition it is."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from cronjobs.database import read_clock
from cronjobs.exceptions import CannotRetry, ExecutionNotFound, JobGone, JobUnfit, ParametersUnfit, StillOpen
from cronjobs.manager import cron_manager
from cronjobs.models import Calendar, Job, JobExecution
from cronjobs.models.moves import cancel, claim
from cronjobs.models.reruns import retry
from cronjobs.scheduler.plans import sync
from cronjobs.scheduler.requests import skip_next
from cronjobs.scheduler.ticks import tick
from cronjobs.states import FINAL, OPEN
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def ended(make_job):
    """Make an execution that has ended, of a job that takes parameters."""

    def make(status="failed", **columns):
        make_job("succeeds")
        execution = JobExecution.objects.request("succeeds", params={"value": 7})
        JobExecution.objects.filter(pk=execution.pk).update(status=status, **columns)
        execution.refresh_from_db()
        return execution

    return make


@pytest.mark.parametrize("status", sorted(FINAL - {"missed"}))
def test_what_has_ended_runs_again_as_a_row_of_its_own(ended, status):
    original = ended(status, scheduled_for=NOON, due_at=NOON, attempt=3)
    before = JobExecution.objects.filter(pk=original.pk).values().get()

    rerun, is_new = retry(original.pk, requested_by="ann")

    rerun.refresh_from_db()
    assert is_new
    assert rerun.pk != original.pk
    assert (rerun.job_id, rerun.job_name, rerun.trigger) == (original.job_id, "succeeds", "retry")
    assert (rerun.status, rerun.attempt, rerun.requested_by) == ("queued", 0, "ann")
    assert (rerun.retry_of_id, rerun.params, rerun.dedupe_key) == (original.pk, {"value": 7}, None)
    # It stands for the same time, but it is due now.
    assert rerun.scheduled_for == NOON
    assert rerun.due_at == rerun.run_after == rerun.queued_at >= original.queued_at
    assert JobExecution.objects.filter(pk=original.pk).values().get() == before


def test_a_node_performs_it(ended):
    original = ended()
    rerun, _ = retry(original.pk)

    ((claimed, _),) = claim(node="a", limit=5, now=read_clock("default")).executions

    assert claimed.pk == rerun.pk


def test_it_has_attempts_priority_and_queue_of_the_job_as_it_is_now(ended):
    original = ended(max_attempts=1, queue="old", priority=1)
    Job.objects.filter(name="succeeds").update(max_attempts=5, queue="new", priority=4)

    rerun, _ = retry(original.pk)

    assert (rerun.max_attempts, rerun.queue, rerun.priority) == (5, "new", 4)


@pytest.mark.parametrize(("flow", "expected"), [(None, "its own id"), (99, 99)])
def test_it_takes_its_place_in_the_flow(ended, flow, expected):
    original = ended(flow=flow, upstream_id=98)

    rerun, _ = retry(original.pk)

    assert rerun.flow == (original.pk if expected == "its own id" else expected)
    assert rerun.upstream_id == 98


def test_asking_twice_leads_to_the_one_that_is_open(ended):
    original = ended()

    first, second = retry(original.pk, requested_by="ann"), retry(original.pk, requested_by="bob")

    assert (first.is_new, second.is_new) == (True, False)
    assert first.execution == second.execution
    JobExecution.objects.filter(pk=first.execution.pk).update(status="failed")
    assert retry(original.pk).is_new


def test_a_rerun_can_be_run_again_itself(ended):
    original = ended()
    first, _ = retry(original.pk)
    JobExecution.objects.filter(pk=first.pk).update(status="failed")

    second, _ = retry(first.pk)

    assert (second.retry_of_id, second.flow) == (first.pk, original.pk)


def test_it_waits_where_a_due_time_would_be_skipped(ended):
    original = ended()
    JobExecution.objects.request("succeeds")
    claim(node="a", limit=1, now=read_clock("default"))

    rerun, _ = retry(original.pk)

    assert claim(node="a", limit=5, now=read_clock("default")).executions == []
    rerun.refresh_from_db()
    assert rerun.status == "queued"


@pytest.mark.parametrize("way", ["skip_next", "calendar", "overlap"])
def test_what_was_skipped_runs_with_the_parameters_that_it_would_have_had(make_job, database_now, way):
    Job.objects.all().delete()
    columns = {"params": {"value": 7}, "schedule": "* * * * *"}
    if way == "calendar":
        columns["calendar"] = Calendar.objects.create(name="holidays", dates=[f"{NOON:%Y-%m-%d}"])
    job = make_job("succeeds", **columns)
    sync(NOON)
    if way == "skip_next":
        skip_next(job, by="ann")
    else:
        tick(NOON + MINUTE)
        tick(NOON + 2 * MINUTE)
    skipped = JobExecution.objects.filter(status="skipped").get()
    # What is changed later makes no difference.
    Job.objects.update(params={"value": 8})

    assert retry(skipped.pk).execution.params == {"value": 7}


@pytest.mark.parametrize("status", sorted(OPEN))
def test_what_has_not_ended_is_to_be_cancelled_first(ended, status):
    original = ended(status)

    with pytest.raises(StillOpen, match=f"it is still {status}. Cancel it first."):
        retry(original.pk)
    assert JobExecution.objects.count() == 1


def test_what_was_cancelled_before_it_began_can_be_run(make_job):
    make_job("succeeds")
    original = JobExecution.objects.request("succeeds")
    cancel(JobExecution.objects.all(), reason="Not yet.")

    assert retry(original.pk).execution.status == "queued"


def test_due_times_that_were_missed_are_a_back_fills(ended):
    original = ended("missed")

    with pytest.raises(CannotRetry, match="A back-fill runs them"):
        retry(original.pk)


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        pytest.param({"pk": -1}, JobGone, "its job, succeeds, is no longer there.", id="gone"),
        pytest.param({"definition": "unknown"}, JobUnfit, "No job definition is registered as 'unknown'", id="code"),
        pytest.param({"time_zone": "Mars/Base"}, JobUnfit, "Mars/Base", id="broken"),
        pytest.param({"definition": "noop"}, ParametersUnfit, "value: There is no such parameter.", id="parameters"),
    ],
)
def test_what_its_job_cannot_do_is_refused_with_the_reason(ended, change, error, sentence):
    original = ended()
    jobs = Job.objects.filter(name="succeeds")
    jobs.delete() if "pk" in change else jobs.update(**change)

    with pytest.raises(error) as caught:
        retry(original.pk)

    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"Execution {original.pk} cannot be run again: ")
    assert JobExecution.objects.count() == 1


def test_another_job_of_the_same_name_is_not_its_job(ended, make_job):
    original = ended()
    Job.objects.filter(name="succeeds").delete()
    make_job("noop", name="succeeds")

    with pytest.raises(JobGone):
        retry(original.pk)


def test_what_is_not_there_cannot_be_run():
    with pytest.raises(ExecutionNotFound, match="no execution 0"):
        retry(0)


def test_the_manager_returns_the_new_execution(ended):
    original = ended()

    rerun = cron_manager.retry(original.pk, requested_by="ann")

    assert (rerun.retry_of_id, rerun.requested_by) == (original.pk, "ann")


@pytest.mark.django_db(transaction=True)
def test_a_crowd_that_asks_at_once_gets_one(ended):
    original, barrier, answers = ended(), threading.Barrier(5), []

    def ask():
        try:
            barrier.wait()
            answers.append(retry(original.pk))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)

    assert sorted(each.is_new for each in answers) == [False] * 4 + [True]
    assert len({each.execution.pk for each in answers}) == 1
    assert JobExecution.objects.count() == 2
