"""Changing keys of the API in the admin: who may, and what stays whatever is sent."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db.models import JSONField, Value
from django.utils import timezone

from cronjobs.models import ApiKey
from tests.integration.admin.api_keys.keys import ADD, RIGHTS, changed, filled, issue
from tests.integration.admin.pages import KEYS, change_url, get
from tests.integration.api.callers import grant

pytestmark = pytest.mark.django_db


def test_everybody_sees_their_own_keys_and_a_superuser_all(client, superuser, olive, django_user_model):
    other = django_user_model.objects.create_user("other")
    own, others = issue(olive, "own"), issue(other, "of-somebody-else")

    assert own.label in get(client, KEYS)
    assert others.label not in get(client, KEYS)
    assert others.label not in get(client, KEYS, q="somebody")
    assert {own.label, others.label} <= set(re.findall(r"cron_[0-9a-f]{10}", get(superuser, KEYS)))

    before = list(ApiKey.objects.values())
    grant(olive, *RIGHTS, "delete_apikey")
    for url, data in (
        (change_url(others), changed(others, name="mine")),
        (f"{KEYS}{others.pk}/delete/", {"post": "yes"}),
        (f"{KEYS}{others.pk}/revoke/", {}),
        (f"{KEYS}{others.pk}/history/", {}),
        (KEYS, {"action": "revoke", "index": 0, "_selected_action": [others.pk], "post": "yes"}),
        (KEYS, {"action": "delete_selected", "_selected_action": [others.pk], "post": "yes"}),
    ):
        assert others.label not in client.post(url, data, follow=True).content.decode()
        assert others.name not in client.get(url, follow=True).content.decode()
    assert list(ApiKey.objects.values()) == before


# What each permission alone is good for, on one's own key.
ALONE = {
    "add_apikey": {"make"},
    "view_apikey": {"look"},
    "change_apikey": {"look", "change", "revoke", "revoke by action"},
    "delete_apikey": {"delete"},
    "change_job": set(),
}


@pytest.mark.parametrize("codename", list(ALONE))
def test_each_permission_opens_what_it_says(client, olive, codename):
    # What opens the form to fill it in is not what is being tested.
    new = filled(client)
    grant(olive, codename)

    def happens(url, data, *, method="post"):
        ApiKey.objects.all().delete()
        key = issue(olive)
        before = list(ApiKey.objects.values())
        answer = getattr(client, method)(url.format(pk=key.pk), data(key))
        return list(ApiKey.objects.values()) != before if method == "post" else answer.status_code == 200

    done = {
        "make": happens(ADD, lambda _: new),
        "look": happens(f"{KEYS}{{pk}}/change/", lambda _: {}, method="get"),
        "change": happens(f"{KEYS}{{pk}}/change/", lambda key: changed(key, name="other")),
        "revoke": happens(f"{KEYS}{{pk}}/revoke/", lambda _: {}),
        "revoke by action": happens(
            KEYS, lambda key: {"action": "revoke", "index": 0, "_selected_action": [key.pk], "post": "yes"}
        ),
        "delete": happens(f"{KEYS}{{pk}}/delete/", lambda _: {"post": "yes"}),
    }
    assert {name for name, is_done in done.items() if is_done} == ALONE[codename]


def test_the_user_and_the_secret_stay_whatever_is_sent(client, olive, django_user_model):
    key = issue(olive)
    root = django_user_model.objects.create_superuser("root")
    sent = {"user": str(root.pk), "prefix": "0123456789", "key_prefix": "0123456789", "digest": "0" * 64}

    client.post(change_url(key), changed(key, name="other", **sent))

    now = ApiKey.objects.get()
    assert now.name == "other"
    assert (now.user, now.prefix, now.digest, now.created_at) == (olive, key.prefix, key.digest, key.created_at)


def test_the_limits_of_a_key_are_changed(client, olive, make_job):
    make_job("noop")
    key = issue(olive)

    client.post(
        change_url(key),
        changed(key, actions=["view_queue"], jobs=["noop"], expires_at_0="2136-01-01", expires_at_1="12:00"),
    )

    key.refresh_from_db()
    assert (key.actions, key.jobs, key.expires_at.isoformat()) == (
        ["view_queue"],
        ["noop"],
        "2136-01-01T11:00:00+00:00",
    )


def test_a_key_does_not_come_to_expire_in_the_past(client, olive):
    key = issue(olive, expires_at=timezone.now().replace(microsecond=0) - timedelta(days=1))

    assert client.post(change_url(key), changed(key, name="other")).status_code == 302
    answer = client.post(change_url(key), changed(key, name="again", expires_at_0="2020-01-01"))

    assert "expires_at" in answer.context["adminform"].form.errors
    assert ApiKey.objects.get().name == "other"


def test_saving_touches_what_was_changed_and_nothing_else(client, olive):
    key = issue(olive, jobs=["gone"])
    form = changed(key, name="other")
    # What SQL has written there reaches nothing, and would reach everything as an empty list.
    ApiKey.objects.update(jobs=Value(None, JSONField()), actions={"view_job": True})

    answer = client.post(change_url(key), {**form, "jobs": [], "actions": ["view_job"]})

    assert answer.status_code == 302
    key.refresh_from_db()
    assert (key.name, key.actions, key.reach) == ("other", ["view_job"], frozenset())


def test_a_job_that_is_gone_stays_a_limit(client, olive):
    key = issue(olive, jobs=["gone"])
    selected = '<option value="gone" selected>gone</option>'

    assert selected in get(client, change_url(key))
    client.post(change_url(key), changed(key, name="other"))

    key.refresh_from_db()
    assert (key.name, key.jobs) == ("other", ["gone"])
