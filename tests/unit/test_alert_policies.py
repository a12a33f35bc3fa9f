"""Of what, whom and when people are told: what may be said, and what is a mistake."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs import AlertPolicy
from cronjobs.alerts import JOB_KINDS, TOLD_ONCE, AlertKind, names_text
from cronjobs.conf import get_settings
from cronjobs.exceptions import InvalidAlert, InvalidSettings
from cronjobs.models import Job
from cronjobs.models.resolved import resolve


def test_a_policy_is_written_as_text_or_lists_and_in_seconds():
    policy = AlertPolicy(on="failing, lost", to=["ops"], after=3, late_after=90, no_success_after=timedelta(days=1))

    assert policy.on == (AlertKind.FAILING, AlertKind.LOST)
    assert (policy.to, policy.after, policy.late_after) == (("ops",), 3, timedelta(seconds=90))
    assert (policy.expected_duration, policy.no_success_after) == (None, timedelta(days=1))


@pytest.mark.parametrize("nothing", ["none", [], ()])
def test_none_is_not_the_same_as_not_to_say(nothing):
    assert AlertPolicy(on=nothing, to=nothing) == AlertPolicy(on=(), to=())
    assert AlertPolicy() != AlertPolicy(on=(), to=())
    assert names_text(()) == "none"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on": "falling"}, "There is no kind of alert 'falling'. Did you mean 'failing'?"),
        ({"on": "node_gone"}, "node_gone is about the site"),
        ({"on": "lost, none"}, "'none' stands alone."),
        ({"on": ["lost", "lost"]}, "lost is named twice."),
        ({"to": ["x" * 51]}, "has up to 50 characters"),
        ({"to": 5}, "must be names"),
        ({"after": 0}, "from 1 to 100, not 0"),
        ({"after": True}, "from 1 to 100, not True"),
        ({"late_after": 0}, "late_after must be more than nothing."),
    ],
)
def test_what_could_never_have_been_meant_is_refused(options, message):
    with pytest.raises(InvalidAlert, match=message):
        AlertPolicy(**options)


@pytest.mark.parametrize(
    ("alerts", "message"),
    [
        ({"ON": ["falling"]}, "Did you mean 'failing'"),
        ({"AFTER": 0}, "at least 1"),
        ({"INTERVAL": 0}, "at least 0.1 seconds"),
        ({"LATER": 1}, "no key 'LATER'"),
        ({"TO": 5}, "must be names"),
        ({"NO_SUCCESS_AFTER": "1d"}, "a timedelta or a number of seconds"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_with_their_place(settings, alerts, message):
    settings.CRONJOBS = {"ALERTS": alerts}

    with pytest.raises(InvalidSettings, match="ALERTS") as caught:
        get_settings()
    assert message in str(caught.value)


def test_the_operator_comes_before_the_definition_and_that_before_the_settings(settings):
    settings.CRONJOBS = {"ALERTS": {"AFTER": 7, "LATE_AFTER": 60, "ON": ["lost", "node_gone"], "TO": ["ops"]}}
    job = Job(name="noop", definition="noop", schedule="", alert_on="failing", expected_duration=timedelta(seconds=5))

    policy = resolve(job).alerts

    assert policy == AlertPolicy(on="failing", to=["ops"], after=7, late_after=60, expected_duration=5)
    assert resolve(Job(name="noop", definition="noop", schedule="")).alerts.on == (AlertKind.LOST,)


@pytest.mark.parametrize(
    "column", [{"alert_on": "falling"}, {"alert_after": 0}, {"ping_url": "x"}, {"runbook_url": "x"}]
)
def test_what_sql_has_written_keeps_no_job_from_running(column):
    resolved = resolve(Job(name="noop", definition="noop", schedule="", **column))

    assert resolved.alerts.on == JOB_KINDS
    assert (resolved.ping_url, resolved.runbook_url) == ("", "")


def test_each_kind_is_about_a_job_or_about_the_site_and_has_a_name():
    assert set(AlertKind) - set(JOB_KINDS) == {
        AlertKind.NODE_GONE,
        AlertKind.WORKER_GONE,
        AlertKind.QUEUE_STUCK,
        AlertKind.MONGODB_UNREACHABLE,
    }
    assert set(AlertKind) >= TOLD_ONCE
    assert all(each.label for each in AlertKind)
