"""What people would be told is there for a test, and is sent to nobody."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs.database import read_clock
from cronjobs.models import AlertDelivery, Job
from cronjobs.notifications import Notifier
from cronjobs.registry import registry
from cronjobs.testing import capture_alerts, run_due, run_job
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db


class Forbidden(Notifier):
    """Nobody is to be told anything."""

    def send(self, message):
        pytest.exit("A test has sent a message.")


@pytest.fixture
def backup(make_job):
    return make_job("succeeds", name="backup", owner="ann")


@pytest.fixture
def _notifiers(settings):
    entry = {"CLASS": f"{__name__}.{Forbidden.__name__}"}
    settings.CRONJOBS = {"NOTIFIERS": {"ops": entry, "devs": entry}, "ALERTS": {"TO": ["ops", "devs"]}}


def run(*definitions):
    for each in definitions:
        Job.objects.filter(name="backup").update(definition=each)
        run_job("backup", raise_exceptions=False)


def shown(alerts):
    return [(each.kind, each.subject, each.is_resolution) for each in alerts]


FAILING, OVER = ("failing", "backup", False), ("failing", "backup", True)


@pytest.mark.usefixtures("_notifiers")
def test_alerts_and_messages_are_there_at_the_end(backup):
    with capture_alerts() as told:
        run("fails", "fails")

    assert shown(told.alerts) == [FAILING]
    assert [each.title for each in told.messages] == ["Job backup is failing"] * 2
    (message,) = told.sent_to("ops")
    assert (message.owner, message.error_message) == ("ann", "boom")
    assert [each.message_id for each in told.sent_to("devs")] != [message.message_id]
    assert set(AlertDelivery.objects.values_list("notifier", "status")) == {("ops", "sent"), ("devs", "sent")}


@pytest.mark.usefixtures("_notifiers")
def test_a_job_s_own_choice_of_notifiers_counts(backup):
    Job.objects.filter(pk=backup.pk).update(alert_to="devs")

    with capture_alerts() as told:
        run("fails")

    assert (len(told.sent_to("devs")), told.sent_to("ops")) == (1, [])


def test_where_there_are_no_notifiers_there_is_one(backup):
    with capture_alerts() as told:
        run("fails")

    assert told.messages == told.sent_to("test") != []


def test_it_looks_whenever_it_is_asked_to(backup):
    with capture_alerts() as told:
        run("fails")
        assert shown(told.look()) == [FAILING]
        assert told.look() == []
        run("succeeds")

    assert shown(told.alerts) == [FAILING, OVER]


def test_what_was_told_before_is_not_told_again(backup):
    with capture_alerts():
        run("fails")
    with capture_alerts() as told:
        run("succeeds")

    assert shown(told.alerts) == [OVER]


def test_what_shows_only_with_time_is_seen_at_that_time(make_job):
    make_job("succeeds", late_after=timedelta(minutes=5))
    registry["succeeds"].enqueue()

    with capture_alerts() as told:
        assert told.look() == []
        assert shown(told.look(read_clock("default") + timedelta(minutes=6))) == [("late", "succeeds", False)]


@pytest.mark.parametrize("year", [2019, 2090])
def test_it_does_not_matter_when_something_has_failed(make_job, year):
    make_job("fails", name="backup", schedule="* * * * *")

    with capture_alerts() as told:
        run_due(NOON.replace(year=year), raise_exceptions=False)

    assert shown(told.alerts) == [FAILING]


def test_the_fixture_looks_only_when_it_is_asked_to(backup, cronjobs_alerts):
    run("fails")
    assert (cronjobs_alerts.alerts, cronjobs_alerts.messages) == ([], [])

    cronjobs_alerts.look()

    assert shown(cronjobs_alerts.alerts) == [FAILING]


def test_a_block_that_fails_says_so_itself():
    with pytest.raises(ZeroDivisionError), capture_alerts() as told:
        raise ZeroDivisionError

    assert told.alerts == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_notifiers")
def test_it_does_the_same_outside_of_a_transaction(backup):
    with capture_alerts() as told:
        run("fails")

    assert (len(told.alerts), len(told.messages)) == (1, 2)
