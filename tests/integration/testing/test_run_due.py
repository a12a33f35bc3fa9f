"""What a node does at one instant, at any that a test names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django_apscheduler.models import DjangoJob

from cronjobs import RetryPolicy
from cronjobs.models import Calendar, Job, JobExecution, Queue
from cronjobs.testing import run_due
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def told(executions):
    return [(each.job_name, each.trigger, each.status) for each in executions]


def at(year):
    return NOON.replace(year=year)


@pytest.fixture
def minutely(make_job):
    return make_job("noop", name="minutely", schedule="* * * * *")


@pytest.mark.parametrize("year", [2019, 2026, 2090])
def test_what_is_due_runs_with_its_due_time(minutely, year):
    (execution,) = run_due(at(year))

    assert told([execution]) == [("minutely", "schedule", "succeeded")]
    assert execution.scheduled_for == execution.started_at == execution.finished_at == at(year)


@pytest.mark.parametrize("moment", [NOON + timedelta(seconds=1), NOON - timedelta(microseconds=1)])
def test_what_is_not_due_in_that_second_does_not_run(minutely, moment):
    assert run_due(moment) == []


def test_a_fraction_of_a_second_late_is_in_time(minutely):
    assert len(run_due(NOON + timedelta(seconds=0.9))) == 1


def test_without_a_time_it_is_that_of_pythons_clock(minutely):
    with time_machine.travel(NOON, tick=False):
        assert [each.scheduled_for for each in run_due()] == [NOON]


def test_a_time_may_be_text(make_job):
    make_job("noop", name="digest", schedule="0 7 * * mon-fri", time_zone="Europe/Berlin")

    assert [each.scheduled_for for each in run_due("2026-03-30T07:00+02:00")] == [datetime(2026, 3, 30, 5, tzinfo=UTC)]
    assert run_due("2026-03-30T07:00+01:00") == []


def test_a_due_time_runs_once(minutely):
    assert len(run_due(NOON)) == 1
    assert run_due(NOON) == []


@pytest.mark.parametrize("step", [timedelta(days=365), -timedelta(days=365)])
def test_each_call_stands_for_itself(minutely, step):
    run_due(NOON)

    assert told(run_due(NOON + step)) == [("minutely", "schedule", "succeeded")]


def test_what_a_node_had_planned_before_counts_for_nothing(minutely):
    run_due(NOON)
    DjangoJob.objects.update(next_run_time=NOON + timedelta(hours=3))

    assert len(run_due(NOON + MINUTE)) == 1


def test_afterwards_the_clock_goes_on_from_there(minutely):
    run_due(NOON)

    assert set(DjangoJob.objects.filter(id=f"cronjobs:{minutely.pk}").values_list("next_run_time", flat=True)) == {
        NOON + MINUTE
    }


def test_an_outage_leaves_the_latest_due_time_and_one_missed_row(minutely):
    executions = run_due(NOON + timedelta(seconds=30), since=NOON - timedelta(days=1))

    assert told(executions) == [("minutely", "schedule", "missed"), ("minutely", "catch_up", "succeeded")]
    assert [each.scheduled_for for each in executions] == [NOON - MINUTE, NOON]
    assert executions[0].missed_count == 1_439


def test_time_goes_forward(minutely):
    with pytest.raises(ValueError, match="has to be before"):
        run_due(NOON, since=NOON)


def test_what_depends_on_it_runs_after_it(minutely, make_job):
    make_job("noop", name="second", depends_on="minutely")

    assert told(run_due(at(2090))) == [
        ("minutely", "schedule", "succeeded"),
        ("second", "dependency", "succeeded"),
    ]


def test_what_has_been_enqueued_runs_as_well(minutely):
    JobExecution.objects.request("succeeds")
    JobExecution.objects.request("succeeds", run_after=at(2090))

    assert sorted(each.job_name for each in run_due(NOON)) == ["minutely", "succeeds"]


def test_an_error_is_raised_once_it_is_recorded(make_job):
    make_job("fails", name="minutely", schedule="* * * * *")

    with pytest.raises(RuntimeError, match="boom"):
        run_due(NOON)

    assert JobExecution.objects.get().status == "failed"


@pytest.mark.parametrize(("retry", "status", "attempts"), [(False, "queued", 1), (True, "failed", 2)])
def test_another_attempt_waits_for_its_time_unless_it_is_not_to(cronjobs_job, retry, status, attempts):
    @cronjobs_job(
        "flaky", schedule="* * * * *", retry=RetryPolicy(max_attempts=2, initial_delay=60, max_delay=60, jitter=0)
    )
    def flaky(context):
        raise ConnectionError("gone")

    (execution,) = run_due(NOON, retry=retry, raise_exceptions=False)

    assert (execution.status, execution.attempt) == (status, attempts)
    assert retry or execution.run_after == NOON + MINUTE


def test_a_due_time_is_skipped_while_an_attempt_waits(cronjobs_job):
    @cronjobs_job(
        "flaky", schedule="* * * * *", retry=RetryPolicy(max_attempts=2, initial_delay=3_600, max_delay=3_600)
    )
    def flaky(context):
        raise ConnectionError("gone")

    run_due(NOON, raise_exceptions=False)

    assert told(run_due(NOON + MINUTE)) == [("flaky", "schedule", "skipped")]


def test_others_may_be_left_alone(minutely, make_job):
    other = make_job("noop", name="other", schedule="* * * * *")
    make_job("noop", name="after-other", depends_on="other")
    JobExecution.objects.request("succeeds")

    assert told(run_due(NOON, jobs="minutely")) == [("minutely", "schedule", "succeeded")]
    assert told(run_due(NOON, jobs=[other])) == [
        ("other", "schedule", "succeeded"),
        ("after-other", "dependency", "succeeded"),
    ]


def test_what_looks_after_the_app_runs_only_when_it_is_named():
    # Six minutes past it is rolled up.
    moment = NOON + timedelta(minutes=6)

    assert run_due(moment) == []
    assert told(run_due(moment, jobs="roll-up-history")) == [("roll-up-history", "schedule", "succeeded")]


@pytest.mark.parametrize(
    "columns",
    [
        {"enabled": False},
        {"paused": True},
        {"paused": True, "paused_until": NOON + MINUTE},
        {"starts_at": NOON + MINUTE},
        {"ends_at": NOON - MINUTE},
    ],
    ids=str,
)
def test_what_is_not_in_force_is_not_due(minutely, columns):
    Job.objects.filter(pk=minutely.pk).update(**columns)

    assert run_due(NOON) == []


def test_a_day_that_a_calendar_excludes_is_recorded_as_ever(minutely):
    calendar = Calendar.objects.create(name="holidays", dates=["2026-01-15"])
    Job.objects.filter(pk=minutely.pk).update(calendar=calendar)

    assert told(run_due(NOON)) == [("minutely", "schedule", "skipped")]
    assert told(run_due(NOON + timedelta(days=1))) == [("minutely", "schedule", "succeeded")]


def test_in_a_paused_queue_it_waits(minutely):
    Queue.objects.ensure()
    Queue.objects.named("default").pause()

    assert told(run_due(NOON)) == [("minutely", "schedule", "queued")]


def test_while_everything_is_paused_nothing_is_due(minutely, settings):
    settings.CRONJOBS = {"PAUSED": True}

    assert run_due(NOON) == []


def test_jitter_puts_it_off(minutely):
    Job.objects.filter(pk=minutely.pk).update(jitter=timedelta(seconds=50))

    (execution,) = run_due(NOON)
    assert (execution.status, execution.scheduled_for) == ("queued", NOON)
    assert NOON < execution.run_after < NOON + MINUTE

    assert [(each.pk, each.status) for each in run_due(NOON + timedelta(seconds=50))] == [(execution.pk, "succeeded")]


def test_jobs_for_celery_run_here_as_well(minutely, settings):
    settings.CRONJOBS = {"CELERY_APP": "tests.celery_app.app", "EXECUTOR": "celery"}

    assert told(run_due(NOON)) == [("minutely", "schedule", "succeeded")]


@pytest.mark.django_db(transaction=True)
def test_it_does_the_same_outside_of_a_transaction(minutely, make_job):
    make_job("noop", name="second", depends_on="minutely")

    assert told(run_due(NOON)) == [
        ("minutely", "schedule", "succeeded"),
        ("second", "dependency", "succeeded"),
    ]
