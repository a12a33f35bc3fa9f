"""`manage.py cronalert`."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from cronjobs.database import read_clock
from cronjobs.models import Alert, AlertDelivery, AlertState
from cronjobs.storable import rfc3339
from tests.commands import address_of_nobody, run_command, run_command_process
from tests.integration.notifications.rows import delivery
from tests.receivers import answers, receiving

pytestmark = pytest.mark.django_db


@pytest.fixture
def receivers(settings):
    """Two notifiers: one that works, one whose receiver answers 500; their receivers."""
    with receiving() as well, receiving(answers(500)) as ill:
        settings.CRONJOBS = {
            "NOTIFIERS": {
                "ill": {"CLASS": "webhook", "URL": f"{ill.address}/SECRET"},
                "well": {"CLASS": "webhook", "URL": f"{well.address}/SECRET"},
            }
        }
        yield {"well": well, "ill": ill}


def test_each_is_tried_and_said_what_became_of_it(receivers):
    outcome = run_command("cronalert", "test")

    assert outcome.code == 1
    first, second = outcome.out.splitlines()
    host = receivers["ill"].address.removeprefix("http://")
    assert first == f"FAILED ill: {host} answered with status 500."
    assert second.startswith("sent   well, in ")
    assert outcome.err == "CommandError: 1 of 2 failed: ill.\n"
    assert receivers["well"].received[0].json["type"] == "alert.test"
    assert len(receivers["ill"].received) == 1


def test_only_those_that_are_named_are_tried(receivers):
    outcome = run_command("cronalert", "test", "--to", "well")

    assert (outcome.code, outcome.err) == (0, "")
    assert receivers["ill"].received == []


def test_as_json(receivers):
    outcome = run_command("cronalert", "test", "--json")

    assert outcome.code == 1
    report = json.loads(outcome.out)
    assert report["success"] is False
    assert [(each["name"], each["sent"]) for each in report["notifiers"]] == [("ill", False), ("well", True)]
    assert report["notifiers"][0]["error"].endswith("answered with status 500.")
    assert report["notifiers"][1]["error"] is None


def test_a_name_that_is_not_there_is_refused_and_nothing_is_sent(receivers):
    outcome = run_command("cronalert", "test", "--to", "well", "--to", "il")

    assert outcome.code == 2
    assert outcome.err == "CommandError: CRONJOBS['NOTIFIERS'] has no notifier 'il'. Did you mean 'ill'?\n"
    assert receivers["well"].received == []


def test_no_notifier_at_all_is_told(settings):
    settings.CRONJOBS = {}
    outcome = run_command("cronalert", "test")

    assert outcome.code == 1
    assert outcome.err == "CommandError: No notifier is configured: see NOTIFIERS in docs/alerts.md.\n"


def test_one_that_cannot_be_used_is_told_like_one_that_fails(settings):
    settings.CRONJOBS = {"NOTIFIERS": {"x": {"CLASS": "webook"}}}

    assert (
        "FAILED x: CRONJOBS['NOTIFIERS']['x']['CLASS'] is not known: 'webook'." in run_command("cronalert", "test").out
    )


def test_settings_that_cannot_be_understood_are_a_sentence(settings):
    settings.CRONJOBS = {"NOTIFIERS": {"x": "https://SECRET"}}

    outcome = run_command("cronalert", "test")

    assert outcome.code == 1
    assert "CRONJOBS['NOTIFIERS']['x'] must be a dict" in outcome.err


@pytest.mark.slow
def test_it_needs_no_database():
    with receiving() as receiver:
        notifiers = {"NOTIFIERS": {"well": {"CLASS": "webhook", "URL": receiver.address}}}
        outcome = run_command_process(
            "cronalert", "test", TEST_CRONJOBS=json.dumps(notifiers), DATABASE_URL="postgres://ann@127.0.0.1:1/shop"
        )

    assert outcome.code == 0, outcome.err
    assert len(receiver.received) == 1


def test_what_fires_is_listed():
    since = read_clock("default") - timedelta(hours=2, minutes=1)
    AlertState.objects.create(kind="failing", subject="report", firing=True, since=since, execution_id=5)
    AlertState.objects.create(kind="late", subject="other", firing=False, since=since)
    delivery()
    AlertDelivery.objects.update(attempts=1)

    shown = run_command("cronalert", "list")

    assert shown.code == 0
    assert [line.split() for line in shown.out.splitlines()[:2]] == [
        ["WHAT", "ABOUT", "SINCE", "EXECUTION", "TOLD"],
        ["failing", "report", "2", "h", "ago", "5", "ops"],
    ]
    assert shown.out.splitlines()[2:] == ["Messages that could not be sent yet, and are tried again: 1."]
    assert json.loads(run_command("cronalert", "list", "--json").out) == {
        "alerts": [
            {"kind": "failing", "subject": "report", "since": rfc3339(since), "executionId": 5, "told": ["ops"]}
        ],
        "unsent": 1,
    }


def test_who_was_told_of_what_fires_is_said():
    since = read_clock("default")
    for subject in ("report", "backup"):
        AlertState.objects.create(kind="failing", subject=subject, firing=True, since=since)
        alert = Alert.objects.create(kind="failing", subject=subject, job_name=subject)
    AlertDelivery.objects.create(alert=alert, notifier="ops")

    shown = run_command("cronalert", "list").out.splitlines()

    assert [(line.split()[1], line.split()[-1]) for line in shown[1:3]] == [("report", "nobody"), ("backup", "ops")]
    assert shown[3].startswith("Nobody has been told of some: there was no notifier for it when it began.")
    listed = json.loads(run_command("cronalert", "list", "--json").out)["alerts"]
    assert [each["told"] for each in listed] == [[], ["ops"]]


def test_that_nothing_fires_is_said():
    assert run_command("cronalert", "list").out == "Nothing is wrong that alerts know of.\n"


@pytest.mark.slow
def test_a_database_that_is_away_is_a_sentence():
    outcome = run_command_process("cronalert", "list", DATABASE_URL=address_of_nobody("hunter2"))

    assert outcome.code == 1
    assert outcome.err.startswith("CommandError: ")
    assert "hunter2" not in outcome.err
