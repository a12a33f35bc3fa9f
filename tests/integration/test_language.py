"""What is stored is in the site's language, in whatever language it was asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import translation

from cronjobs import RetryPolicy, Skip
from cronjobs.executors.inline import run_inline
from cronjobs.models import Job, JobExecution
from cronjobs.models.waiting import why_waiting
from cronjobs.scheduler.plans import sync
from tests.pages.marks import bracketed

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client):
    client.force_login(get_user_model().objects.create_superuser("olive"))
    return client


def test_a_due_time_that_is_skipped_by_a_request_in_another_language(operator, make_job):
    job = make_job("noop", schedule="@daily")
    with bracketed():
        answer = operator.post(f"/cron/jobs/{job.name}/skip-next", content_type="application/json")

    assert answer.status_code == 201
    assert JobExecution.objects.get().reason == "Skipped ahead of time by olive."


def test_a_job_that_a_request_in_another_language_performs(operator, define):
    def skip(context):
        raise Skip

    name = define(skip)
    with bracketed():
        answer = operator.post(f"/cron/execute/{name}", content_type="application/json")

    assert answer.json()["error"] == "The job asked to be skipped."
    assert JobExecution.objects.get().reason == "The job asked to be skipped."


def test_an_error_that_the_engine_raises_in_a_request_in_another_language(define):
    def fail(context, days=1):
        Job.objects.named("x-nobody")

    name = define(fail, retry=RetryPolicy(max_attempts=1))
    with bracketed():
        execution = run_inline(name)
        assert translation.get_language() == "eo"

    assert (execution.status, execution.error_message) == ("failed", "There is no job named 'x-nobody'.")


def test_the_language_that_a_job_activates_is_not_the_next_ones(define):
    seen = []

    def speak(context):
        seen.append(translation.get_language())
        translation.activate("eo")

    name = define(speak)
    with translation.override("en-us"):
        run_inline(name)
        run_inline(name)
        assert translation.get_language() == "en-us"

    assert seen == ["en-us", "en-us"]


def test_why_a_job_is_broken_is_stored_in_one_language_and_said_in_each(make_job, database_now):
    job = make_job("noop", schedule="61 * * * *")
    sync(database_now)
    job.refresh_from_db()
    with bracketed():
        said = job.why_broken()

    assert job.broken_reason == "minute: '61' is not in 0–59"
    assert said.startswith("⟦")
    assert said.replace("⟦", "").replace("⟧", "") == job.broken_reason


def test_why_something_waits_is_said_in_the_readers_words(make_job, database_now):
    execution = JobExecution.objects.request(make_job("noop").name)
    with bracketed():
        assert why_waiting(execution, now=database_now + timedelta(minutes=1)).startswith("⟦No node is alive")


def test_a_refusal_over_http_has_its_code_in_every_language(operator, make_job):
    job = make_job("noop", schedule="@daily")
    with bracketed():
        answer = operator.post(f"/cron/execute/{job.name}-too", content_type="application/json")

    assert answer.json()["code"] == "job_not_found"
    assert answer.json()["error"].startswith("⟦")
