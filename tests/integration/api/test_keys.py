"""Keys: who is let in with one, and how far."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from cronjobs.models import ApiKey, Job, JobExecution
from cronjobs.permissions import KEY_ACTIONS
from tests.integration.api.callers import assert_error, document, grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(django_user_model):
    """A user who may do everything that a key can be limited to."""
    user = django_user_model.objects.create_user("olive")
    grant(user, *KEY_ACTIONS)
    return user


@pytest.fixture
def issue(user):
    """Make a key of `user`, and return its row and a client's headers."""

    def make(*actions, **options):
        key, text = ApiKey.objects.issue(user=user, name="of a program", actions=actions, **options)
        return key, {"Authorization": f"Bearer {text}"}

    return make


def test_a_key_lets_its_user_in(issue):
    key, headers = issue("view_job")

    assert Client().get("/cron/status", headers=headers).status_code == 200
    assert ApiKey.objects.get().last_used_at is not None
    assert str(key) == f"of a program (cron_{key.prefix})"


def test_the_text_of_a_key_is_not_stored(issue):
    _, headers = issue("view_job")
    secret = headers["Authorization"].rpartition("_")[2]

    (row,) = ApiKey.objects.values()

    assert secret not in str(row)


def test_a_key_is_no_more_than_its_actions(issue):
    _, headers = issue("view_job")

    assert_error(Client().post("/cron/execute/noop", headers=headers), 403, "permission_denied")
    assert not JobExecution.objects.exists()


def test_a_key_is_no_more_than_its_user(issue, user):
    _, headers = issue("run_job")
    user.user_permissions.clear()

    assert_error(Client().post("/cron/execute/noop", headers=headers), 403, "permission_denied")


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"revoked_at": timezone.now()}, "The key has been revoked."),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "The key has expired."),
        ({"digest": "0" * 64}, "There is no such key."),
        ({"prefix": "another"}, "There is no such key."),
    ],
)
def test_a_key_that_is_not_good_lets_nobody_in(issue, columns, sentence):
    _, headers = issue("view_job")
    ApiKey.objects.update(**columns)

    answer = Client().get("/cron/status", headers=headers)

    assert assert_error(answer, 401, "authentication_failed")["error"] == sentence
    assert ApiKey.objects.get().last_used_at is None


def test_a_key_of_a_deactivated_user_lets_nobody_in(issue, user):
    _, headers = issue("view_job")
    user.is_active = False
    user.save()

    assert_error(Client().get("/cron/status", headers=headers), 401, "authentication_failed")


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer cron_", "Bearer cron__x", "bearer cron_a_b", "Bearer \xe4_\xe4_x"]
)
def test_what_is_no_key_lets_nobody_in(issue, header):
    issue("view_job")

    assert_error(Client().get("/cron/status", headers={"Authorization": header}), 401, "authentication_failed")


@pytest.fixture
def limited(issue, make_job):
    """The headers of a key that reaches the job ``mine`` and no other, and may do anything with it."""
    make_job("noop", name="mine", schedule="@hourly")
    make_job("noop", name="other", schedule="@hourly")
    for name in ("mine", "other"):
        JobExecution.objects.request(name)
    return issue(*KEY_ACTIONS, jobs=["mine", "not-yet"])[1]


def test_a_limited_key_sees_its_jobs_only(limited):
    client = Client(headers=limited)

    assert [each["name"] for each in document(client.get("/cron/jobs"))["jobs"]] == ["mine"]
    assert [each["jobName"] for each in document(client.get("/cron/executions"))["executions"]] == ["mine"]
    assert document(client.get("/cron/executions?job=other"))["executions"] == []
    assert [each["jobName"] for each in document(client.get("/cron/executions?job=mine"))["executions"]] == ["mine"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "jobs/other"),
        ("patch", "jobs/other"),
        ("delete", "jobs/other"),
        ("post", "jobs/other/pause"),
        ("post", "jobs/other/resume"),
        ("post", "jobs/other/skip-next"),
        ("get", "jobs/other/preview"),
        ("post", "execute/other"),
        ("post", "execute/not-there"),
        ("get", "queues"),
        ("patch", "queues/default"),
        ("post", "queues/default/pause"),
        ("post", "pause"),
        ("post", "resume"),
        ("get", "nodes"),
        ("get", "definitions"),
    ],
)
def test_a_limited_key_is_closed_out_of_what_concerns_others(limited, method, path):
    before = list(Job.objects.values())

    answer = getattr(Client(headers=limited), method)(f"/cron/{path}")

    assert_error(answer, 403, "permission_denied")
    assert list(Job.objects.values()) == before
    assert JobExecution.objects.count() == 2


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", ""), ("get", "/attempts"), ("get", "/logs"), ("post", "/cancel"), ("post", "/retry")],
)
def test_executions_of_other_jobs_do_not_exist_for_a_limited_key(limited, method, path):
    pk = JobExecution.objects.get(job_name="other").pk

    answer = getattr(Client(headers=limited), method)(f"/cron/executions/{pk}{path}")

    assert_error(answer, 404, "execution_not_found")
    assert JobExecution.objects.get(pk=pk).cancel_requested_at is None


def test_a_limited_key_makes_no_other_job(limited):
    client = Client(headers=limited)

    for name, status in (("made", 403), ("not-yet", 201)):
        body = {"name": name, "definition": "noop"}
        answer = client.post("/cron/jobs", body, content_type="application/json")
        assert answer.status_code == status, answer.content
        assert Job.objects.filter(name=name).exists() == (status == 201)


def test_a_limited_key_acts_on_its_own(limited):
    client = Client(headers=limited)
    pk = JobExecution.objects.get(job_name="mine").pk

    assert client.post("/cron/jobs/mine/pause", content_type="application/json").status_code == 200
    assert client.post(f"/cron/executions/{pk}/cancel", content_type="application/json").status_code == 200
    assert client.post(f"/cron/executions/{pk}/retry", content_type="application/json").status_code == 201


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"actions": []}, "actions"),
        ({"actions": ["fly"]}, "actions"),
        ({"actions": ["view_job"], "jobs": ["No Name"]}, "jobs"),
        ({"actions": ["view_job"], "name": ""}, "name"),
    ],
)
def test_a_key_that_could_not_be_meant_is_not_made(user, options, field):
    with pytest.raises(ValidationError) as caught:
        ApiKey.objects.issue(**{"user": user, "name": "x", **options})

    assert field in caught.value.message_dict
    assert not ApiKey.objects.exists()
