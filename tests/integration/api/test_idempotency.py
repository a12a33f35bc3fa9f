"""A POST that is sent twice runs the job once, if it says that it is the same."""

from __future__ import annotations

import pytest

from cronjobs.models import JobExecution
from tests.integration.api.callers import assert_error, document

pytestmark = pytest.mark.django_db
RUN = "/cron/execute/succeeds"


def test_a_repeated_post_answers_with_the_first_execution(operator, define):
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
