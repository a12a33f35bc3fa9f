"""The CRONJOBS setting."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs.conf import DEFAULT_SCHEDULES, Settings, get_settings
from cronjobs.exceptions import InvalidSettings


def parsed(**raw):
    return Settings.from_mapping(raw, path="CRONJOBS")


def test_the_defaults_are_those_of_the_old_system():
    settings = parsed()

    assert settings.time_zone == "UTC"
    assert dict(settings.schedules) == {
        "cleanup-legacy-conversations": "*/5 * * * *",
        "cleanup-old-quotes": "0 2 * * *",
        "health-check": "*/10 * * * *",
        "roll-up-history": "6 * * * *",
    }
    assert settings.retry.max_attempts == 3
    assert settings.retry.initial_delay == timedelta(seconds=1)
    assert settings.retry.max_delay == timedelta(seconds=30)
    assert settings.retry.backoff_multiplier == 2.0


def test_schedules_add_to_the_defaults_and_none_turns_one_off():
    settings = parsed(SCHEDULES={"health-check": None, "own": "@daily"})

    assert dict(settings.schedules) == {**DEFAULT_SCHEDULES, "health-check": None, "own": "@daily"}


def test_throttles_change_the_defaults_and_none_turns_one_off():
    throttles = parsed(THROTTLES={"read": "600/min", "refused": None}).throttles

    assert {scope: str(rate) for scope, rate in throttles.items()} == {
        "read": "600/m",
        "write": "1200/m",
        "execute": "600/m",
        "refused": "None",
    }


def test_sizes_are_numbers_of_bytes_or_text():
    assert parsed(API_MAX_BODY=4096).api_max_body == 4096
    assert parsed(API_MAX_BODY="2M").api_max_body == 2 * 2**20


def test_durations_are_timedeltas_or_seconds():
    assert parsed(LEASE=10).lease == timedelta(seconds=10)
    assert parsed(LEASE=timedelta(minutes=1)).lease == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ({"TIMEZONE": "UTC"}, r"CRONJOBS has no key 'TIMEZONE'\. Did you mean 'TIME_ZONE'\?"),
        ({"time_zone": "UTC"}, r"Did you mean 'TIME_ZONE'\?"),
        ({"RETRY": {"ATTEMPTS": 3}}, r"CRONJOBS\['RETRY'\] has no key 'ATTEMPTS'\. Did you mean 'MAX_ATTEMPTS'"),
        ({"RETRY": 3}, r"CRONJOBS\['RETRY'\] must be a dict, not int"),
        ({"WORKERS": "8"}, r"CRONJOBS\['WORKERS'\] must be a whole number, not '8'"),
        ({"WORKERS": True}, r"must be a whole number, not True"),
        ({"WORKERS": 0}, r"must be at least 1, not 0"),
        ({"LEASE": 1}, r"must be at least 3 seconds, not 1"),
        ({"LEASE": "soon"}, r"must be a timedelta or a number of seconds, not 'soon'"),
        ({"LEASE": float("inf")}, r"is not a usable number of seconds"),
        ({"LEASE": float("nan")}, r"is not a usable number of seconds"),
        ({"CATCH_UP": "some"}, r"must be one of 'skip', 'latest', 'all', not 'some'"),
        ({"SCHEDULES": ["x"]}, r"must be a dict of job name to schedule"),
        ({"SCHEDULES": {"x": 5}}, r"CRONJOBS\['SCHEDULES'\]\['x'\] must be a schedule as text, or None, not 5"),
        ({"MASK": "password"}, r"must be a list of strings"),
        ({"MASK": 5}, r"must be a list of strings"),
        ({"RETRY": {"JITTER": float("nan")}}, r"must be a number, not nan"),
        ({"RETRY": {"JITTER": 2}}, r"CRONJOBS\['RETRY'\]\['JITTER'\] must be at most 1, not 2"),
        ({"RETRY": {"JITTER": -0.1}}, r"must be at least 0, not -0\.1"),
        ({"PAUSED": 1}, r"must be True or False, not 1"),
        ({"API_MAX_BODY": "much"}, r"must be a number of bytes, or text such as 1M, not 'much'"),
        ({"API_MAX_BODY": True}, r"must be a number of bytes"),
        ({"API_MAX_BODY": 10}, r"must be at least 100, not 10"),
        ({"THROTTLES": "60/min"}, r"CRONJOBS\['THROTTLES'\] must be a dict of scope to rate, not '60/min'"),
        ({"THROTTLES": {"reed": "1/s"}}, r"CRONJOBS\['THROTTLES'\] has no key 'reed'\. Did you mean 'read'\?"),
        ({"THROTTLES": {"READ": "1/s"}}, r"Did you mean 'read'\?"),
        ({"THROTTLES": {5: "1/s"}}, r"has no key 5\. Known keys: execute, read, refused, write\."),
        ({"THROTTLES": {"read": "often"}}, r"CRONJOBS\['THROTTLES'\]\['read'\] must be requests per period.*'often'"),
        ({"THROTTLES": {"read": "0/min"}}, r"must be requests per period"),
        ({"THROTTLES": {"read": 600}}, r"must be requests per period"),
        ({"HISTORY_RETENTION": 3600}, r"must be at least 86400 seconds, not 3600"),
        ({"FAILURE_RETENTION": None}, r"must be a timedelta or a number of seconds, not None"),
        ({"HISTORY_PER_JOB": 0}, r"must be at least 1, not 0"),
        ({"HISTORY_PER_JOB": "many"}, r"must be a whole number, not 'many'"),
        ({"AUDIT_RETENTION": 0}, r"must be at least 86400 seconds, not 0"),
        ({"ROLLUP_RETENTION": "long"}, r"must be a timedelta or a number of seconds, not 'long'"),
        ({"SUSPICIOUS_REFUSALS": 0}, r"must be at least 1, not 0"),
        ({"SUSPICIOUS_WINDOW": 59}, r"must be at least 60 seconds, not 59"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(raw, sentence):
    with pytest.raises(InvalidSettings, match=sentence):
        parsed(**raw)


def test_a_changed_setting_is_seen_at_once(settings):
    settings.CRONJOBS = {"WORKERS": 3}
    assert get_settings().workers == 3

    settings.CRONJOBS = {"WORKERS": 4}
    assert get_settings().workers == 4
