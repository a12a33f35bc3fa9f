"""Keys of the API in the admin: who makes them for whom, and that each is shown once and nowhere else."""

from __future__ import annotations

import html
import logging
import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db.models import JSONField, Value
from django.test import Client
from django.utils import timezone

from cronjobs.admin.api_keys.form import ACTIONS
from cronjobs.models import ApiKey
from cronjobs.permissions import KEY_ACTIONS
from tests.integration.admin.pages import KEYS, act, change_url, get, messages_of, text_of
from tests.integration.api.callers import grant

pytestmark = pytest.mark.django_db

TEXT = re.compile(r"cron_[0-9a-f]{10}_[\w-]{43}")
ADD = f"{KEYS}add/"
RIGHTS = ("view_apikey", "add_apikey", "change_apikey", "view_job")


@pytest.fixture
def olive(django_user_model):
    """Somebody who may make keys, and see what jobs do."""
    user = django_user_model.objects.create_user("olive", is_staff=True)
    grant(user, *RIGHTS)
    return user


@pytest.fixture
def client(olive):
    client = Client()
    client.force_login(olive)
    return client


def issue(user, name="deploy", actions=("view_job",), **options):
    columns = {each: options.pop(each) for each in ("revoked_at", "last_used_at", "expires_at") if each in options}
    key, _ = ApiKey.objects.issue(user=user, name=name, actions=actions, **options)
    ApiKey.objects.filter(pk=key.pk).update(**columns)
    return ApiKey.objects.get(pk=key.pk)


def filled(client, **values):
    """Return what the form for a new key sends if only `values` are typed into it."""
    form = client.get(ADD).context["adminform"].form
    expires = timezone.localtime(form.initial["expires_at"])
    given = {
        "name": "deploy",
        "actions": ["view_job"],
        "expires_at_0": f"{expires:%Y-%m-%d}",
        "expires_at_1": f"{expires:%H:%M:%S}",
        "key_prefix": form.initial["key_prefix"],
        **({"user": form.initial["user"]} if "user" in form.fields else {}),
    }
    return {**given, **values}


def changed(key, **values):
    """Return what the form of a key sends if `values` are changed in it."""
    at = key.expires_at and timezone.localtime(key.expires_at)
    given = {
        "name": key.name,
        "actions": sorted(key.allowed),
        "jobs": sorted(key.reach or ()),
        "expires_at_0": f"{at:%Y-%m-%d}" if at else "",
        "expires_at_1": f"{at:%H:%M:%S}" if at else "",
    }
    return {**given, **values}


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


def test_every_action_has_a_label():
    assert list(ACTIONS) == list(KEY_ACTIONS)
