"""Why an execution that Celery is to perform has not started, and who is to act next."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from cronjobs import health
from cronjobs.database import database_now_plus, read_clock
from cronjobs.models import JobExecution
from cronjobs.models.moves import begin
from cronjobs.models.waiting import NEXT_TO_BROKER, NO_CELERY, NO_NODE, why_waiting
from cronjobs.storable import rfc3339
from tests.integration.celery_shown.conftest import dispatched

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("with_celery")]


@pytest.fixture(autouse=True)
def _job(make_job):
    make_job("noop", overlap="allow")


def why(execution):
    execution.refresh_from_db()
    return why_waiting(execution, now=read_clock("default"))


def test_a_node_is_to_hand_it_over(node):
    assert why(JobExecution.objects.request("noop")) == NEXT_TO_BROKER


def test_no_node_is_there_to_hand_it_over(make_worker):
    make_worker()

    assert why(JobExecution.objects.request("noop")) == NO_NODE


def test_its_queue_has_as_many_with_the_broker_as_it_may(node, make_job):
    make_job("succeeds", queue="other")
    waiting = [JobExecution.objects.request("noop") for _ in range(3)]
    elsewhere = JobExecution.objects.request("succeeds")
    dispatched()
    JobExecution.objects.filter(pk=elsewhere.pk).update(waits_for=1, claim_token="")

    reason = "As many executions of queue default are with the broker as may be at once (2)."
    assert why(waiting[2]) == reason
    assert why(elsewhere) == NEXT_TO_BROKER


@pytest.mark.parametrize(
    ("workers", "is_served"),
    [
        pytest.param([], False, id="none"),
        pytest.param([{"queues": ["other"]}], False, id="another-queue"),
        pytest.param([{"silent_for": timedelta(minutes=5)}], False, id="dead"),
        pytest.param([{"stopped_at": timezone.now()}], False, id="stopped"),
        pytest.param([{"queues": ["other"]}, {"name": "b", "queues": ["default", "x"]}], True, id="served"),
    ],
)
def test_its_message_waits_for_a_worker_whether_or_not_there_is_one(node, make_worker, workers, is_served):
    for each in workers:
        queues = each.pop("queues", ["default"])
        make_worker(each.pop("name", "a"), *queues, **each)
    JobExecution.objects.request("noop")
    (execution,) = dispatched()

    reason = why(execution)

    since = f"It is with the broker since {rfc3339(execution.dispatched_at)}"
    rest = (
        ": the next Celery worker that is free begins it."
        if is_served
        else ", and no Celery worker that is alive serves queue default."
    )
    assert reason == since + rest


def test_what_runs_waits_for_nothing(node):
    JobExecution.objects.request("noop")
    (execution,) = dispatched()
    begun, _ = begin(execution.pk, execution.claim_token, node="celery@box-1:5150")

    assert why(begun) == ""


@pytest.mark.parametrize("is_dispatched", [False, True])
def test_celery_is_not_configured_any_more(node, settings, is_dispatched):
    execution = JobExecution.objects.request("noop")
    if is_dispatched:
        dispatched()
    settings.CRONJOBS = {}

    assert why(execution) == NO_CELERY


def test_what_celery_is_to_perform_is_no_lag_of_the_nodes(node):
    execution = JobExecution.objects.request("noop")
    JobExecution.objects.filter(pk=execution.pk).update(run_after=database_now_plus(-timedelta(minutes=9)))

    assert (health.check_lag().status, health.check_lag().details["lagSeconds"]) == ("ok", 0.0)
