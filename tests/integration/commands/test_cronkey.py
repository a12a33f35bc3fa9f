"""`manage.py cronkey`: making, listing, replacing and revoking keys in a shell."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import JSONField, Value
from django.test import Client
from django.utils import timezone

from cronjobs.management.arguments import who
from cronjobs.models import ApiKey
from cronjobs.security import Event
from tests.commands import run_command
from tests.integration.api.callers import grant

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def olive(django_user_model):
    user = django_user_model.objects.create_user("olive")
    grant(user, "view_job", "run_job")
    return user


def create(*arguments, name="deploy"):
    return run_command("cronkey", "create", name, "--user", "olive", "--action", "view_job", *arguments)


def status_with(text, path="status"):
    return Client().get(f"/cron/{path}", headers={"Authorization": f"Bearer {text}"}).status_code


def told(caplog):
    """Return what the security log tells: what was done, by whom, to which key."""
    return [(each.event, each.actor, each.target) for each in caplog.records if each.name == "cronjobs.security"]


def test_a_key_is_made_and_printed_alone(caplog, django_capture_on_commit_callbacks):
    caplog.set_level(logging.DEBUG)

    with django_capture_on_commit_callbacks(execute=True):
        out, err, code = create("--action", "run_job", "--action", "run_job")

    assert code == 0
    text, nothing = out.split("\n")
    assert nothing == ""
    assert status_with(text) == 200
    key = ApiKey.objects.get()
    assert (key.name, key.user.username, key.actions, key.jobs) == ("deploy", "olive", ["run_job", "view_job"], [])
    assert timedelta(days=89) < key.expires_at - timezone.now() < timedelta(days=90)
    assert f"deploy (cron_{key.prefix}) acts for olive: run_job, view_job; jobs: all." in err
    assert (Event.KEY_CREATED, who(), key.label) in told(caplog)
    assert text not in err + caplog.text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("never", None),
        ("2136-01-01", datetime(2136, 1, 1, tzinfo=UTC)),
        ("2136-01-01T06:00:00+02:00", datetime(2136, 1, 1, 4, tzinfo=UTC)),
    ],
)
def test_a_key_may_expire_whenever(given, expected):
    assert create("--expires", given).code == 0
    assert ApiKey.objects.get().expires_at == expected


@pytest.mark.parametrize(("given", "days"), [("10d", 10), ("240h", 10), ("14400min", 10)])
def test_an_expiry_may_be_a_span(given, days):
    assert create("--expires", given).code == 0
    assert timedelta(days=days - 1) < ApiKey.objects.get().expires_at - timezone.now() <= timedelta(days=days)


def test_a_key_may_be_limited_to_jobs(make_job):
    make_job("noop")
    make_job("succeeds")

    text = create("--job", "noop").out.strip()

    assert (status_with(text, "jobs/noop"), status_with(text, "jobs/succeeds")) == (200, 403)


def test_a_key_that_may_make_jobs_may_be_limited_to_one_that_is_not_there():
    assert create("--action", "add_job", "--job", "not-yet").code == 0
    assert ApiKey.objects.get().jobs == ["not-yet"]


def test_what_the_user_may_not_do_is_said():
    assert "olive has no permission for delete_job, so neither has the key." in create("--action", "delete_job").err
    assert "no permission" not in create().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "x", "--user", "oliver", "--action", "view_job"], "There is no user named 'oliver'."),
        (["create", "x", "--user", "\udcff", "--action", "view_job"], "There is no user named '\\udcff'."),
        (["create", "x", "--user", "gone", "--action", "view_job"], "The user gone is not active."),
        (["create", "x", "--action", "view_job"], "--user"),
        (["create", "x", "--user", "olive"], "--action"),
        (["create", "x", "--user", "olive", "--action", "fly"], "invalid choice: 'fly'"),
        (["create", " ", "--user", "olive", "--action", "view_job"], "NAME: This field cannot be blank."),
        (["create", "\udcff", "--user", "olive", "--action", "view_job"], "NAME: A name is one line"),
        (["create", "x" * 101, "--user", "olive", "--action", "view_job"], "NAME: Ensure this value has at most 100"),
        (["create", "x", "--user", "olive", "--action", "view_job", "--job", "nop"], "Did you mean 'noop'?"),
        (["create", "x", "--user", "olive", "--action", "view_job", "--job", "No Name"], "--job: 'No Name' cannot be"),
        (["create", "x", "--user", "olive", "--action", "view_job", "--job", "\udcff"], "--job: '\\udcff' cannot be"),
        (["create", "x", "--user", "olive", "--action", "view_job", "--expires", "2020-01-01"], "--expires: This time"),
        (["create", "x", "--user", "olive", "--action", "view_job", "--expires", "0d"], "'0d' does not say when"),
        (["create", "x", "--user", "olive", "--action", "view_job", "--expires", "2136-02-30"], "does not say when"),
        (["create", "x", "--user", "olive", "--action", "view_job", "--expires", "2136-01-01T06:00"], "does not say"),
        (["rotate", "cron_0123456789"], "There is no key cron_0123456789 that was not revoked"),
        (["rotate", "cron_0123456789", "--keep", "soon"], "'soon' is no span of time"),
        (["revoke", "cron_0123456789"], "There is no key cron_0123456789; cronkey list --all shows them."),
        (["revoke", "cron__secret"], "A key is named by its first part"),
        (["revoke"], "KEY"),
        ([], "required"),
    ],
)
def test_what_makes_no_sense_is_code_2_and_makes_nothing(django_user_model, make_job, arguments, said):
    make_job("noop")
    django_user_model.objects.create_user("gone", is_active=False)

    refused = run_command("cronkey", *arguments)

    assert refused.code == 2
    assert said in refused.err
    assert refused.out == ""
    assert not ApiKey.objects.exists()


@pytest.fixture
def keys(olive):
    """One key that is good, one that has expired, one that was revoked."""
    made = [
        ApiKey.objects.issue(user=olive, name=name, actions=["view_job"], jobs=jobs)[0]
        for name, jobs in (("good", ["noop"]), ("expired", []), ("revoked", []))
    ]
    moment = datetime(2026, 1, 15, 12, tzinfo=UTC)
    ApiKey.objects.filter(name="expired").update(expires_at=moment, last_used_at=moment)
    ApiKey.objects.filter(name="revoked").update(revoked_at=moment)
    return made


def test_keys_are_listed(keys):
    out, _, code = run_command("cronkey", "list")

    assert code == 0
    good, expired = (line.split() for line in out.splitlines()[1:])
    assert good == [keys[0].label, "good", "olive", "good", "view_job", "noop", "never", "never"]
    assert expired[:6] == [keys[1].label, "expired", "olive", "expired", "view_job", "all"]
    assert out.count("ago") == 2
    assert keys[2].label in run_command("cronkey", "list", "--all").out


def test_where_there_is_no_key_the_list_says_so():
    assert "There is no key." in run_command("cronkey", "list", "--all").out


def test_keys_are_listed_as_json(keys):
    ApiKey.objects.filter(name="good").update(jobs=Value(None, JSONField()))
    printed = [run_command("cronkey", "list", "--json", *more).out for more in ([], ["--all"])]
    shown, every = (json.loads(each)["keys"] for each in printed)

    assert [each["state"] for each in every] == ["good", "expired", "revoked"]
    assert [each["jobs"] for each in every] == [[], None, None]
    assert shown == every[:2]
    assert shown[1] == {
        "key": keys[1].label,
        "name": "expired",
        "user": "olive",
        "state": "expired",
        "actions": ["view_job"],
        "jobs": None,
        "createdAt": shown[1]["createdAt"],
        "expiresAt": "2026-01-15T12:00:00.000Z",
        "revokedAt": None,
        "lastUsedAt": "2026-01-15T12:00:00.000Z",
    }
    for digest in ApiKey.objects.values_list("digest", flat=True):
        assert digest not in "".join(printed)


def test_a_key_is_revoked_whichever_part_of_it_is_given(caplog, django_capture_on_commit_callbacks):
    caplog.set_level(logging.INFO, logger="cronjobs")
    first, second, third = (create(name=name).out.strip() for name in ("first", "second", "third"))
    rows = {each.name: each for each in ApiKey.objects.all()}

    named = (first, rows["second"].label, rows["third"].prefix)
    with django_capture_on_commit_callbacks(execute=True):
        out, err, code = run_command("cronkey", "revoke", *named, first)

    assert (err, code) == ("", 0)
    assert sorted(out.splitlines()) == sorted(f"{each} is revoked." for each in rows.values())
    assert [status_with(each) for each in (first, second, third)] == [401, 401, 401]
    assert run_command("cronkey", "revoke", second).out == f"{rows['second']} was revoked already.\n"
    revoked = [label for event, by, label in told(caplog) if (event, by) == (Event.KEY_REVOKED, who())]
    assert sorted(revoked) == sorted(each.label for each in rows.values())
    assert first not in out + caplog.text


def test_of_several_keys_none_is_revoked_if_one_is_not_there(keys):
    assert run_command("cronkey", "revoke", keys[0].label, "cron_nothere").code == 2
    assert ApiKey.objects.unrevoked().count() == 2


def test_a_key_is_replaced_by_one_like_it(caplog, django_capture_on_commit_callbacks):
    caplog.set_level(logging.DEBUG)
    old = create("--action", "run_job", "--expires", "10d").out.strip()

    with django_capture_on_commit_callbacks(execute=True):
        out, err, code = run_command("cronkey", "rotate", old)

    new = out.strip()
    assert code == 0
    assert (status_with(old), status_with(new)) == (401, 200)
    was, is_ = ApiKey.objects.order_by("pk")
    assert (is_.name, is_.user, is_.actions, is_.jobs) == (was.name, was.user, was.actions, was.jobs)
    assert timedelta(0) <= is_.expires_at - was.expires_at < timedelta(days=1)
    assert err.endswith(f"{was} is revoked.\n")
    assert (Event.KEY_ROTATED, who(), was.label) in told(caplog)
    assert new not in err + caplog.text


def test_a_key_that_is_replaced_may_be_kept_for_a_while():
    old = create("--expires", "never").out.strip()

    new = run_command("cronkey", "rotate", old, "--keep", "24h").out.strip()

    assert (status_with(old), status_with(new)) == (200, 200)
    was, is_ = ApiKey.objects.order_by("pk")
    assert timedelta(hours=23) < was.expires_at - timezone.now() < timedelta(hours=24)
    assert is_.expires_at is None


def test_a_key_that_is_replaced_may_get_another_end():
    old = create().out.strip()

    assert run_command("cronkey", "rotate", old, "--expires", "never").code == 0
    assert ApiKey.objects.latest("pk").expires_at is None


def test_a_revoked_key_is_not_replaced(keys):
    assert run_command("cronkey", "rotate", keys[2].label).code == 2
    assert ApiKey.objects.count() == 3


def test_a_key_whose_row_is_not_sound_is_not_replaced(keys):
    ApiKey.objects.filter(name="good").update(jobs={"noop": True})

    refused = run_command("cronkey", "rotate", keys[0].label)

    assert (refused.code, refused.out) == (2, "")
    assert "This is a list of names of jobs" in refused.err
    assert ApiKey.objects.unrevoked().count() == 2
