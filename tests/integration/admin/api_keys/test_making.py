"""Making keys of the API in the admin: for whom, and that each is shown once and nowhere else."""

from __future__ import annotations

import logging
import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from cronjobs.admin.api_keys.form import ACTIONS
from cronjobs.models import ApiKey
from cronjobs.permissions import KEY_ACTIONS
from tests.integration.admin.api_keys.keys import ADD, changed, filled
from tests.integration.admin.pages import KEYS, change_url, get, messages_of, text_of

pytestmark = pytest.mark.django_db

TEXT = re.compile(r"cron_[0-9a-f]{10}_[\w-]{43}")


def status_with(text):
    return Client().get("/cron/status", headers={"Authorization": f"Bearer {text}"}).status_code


def test_a_key_is_made_and_shown_in_the_answer(client, olive):
    answer = client.post(ADD, filled(client, actions=["run_job", "view_job"]))

    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    (text,) = TEXT.findall(answer.content.decode())
    assert status_with(text) == 200
    key = ApiKey.objects.get()
    assert (key.name, key.user, key.actions, key.jobs) == ("deploy", olive, ["run_job", "view_job"], [])
    assert timedelta(days=89) < key.expires_at - timezone.now() < timedelta(days=91)
    shown = text_of(answer.content.decode())
    assert "It is shown here and never again" in shown
    assert "User olive Actions View job, Run a job now Jobs All Expires" in shown
    assert "so neither has the key: Run a job now." in shown


def test_a_key_is_shown_nowhere_else(client, caplog):
    caplog.set_level(logging.DEBUG)

    answer = client.post(ADD, filled(client))

    (text,) = TEXT.findall(answer.content.decode())
    key = ApiKey.objects.get()
    places = {
        "session": str([each.get_decoded() for each in Session.objects.all()]),
        "cookies": str(client.cookies) + str(answer.headers),
        "entries": str(list(LogEntry.objects.values())),
        "row": str(ApiKey.objects.values()),
        "log": caplog.text,
        **{url: get(client, url) for url in (KEYS, change_url(key), f"{KEYS}{key.pk}/history/", "/admin/")},
    }
    secret = text.split("_", 2)[2]
    assert [name for name, place in places.items() if secret in place] == []
    # Nor is what is stored of it.
    del places["row"]
    assert [name for name, place in places.items() if key.digest in place] == []
    assert messages_of(client.get(KEYS)) == []


def test_what_was_done_is_in_the_history(client, olive):
    client.post(ADD, filled(client))
    key = ApiKey.objects.get()
    client.post(change_url(key), changed(key, name="other", actions=["run_job"]))
    client.post(f"{KEYS}{key.pk}/revoke/")

    entries = LogEntry.objects.filter(object_id=str(key.pk), user=olive).order_by("pk")
    assert [each.get_change_message() for each in entries] == [
        "Added.",
        "Changed Name and Actions.",
        "Changed revoked.",
    ]
    assert entries[0].object_repr == f"deploy ({key.label})"


@pytest.mark.parametrize("name", ["deploy", "another"])
def test_what_is_sent_twice_makes_one_key_and_shows_it_once(client, name):
    data = filled(client)
    client.post(ADD, data)

    answer = client.post(ADD, {**data, "name": name}, follow=True)

    assert ApiKey.objects.get().name == "deploy"
    assert not TEXT.search(answer.content.decode())
    (said,) = messages_of(answer)
    assert said.startswith("warning: This was sent before, and the key was made then.")


@pytest.mark.parametrize("prefix", ["", "0123", "ABCDEF0123", "0123456789\n", "\x00123456789", "../../../.."])
def test_what_is_no_prefix_makes_no_key(client, prefix):
    answer = client.post(ADD, filled(client, key_prefix=prefix))

    assert "key_prefix" in answer.context["adminform"].form.errors
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": " "}, "name"),
        ({"actions": []}, "actions"),
        ({"actions": ["fly"]}, "actions"),
        ({"jobs": ["not-there"]}, "jobs"),
        ({"expires_at_0": "2020-01-01"}, "expires_at"),
        ({"expires_at_0": "soon"}, "expires_at"),
    ],
)
def test_a_key_that_could_not_be_meant_is_not_made(client, values, field):
    answer = client.post(ADD, filled(client, **values))

    assert field in answer.context["adminform"].form.errors
    assert not ApiKey.objects.exists()


def test_a_key_may_be_limited_to_jobs_and_never_expire(client, make_job):
    make_job("noop")

    client.post(ADD, filled(client, jobs=["noop"], expires_at_0="", expires_at_1=""))

    key = ApiKey.objects.get()
    assert (key.jobs, key.expires_at) == (["noop"], None)


def test_nobody_makes_a_key_for_somebody_else(client, olive, django_user_model):
    django_user_model.objects.create_superuser("root")

    client.post(ADD, filled(client, user="root"))

    assert 'name="user"' not in get(client, ADD)
    assert ApiKey.objects.get().user == olive


def test_a_superuser_makes_a_key_for_anybody_who_is_active(superuser, olive, django_user_model):
    django_user_model.objects.create_user("gone", is_active=False)
    assert 'name="user" value="superuser"' in get(superuser, ADD)

    for name, sentence in (("gone", "is not active"), ("nobody", "There is no user named"), ("", "required")):
        answer = superuser.post(ADD, filled(superuser, user=name))
        assert sentence in str(answer.context["adminform"].form.errors["user"])
    assert not ApiKey.objects.exists()

    superuser.post(ADD, filled(superuser, user="olive"))
    assert ApiKey.objects.get().user == olive


def test_every_action_has_a_label():
    assert list(ACTIONS) == list(KEY_ACTIONS)
