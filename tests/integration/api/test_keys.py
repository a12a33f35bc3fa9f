"""Keys: who is let in with one, and how far."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import JSONField, Value
from django.test import Client
from django.utils import timezone

from cronjobs.models import ApiKey, Job, JobExecution, Queue
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
    secret = headers["Authorization"].split("_", 2)[2]

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
        ({"digest": "\xe4" * 64}, "There is no such key."),
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
    Queue.objects.create(name="scarce", limit=1)

    status = document(client.get("/cron/status"))
    assert (list(status["cronJobs"]), status["nodes"], status["queues"]) == (["mine"], [], [])
    assert [each["name"] for each in document(client.get("/cron/jobs"))["jobs"]] == ["mine"]
    assert [each["jobName"] for each in document(client.get("/cron/executions"))["executions"]] == ["mine"]
    assert_error(client.get("/cron/executions?job=other"), 403, "permission_denied")
    assert_error(client.get("/cron/executions?job=not-there"), 403, "permission_denied")
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
        ({"actions": ["view_job"], "name": "two\nlines"}, "name"),
        ({"actions": ["view_job"], "name": "half of a pair: \ud83d"}, "name"),
        ({"actions": ["view_job"], "expires_at": timezone.now() - timedelta(seconds=1)}, "expires_at"),
    ],
)
def test_a_key_that_could_not_be_meant_is_not_made(user, options, field):
    with pytest.raises(ValidationError) as caught:
        ApiKey.objects.issue(**{"user": user, "name": "x", **options})

    assert field in caught.value.message_dict
    assert not ApiKey.objects.exists()


# What SQL may write where a list of texts is expected.
NO_LISTS = [
    None,
    False,
    0,
    "",
    {},
    "view_job",
    "mine",
    {"view_job": True, "mine": 1},
    [None],
    [["view_job"]],
    ["mine", 1],
]


@pytest.mark.parametrize("value", NO_LISTS, ids=repr)
def test_actions_that_are_no_list_of_names_let_nobody_do_anything(issue, value):
    _, headers = issue("view_job")
    ApiKey.objects.update(actions=Value(value, JSONField()))

    assert_error(Client().get("/cron/status", headers=headers), 403, "permission_denied")


@pytest.mark.parametrize("value", NO_LISTS, ids=repr)
def test_jobs_that_are_no_list_of_names_are_none(limited, value):
    ApiKey.objects.update(jobs=Value(value, JSONField()))
    client = Client(headers=limited)

    assert document(client.get("/cron/jobs"))["jobs"] == []
    assert document(client.get("/cron/executions"))["executions"] == []
    assert_error(client.post("/cron/execute/mine"), 403, "permission_denied")
    assert_error(client.get("/cron/nodes"), 403, "permission_denied")


@pytest.mark.parametrize("value", [each for each in NO_LISTS if each is not None], ids=repr)
def test_a_key_that_is_no_longer_sound_is_not_replaced(limited, value):
    old = ApiKey.objects.get()
    for column in ("actions", "jobs"):
        ApiKey.objects.update(**{column: value})
        with pytest.raises(ValidationError):
            ApiKey.objects.replace(old.prefix, expires_at=None)

    assert list(ApiKey.objects.all()) == [old]
    assert ApiKey.objects.unrevoked().exists()


def test_a_key_is_replaced_at_once_or_after_a_while(issue):
    now = timezone.now()
    first, _ = issue("view_job", "run_job", jobs=["noop"], expires_at=now + timedelta(days=1))

    second, _ = ApiKey.objects.replace(first.prefix, expires_at=None, keep=timedelta(hours=1))
    third, text = ApiKey.objects.replace(second.prefix, expires_at=None)

    first.refresh_from_db()
    assert now + timedelta(minutes=59) < first.expires_at < now + timedelta(hours=2)
    assert [each.state(now) for each in ApiKey.objects.order_by("pk")] == ["good", "revoked", "good"]
    assert (third.name, third.user, third.actions, third.jobs) == (first.name, first.user, first.actions, first.jobs)
    assert Client().get("/cron/jobs/noop", headers={"Authorization": f"Bearer {text}"}).status_code == 200
    with pytest.raises(ApiKey.DoesNotExist):
        ApiKey.objects.replace(second.prefix, expires_at=None)


def test_a_key_that_ends_sooner_is_not_kept_for_longer(issue):
    end = timezone.now().replace(microsecond=0) + timedelta(minutes=5)
    key, _ = issue("view_job", expires_at=end)

    ApiKey.objects.replace(key.prefix, expires_at=None, keep=timedelta(hours=1))

    key.refresh_from_db()
    assert key.expires_at == end


def test_rows_are_found_by_the_state_that_each_is_in(issue, django_user_model):
    now = timezone.now()
    later, before = now + timedelta(days=1), now - timedelta(days=1)
    gone = django_user_model.objects.create_user("gone", is_active=False)
    for columns in (
        {},
        {"expires_at": later},
        {"expires_at": before},
        {"expires_at": now},
        {"revoked_at": before},
        {"revoked_at": before, "expires_at": before, "user": gone},
        {"user": gone, "expires_at": later},
        {"user": gone, "expires_at": before},
    ):
        key, _ = issue("view_job")
        ApiKey.objects.filter(pk=key.pk).update(**columns)

    states = {each.pk: each.state(now) for each in ApiKey.objects.all()}
    assert sorted(states.values()) == [*["expired"] * 3, *["good"] * 2, *["revoked"] * 2, "user_inactive"]
    for state in set(states.values()):
        found = ApiKey.objects.in_state(state, now)
        assert {each.pk for each in found} == {pk for pk, each in states.items() if each == state}


def test_what_the_user_may_not_do_is_known(issue, user):
    key, _ = issue("run_job", "view_job")
    grant(user, "view_job")

    assert ApiKey.objects.get(pk=key.pk).lacking() == ["run_job"]


def test_a_use_is_noted_once_a_minute_whoever_notes_it(issue):
    issue("view_job")
    one, another, third = (ApiKey.objects.get() for _ in range(3))
    now = timezone.now().replace(microsecond=0)

    for key, at in ((one, 0), (one, 59), (another, 59), (third, 61)):
        key.note_use(now + timedelta(seconds=at))
        noted = ApiKey.objects.get().last_used_at
        assert noted == now + timedelta(seconds=61 if at == 61 else 0)


@pytest.mark.sqlite_only
@pytest.mark.django_db(transaction=True)
def test_a_database_that_takes_no_writes_refuses_no_key(issue, caplog):
    _, headers = issue("view_job")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = Client().get("/cron/status", headers=headers)

    assert answer.status_code == 200
    assert ApiKey.objects.get().last_used_at is None
    assert "could not be noted" in caplog.text
    assert headers["Authorization"] not in caplog.text


def test_keys_are_looked_for_where_they_are_written(issue, settings):
    key, _ = issue("view_job")
    settings.DATABASE_ROUTERS = ["tests.app.routers.ReadFromReplica"]

    # In this project there is no replica to read from.
    assert ApiKey.objects.get() == key
    key.note_use(timezone.now())
    assert ApiKey.objects.get().last_used_at is not None


def test_what_comes_with_a_request_is_in_no_log(issue, caplog):
    caplog.set_level(logging.DEBUG)
    _, headers = issue("view_job")
    text = headers["Authorization"].partition(" ")[2]

    for sent in (text, f"{text}x", text.replace("cron_", "cron_0")):
        Client().get("/cron/status", headers={"Authorization": f"Bearer {sent}"})

    assert "/cron/status" in caplog.text
    assert text.split("_", 2)[2] not in caplog.text


def test_a_limited_key_does_not_say_what_its_job_does(limited):
    client = Client(headers=limited)

    for body in (
        {"definition": "cleanup-old-quotes"},
        {"dependsOn": {"other": "success"}},
        {"dependsOn": {"zzz": "success"}},
    ):
        answer = client.patch("/cron/jobs/mine", body, content_type="application/json")
        assert_error(answer, 403, "permission_denied")
    body = {"name": "not-yet", "definition": "noop", "dependsOn": {"other": "success"}}
    assert_error(client.post("/cron/jobs", body, content_type="application/json"), 403, "permission_denied")

    assert Job.objects.get(name="mine").definition == "noop"
    assert not Job.objects.filter(name="not-yet").exists()


def test_a_limited_key_is_not_told_what_depends_on_its_job(limited):
    Job.objects.filter(name="other").update(depends_on="mine")

    assert document(Client(headers=limited).get("/cron/jobs/mine"))["dependents"] == {}
