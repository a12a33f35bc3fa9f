"""What code has enqueued is performed when a test says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from cronjobs.models import Job, JobExecution, Queue
from cronjobs.registry import registry
from cronjobs.testing import run_queued
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db


def test_what_waits_is_performed_and_returned():
    registry["succeeds"].enqueue(value=1)
    registry["succeeds"].enqueue(value=2)

    assert [(each.status, each.result) for each in run_queued()] == [
        ("succeeded", {"value": 1}),
        ("succeeded", {"value": 2}),
    ]
    assert run_queued() == []


def test_what_is_more_urgent_comes_first(cronjobs_job):
    order = []

    @cronjobs_job("orderly")
    def orderly(context, *, name):
        order.append(name)

    orderly.enqueue(name="second")
    orderly.enqueue(name="first", priority=5)
    run_queued()

    assert order == ["first", "second"]


def test_what_is_for_later_waits_for_its_time():
    later = NOON.replace(year=2090)
    registry["succeeds"].enqueue(run_at=later)

    assert run_queued() == run_queued(later - timedelta(seconds=1)) == []
    assert [each.finished_at for each in run_queued(at=later)] == [later]


def test_a_clock_that_a_test_has_set_back_holds_up_nothing():
    with time_machine.travel(NOON.replace(year=2019), tick=False):
        registry["succeeds"].enqueue()

        assert len(run_queued()) == 1
    registry["succeeds"].enqueue()
    assert len(run_queued(NOON.replace(year=2019))) == 1


def test_what_jobs_enqueue_themselves_is_performed_too(cronjobs_job):
    @cronjobs_job("countdown")
    def countdown(context, *, number):
        if number:
            countdown.enqueue(number=number - 1)

    countdown.enqueue(number=3)

    assert [each.params["number"] for each in run_queued()] == [3, 2, 1, 0]


def test_a_job_that_enqueues_itself_for_ever_does_not_run_for_ever(cronjobs_job):
    @cronjobs_job("restless")
    def restless(context):
        restless.enqueue()

    restless.enqueue()

    with pytest.raises(AssertionError, match="5 executions have run, and more wait"):
        run_queued(most=5)


def test_others_may_be_left_alone(make_job):
    make_job("noop", name="after", depends_on="succeeds")
    registry["succeeds"].enqueue()
    registry["noop"].enqueue()

    assert [each.job_name for each in run_queued(jobs=registry["succeeds"])] == ["succeeds", "after"]
    assert [each.job_name for each in run_queued()] == ["noop"]


def test_what_is_paused_goes_on_waiting():
    Queue.objects.ensure()
    Queue.objects.named("default").pause()
    registry["succeeds"].enqueue()

    assert run_queued() == []

    Queue.objects.named("default").resume()
    assert len(run_queued()) == 1


def test_what_a_rate_limits_goes_on_waiting(make_job):
    make_job("succeeds", rate_limit="1/h")
    registry["succeeds"].enqueue_many([{}, {}])

    assert len(run_queued()) == 1
    assert JobExecution.objects.waiting().count() == 1


def test_while_everything_is_paused_nothing_follows(make_job):
    make_job("noop", name="after", depends_on="succeeds")
    registry["succeeds"].enqueue()
    Queue.objects.ensure()
    Queue.objects.named("*").pause()

    assert run_queued() == []


def test_the_history_of_a_job_that_was_deleted_ends_honestly():
    registry["succeeds"].enqueue()
    Job.objects.filter(name="succeeds").delete()

    (execution,) = run_queued(raise_exceptions=False)

    assert (execution.status, execution.error_message) == ("failed", "There is no job named 'succeeds'.")
