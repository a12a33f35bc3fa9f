"""A POST that is sent twice runs the job once, if it says that it is the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client
from rest_framework.authtoken.models import Token

from cronjobs.models import Job, JobExecution
from cronjobs.registry import registry
from tests.integration.api.callers import assert_error, document

pytestmark = pytest.mark.django_db
RUN = "/cron/execute/succeeds"


def test_a_repeated_post_answers_with_the_first_execution(operator):
    first = document(operator.post(RUN, {"params": {"value": 1}}, **{"Idempotency-Key": "k" * 255}))
    again = document(operator.post(RUN, {"params": {"value": 2}}, **{"Idempotency-Key": "k" * 255}))

    assert again["executionId"] == first["executionId"]
    assert again["result"]["value"] == first["result"]["value"] == 1
    assert JobExecution.objects.count() == 1


def test_it_is_the_same_whether_it_has_ended_or_not(operator):
    body = {"wait": False}
    answers = [operator.post(RUN, body, **{"Idempotency-Key": "monday"}) for _ in range(2)]

    assert [each.status_code for each in answers] == [202, 202]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert document(operator.post(RUN, **{"Idempotency-Key": "monday"}))["status"] == "succeeded"
    assert JobExecution.objects.count() == 1


def test_other_keys_other_jobs_and_no_key_are_other_requests(operator):
    body = {"wait": False}
    for path, headers in (
        (RUN, {"Idempotency-Key": "a"}),
        (RUN, {"Idempotency-Key": "b"}),
        (RUN, {"Idempotency-Key": "A"}),
        ("/cron/execute/noop", {"Idempotency-Key": "a"}),
        (RUN, {}),
        (RUN, {}),
    ):
        operator.post(path, body, **headers)

    assert JobExecution.objects.count() == 6


@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb", "nächtlich"])
def test_a_key_that_is_too_long_or_no_text_runs_nothing(operator, key):
    found = assert_error(operator.post(RUN, **{"Idempotency-Key": key}), 400, "invalid")

    assert list(found["errors"]) == ["Idempotency-Key"]
    assert not JobExecution.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_posts_that_are_sent_at_the_same_time_run_the_job_once(django_user_model):
    Job.objects.ensure([registry["succeeds"]])
    token = Token.objects.create(user=django_user_model.objects.create_superuser("sue")).key
    together = Barrier(4)

    def post(number):
        together.wait()
        try:
            headers = {"Authorization": f"Token {token}", "Idempotency-Key": "monday"}
            body = {"params": {"value": number}, "wait": False}
            return Client().post(RUN, body, content_type="application/json", headers=headers)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(post, range(4)))

    assert {each.status_code for each in answers} == {202}
    assert {document(each)["executionId"] for each in answers} == {JobExecution.objects.get().pk}
