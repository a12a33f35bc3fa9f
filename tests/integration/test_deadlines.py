"""Deadlines: stamped with the claim, and what follows from them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs import events
from cronjobs.database import read_clock
from cronjobs.exceptions import InvalidJob
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import claim
from cronjobs.runner import Claim
from cronjobs.scheduler.overruns import Overruns
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db


def test_a_claim_stamps_each_job_with_its_own_deadline_in_no_further_statement(make_job):
    for name, timeout in (("a", None), ("b", timedelta(seconds=5)), ("c", timedelta(days=1))):
        JobExecution.objects.request(make_job("noop", name=name, timeout=timeout).name)
    now = read_clock("default")

    with CaptureQueriesContext(
        connection,
    ) as captured:
        claimed = claim(node="a", limit=10, now=now).executions

    stamped = dict(JobExecution.objects.values_list("job_name", "deadline_at"))
    assert stamped == {"a": None, "b": now + timedelta(seconds=5), "c": now + timedelta(days=1)}
    assert {each.job_name: each.deadline_at for each, _ in claimed} == stamped
    assert len([each for each in captured if each["sql"].startswith("UPDATE")]) == 1


def test_a_deadline_goes_when_the_timeout_does(make_job):
    job = make_job("noop", timeout=timedelta(seconds=5))
    execution = JobExecution.objects.request(job.name)
    claim(node="a", limit=1, now=read_clock("default"))
    JobExecution.objects.update(status="queued")
    Job.objects.update(timeout=None)

    claim(node="a", limit=1, now=read_clock("default"))

    execution.refresh_from_db()
    assert (execution.attempt, execution.deadline_at) == (2, None)


@pytest.mark.parametrize(
    ("status", "late_by", "is_overrunning"), [("running", 1, True), ("running", 0, False), ("succeeded", 1, False)]
)
def test_what_runs_past_its_deadline_overruns(make_job, status, late_by, is_overrunning):
    execution = JobExecution.objects.request(make_job().name)
    JobExecution.objects.update(status=status, deadline_at=NOON - timedelta(seconds=late_by))

    execution.refresh_from_db()
    assert execution.is_overrunning(NOON) is is_overrunning
    assert JobExecution.objects.overrunning(NOON).exists() is is_overrunning


@pytest.fixture
def held(make_job):
    """The claim on an execution, in a thread, whose deadline is noon."""
    job = make_job("overruns")
    execution = JobExecution.objects.request(job.name)
    execution.status, execution.deadline_at, execution.attempt = "running", NOON, 1
    return Claim.of(execution, job)


@pytest.fixture
def heard():
    heard = []

    def hear(execution, **_):
        heard.append(execution.pk)

    events.execution_overrunning.connect(hear)
    yield heard
    events.execution_overrunning.disconnect(hear)


def test_an_overrun_is_reported_once(held, heard):
    times = [NOON, *[NOON + timedelta(seconds=1)] * 2]
    overruns = Overruns(lambda: times.pop(0))

    reports = []
    for _ in range(3):
        overruns.report([held])
        reports.append(len(heard))

    assert reports == [0, 1, 1]
    assert heard == [held.execution.pk]
    assert [each.message for each in held.log.take()] == [
        "It takes longer than its timeout; it runs in a thread, which cannot be stopped."
    ]


def test_what_has_ended_is_not_reported_while_its_row_waits_to_be_written(held, heard):
    overruns = Overruns(lambda: NOON + timedelta(seconds=1))

    overruns.ended(held)
    overruns.report([held])

    assert heard == []


def test_a_process_is_ended_and_not_reported(make_job, held, heard):
    held.job.executor = "process"

    Overruns(lambda: NOON + timedelta(seconds=1)).report([held])

    assert heard == []


def test_a_thread_with_a_limit_on_memory_makes_a_job_broken(make_job):
    job = make_job("limited", executor="thread", memory_limit=10**9)

    with pytest.raises(InvalidJob, match="Only a process can be limited in memory and CPU time"):
        job.resolve()
    with pytest.raises(ValidationError, match="Only a process can be limited"):
        job.full_clean()


def test_a_limit_makes_a_job_of_threads_one_of_processes(make_job):
    assert make_job("noop").resolve().executor == "thread"
    assert make_job("noop", timeout=timedelta(seconds=1)).resolve().executor == "process"
    assert make_job("noop", timeout=timedelta(seconds=1), executor="thread").resolve().executor == "thread"
