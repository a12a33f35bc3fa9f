"""What is wrong with CRONJOBS, and with the settings around it, is found, said in a sentence, and can be mended."""

from __future__ import annotations

import sys

import pytest

from cronjobs.checks import (
    check_combinations,
    check_mongodb,
    check_name_of_settings,
    check_never_retried,
    check_ping_hosts,
    check_settings,
)
from tests.integration.checks.conftest import found, ids, only
from tests.integration.checks.table import CRONJOBS, PROJECT


@pytest.mark.parametrize(("identity", "value", "said"), CRONJOBS)
def test_a_mistake_in_cronjobs_is_found_and_nothing_else_is(settings, identity, value, said):
    settings.CRONJOBS = value

    messages = found()

    assert ids(messages) == {identity}
    assert said in only(identity, messages).msg
    assert only(identity, messages).hint


@pytest.mark.parametrize(("identity", "values", "said"), PROJECT)
def test_a_mistake_in_the_project_is_found_and_nothing_else_is(settings, identity, values, said):
    for name, value in values.items():
        setattr(settings, name, value)

    messages = found()

    assert ids(messages) == {identity}
    assert said in only(identity, messages).msg
    assert only(identity, messages).hint


def test_a_project_without_a_mistake_is_told_nothing():
    assert found() == []


def test_every_mistake_is_told_at_once(settings):
    settings.CRONJOBS = {"PAUSE": True, "LEASE": 1, "RETRY": {"JITTER": 5, "NEVR": []}, "EXECUTOR": "celery"}

    messages = [each.msg for each in check_settings()]

    assert [message.partition(" ")[0] for message in messages] == [
        "CRONJOBS",
        "CRONJOBS['LEASE']",
        "CRONJOBS['RETRY']['JITTER']",
        "CRONJOBS['RETRY']",
    ]


def test_what_is_no_dict_at_all_is_one_mistake(settings):
    # As django-crontab has it.
    settings.CRONJOBS = [("*/5 * * * *", "myapp.cron.work")]

    (message,) = check_settings()

    assert message.msg == "CRONJOBS must be a dict, not list."


def test_drivers_that_are_not_installed_are_named(settings, monkeypatch):
    settings.CRONJOBS = {"MONGODB_URI": "mongodb://ann:hunter2@db/app"}
    assert check_mongodb() == []
    monkeypatch.setitem(sys.modules, "pymongo", None)

    (message,) = check_mongodb()

    assert "pymongo cannot be imported" in message.msg
    assert "cronjobs[mongo]" in message.hint


def test_no_secret_is_quoted(settings):
    settings.CRONJOBS = {"MONGODB_URI": "https://ann:hunter2@db/app"}

    assert "hunter2" not in str(found())


def test_a_setting_that_is_called_nearly_as_it_should_be_is_found(settings):
    del settings.CRONJOBS
    settings.CRON_JOBS = {"PAUSED": True}

    (message,) = check_name_of_settings()

    assert message.id == "cronjobs.W023"
    assert "a setting CRON_JOBS" in message.msg
    assert message.hint == "Did you mean 'CRONJOBS'?"

    settings.CRONJOBS = {}
    assert check_name_of_settings() == []


@pytest.mark.parametrize("hosts", [["hc-ping.com"], [".example.com"], ["::1"], ["127.0.0.1"], ["HC-Ping.com"]])
def test_a_host_is_not_objected_to(settings, hosts):
    settings.CRONJOBS = {"PING_HOSTS": hosts}

    assert check_ping_hosts() == []


def test_a_definition_whose_monitor_is_not_among_the_hosts_is_found(settings, declare):
    declare("pings", ping_url="https://hc.example.org/SECRET")
    declare("pings-too", ping_url="https://eu.hc-ping.com/SECRET")
    settings.CRONJOBS = {"PING_HOSTS": [".hc-ping.com"]}

    (message,) = check_ping_hosts()

    assert (message.id, message.obj) == ("cronjobs.W022", "pings")
    assert "leads to hc.example.org" in message.msg
    assert "SECRET" not in str(message)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ValueError", "Did you mean 'builtins.ValueError'?"),
        ("ValueErrer", "Did you mean 'ValueError'?"),
        ("builtins.ValueErrer", "Did you mean 'builtins.ValueError'?"),
        ("django.db.models.ProtectedError", "Did you mean 'django.db.models.deletion.ProtectedError'?"),
        ("something", "Write module and class, as in builtins.ValueError or requests.exceptions.ConnectionError."),
    ],
)
def test_the_name_that_was_meant_is_said(settings, name, hint):
    settings.CRONJOBS = {"RETRY": {"NEVER": [name]}}

    (message,) = check_never_retried()

    assert message.hint == hint


@pytest.mark.parametrize("name", ["builtins.ValueError", "no_such_package.Error", "django.no_such_module.Error"])
def test_what_is_right_or_nobody_has_imported_is_not_objected_to(settings, name):
    settings.CRONJOBS = {"RETRY": {"NEVER": [name]}}

    assert check_never_retried() == []


def test_a_long_pause_between_looks_is_fine_within_the_grace(settings):
    settings.CRONJOBS = {"POLL_INTERVAL": 60, "MISFIRE_GRACE": 60}
    assert check_combinations() == []

    # Within a few seconds nothing counts as late.
    settings.CRONJOBS = {"POLL_INTERVAL": 1, "MISFIRE_GRACE": 0}
    assert check_combinations() == []
