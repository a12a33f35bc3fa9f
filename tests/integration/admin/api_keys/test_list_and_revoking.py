"""The list of keys of the API in the admin, and revoking them there and on their pages."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models import JSONField, Value
from django.utils import timezone

from cronjobs.models import ApiKey
from cronjobs.permissions import KEY_ACTIONS
from tests.integration.admin.api_keys.keys import changed, issue
from tests.integration.admin.pages import KEYS, act, change_url, get, messages_of, text_of

pytestmark = pytest.mark.django_db


def test_revoking_asks_first_and_is_done_once(client, olive):
    key = issue(olive)

    assert "Revoke deploy" in get(client, f"{KEYS}{key.pk}/revoke/")
    assert ApiKey.objects.unrevoked().exists()
    assert f'href="{KEYS}{key.pk}/revoke/"' in get(client, change_url(key))
    assert messages_of(client.post(f"{KEYS}{key.pk}/revoke/", follow=True)) == ["success: 1 key was revoked."]

    first = ApiKey.objects.get().revoked_at
    assert first is not None
    assert messages_of(client.post(f"{KEYS}{key.pk}/revoke/", follow=True)) == [
        "warning: 0 keys were revoked.",
        "info: 1 was revoked already.",
    ]
    assert ApiKey.objects.get().revoked_at == first
    assert client.get(f"{KEYS}{key.pk + 1}/revoke/").status_code == 404


@pytest.mark.parametrize("count", [1, 2])
def test_revoking_in_the_list_asks_first_and_says_that_nothing_brings_them_back(superuser, olive, count):
    keys = [issue(olive, name) for name in ("a", "b")[:count]] + [issue(olive, "<c>", revoked_at=timezone.now())]
    data = {"action": "revoke", "index": 0, "_selected_action": [each.pk for each in keys]}

    page = superuser.post(f"{KEYS}?q=olive", data).content.decode()

    assert ApiKey.objects.unrevoked().count() == count
    text = text_of(page)
    assert f"Revoke {count} key" in text
    assert "nothing can bring them back" in text
    assert "1 was revoked already." in text
    assert f"{keys[0]} (olive)" in text
    assert f'href="{KEYS}?q=olive">No, take me back' in page
    sent = re.findall(r'<input type="hidden" name="(?!csrf)(\w+)" value="(\w*)"', page)
    assert ("_selected_action", str(keys[0].pk)) in sent
    superuser.post(
        KEYS, {**dict(sent), "_selected_action": [value for name, value in sent if name == "_selected_action"]}
    )
    assert not ApiKey.objects.unrevoked().exists()


def test_several_keys_are_revoked_at_once(superuser, olive):
    keys = [issue(olive, name) for name in ("a", "b")] + [issue(olive, "c", revoked_at=timezone.now())]

    assert act(superuser, "revoke", *keys, url=KEYS) == [
        "success: 2 keys were revoked.",
        "info: 1 was revoked already.",
    ]

    assert not ApiKey.objects.unrevoked().exists()
    assert sorted(LogEntry.objects.values_list("object_repr", flat=True)) == [str(each) for each in keys[:2]]


def test_a_revoked_key_is_shown_and_no_longer_changed(client, olive):
    key = issue(olive, revoked_at=timezone.now(), jobs=["b", "a"], actions=["view_job", "run_job"])

    page = get(client, change_url(key))

    assert "Actions: View job, Run a job now Jobs: a, b Expires: Never" in text_of(page)
    assert "Revoked" in page
    assert 'name="_save"' not in page
    assert "/revoke/" not in page
    assert client.post(change_url(key), changed(key, name="other")).status_code == 403


def test_the_list_says_what_each_key_is_good_for(superuser, olive, django_user_model):
    gone = django_user_model.objects.create_user("gone", is_active=False)
    now = timezone.now()
    issue(olive, "one", KEY_ACTIONS)
    issue(olive, "two", ["run_job", "view_job"], jobs=["a", "b", "c", "d", "e"], last_used_at=now)
    issue(olive, "three", expires_at=now - timedelta(days=1))
    issue(gone, "four")
    issue(olive, "five", revoked_at=now)
    spoiled = issue(olive, "six")
    ApiKey.objects.filter(pk=spoiled.pk).update(actions={"view_job": 1}, jobs=Value(None, JSONField()))

    shown = re.sub(r"cron_\w+", "KEY", text_of(get(superuser, KEYS)))

    assert "one KEY olive Good All All Never Never" in shown
    assert "two KEY olive Good View job, Run a job now a b c and 2 more Never" in shown
    assert "three KEY olive Expired View job All" in shown
    assert "four KEY gone User not active" in shown
    assert "five KEY olive Revoked" in shown
    assert "six KEY olive Good None None" in shown


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"state": "good"}, {"one"}),
        ({"state": "expired"}, {"two"}),
        ({"state": "revoked"}, {"three"}),
        ({"state": "user_inactive"}, {"four"}),
        ({"q": "olive"}, {"one", "two", "three"}),
        ({"q": "tw"}, {"two"}),
        ({"q": "cron_{prefix}"}, {"one"}),
        ({"q": "cron_{prefix}_and-its-secret"}, {"one"}),
        ({"q": "{prefix}"}, {"one"}),
        ({"q": "cron_"}, {"one", "two", "three", "four"}),
    ],
)
def test_keys_are_found(superuser, olive, django_user_model, params, names):
    now = timezone.now()
    one = issue(olive, "one")
    issue(olive, "two", expires_at=now - timedelta(days=1))
    issue(olive, "three", revoked_at=now)
    issue(django_user_model.objects.create_user("gone", is_active=False), "four")

    page = superuser.get(KEYS, {name: value.format(prefix=one.prefix) for name, value in params.items()})

    assert {each.name for each in page.context["cl"].result_list} == names


@pytest.mark.parametrize("params", [{"state": "odd"}, {"digest__startswith": "a"}, {"user__password__startswith": "m"}])
def test_nothing_can_be_guessed_by_filtering(superuser, olive, params):
    issue(olive)

    answer = superuser.get(KEYS, params)

    assert answer.status_code in {302, 400}
    assert "result_list" not in str(answer.content)


def test_what_a_key_is_called_is_text(superuser, olive):
    key = issue(olive, "<b>&amp;</b>")

    for url in (KEYS, change_url(key), f"{KEYS}{key.pk}/revoke/"):
        page = get(superuser, url)
        assert html.escape(key.name) in page
        assert key.name not in page
