"""The thread that sends, with receivers that are well and others that are not."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from cronjobs.models import AlertDelivery, JobExecution
from cronjobs.notifications import Notifier
from cronjobs.notifications.sender import Sender
from cronjobs.scheduler.node import NodeProcess
from tests.integration.notifications.rows import delivery, state
from tests.receivers import answers, closed_address, drops, hangs, receiving
from tests.servers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


class Broken(Notifier):
    """Somebody's own notifier, which raises what it likes."""

    def send(self, message):
        raise RuntimeError(f"password={self.options['PASSWORD']} {message.title}\nmore")


class Ended(BaseException):
    """What is no Exception, as asyncio's CancelledError is none."""


class Ending(Notifier):
    """Somebody's own notifier, which raises what nobody catches."""

    def send(self, message):
        raise Ended("password=hunter2")


class Stuck(Notifier):
    """Somebody's own notifier, which has no timeout."""

    released = None

    def send(self, message):
        Stuck.released.wait()


@contextmanager
def sending(**options):
    """Run a sender on a clock that can be put forward; yield the sender and a function that does so."""
    ahead = [timedelta(0)]

    def forward(**span):
        ahead[0] += timedelta(**span)
        sender.wake()

    sender = Sender(now=lambda: timezone.now() + ahead[0], **options)
    sender.start()
    try:
        yield sender, forward
    finally:
        sender.close(timeout=30)


@pytest.fixture
def notifiers(settings):
    """Configure webhooks by name and address, or whatever else an entry says."""

    def configure(**entries):
        settings.CRONJOBS = {
            "NOTIFIERS": {
                name: entry if isinstance(entry, dict) else {"CLASS": "webhook", "URL": entry, "TIMEOUT": 20}
                for name, entry in entries.items()
            }
        }

    return configure


def test_what_is_due_is_sent_once(notifiers):
    rows = [delivery(subject=str(number)) for number in range(5)]
    with receiving() as receiver:
        notifiers(ops=receiver.address)
        with sending():
            wait_for(lambda: {state(each) for each in rows} == {("sent", 1, False)})

    assert [each.json["data"]["subject"] for each in receiver.received] == ["0", "1", "2", "3", "4"]
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 5


def test_two_senders_send_it_once(notifiers):
    rows = [delivery(subject=str(number)) for number in range(20)]
    with receiving() as receiver:
        notifiers(ops=receiver.address)
        with sending(), sending():
            wait_for(lambda: {state(each) for each in rows} == {("sent", 1, False)})

    assert sorted(int(each.json["data"]["subject"]) for each in receiver.received) == list(range(20))


@pytest.mark.parametrize(
    ("behaviour", "error", "is_repeat"),
    [
        (answers(500), "answered with status 500.", False),
        (drops, "closed the connection without an answer.", True),
    ],
)
def test_a_receiver_that_is_not_well_is_tried_again_when_it_is_time(notifiers, behaviour, error, is_repeat):
    row = delivery()
    with receiving(behaviour) as receiver:
        notifiers(ops=receiver.address)
        with sending() as (_, forward):
            wait_for(lambda: AlertDelivery.objects.get().last_error.endswith(error))
            assert state(row) == ("pending", 1, is_repeat)
            receiver.behave = answers(200)
            forward(seconds=11)
            wait_for(lambda: state(row) == ("sent", 2, is_repeat))

    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert (first.json["data"]["isRepeat"], second.json["data"]["isRepeat"]) == (False, is_repeat)


def test_a_receiver_that_refuses_is_given_up_after_a_day(notifiers):
    row = delivery()
    notifiers(ops=closed_address())
    with sending() as (_, forward):
        for attempt in range(1, 28):
            wait_for(lambda attempt=attempt: state(row) == ("pending", attempt, False) and not _is_claimed(row))
            forward(hours=1) if attempt > 4 else forward(seconds=(10, 60, 300, 900)[attempt - 1])
        wait_for(lambda: state(row)[0] == "failed")

    assert state(row)[1] in (27, 28)


def test_one_that_hangs_holds_up_nobody_else(notifiers):
    with receiving(hangs) as stuck, receiving() as well:
        notifiers(stuck=stuck.address, well=well.address)
        held = [delivery("stuck", subject=str(number)) for number in range(3)]
        rows = [delivery("well", subject=str(number)) for number in range(20)]
        with sending():
            wait_for(lambda: {state(each)[0] for each in rows} == {"sent"})
            assert not stuck.released.is_set()
            assert [state(each) for each in held] == [
                ("pending", 1, False),
                ("pending", 0, False),
                ("pending", 0, False),
            ]
            stuck.released.set()
            wait_for(lambda: {state(each)[0] for each in held} == {"sent"})


def test_a_send_that_does_not_come_back_is_given_up_and_repeated_marked(notifiers):
    Stuck.released = threading.Event()
    row, second = delivery(), delivery(subject="other")
    notifiers(ops={"CLASS": f"{__name__}.Stuck"})
    with sending(longest_send=0.2) as (_, forward):
        wait_for(
            lambda: AlertDelivery.objects.get(pk=row.pk).last_error == "The notifier did not come back within 0.2 s."
        )
        assert state(row) == ("pending", 1, True)
        # What comes next fails at once, and for as long as that hangs.
        wait_for(lambda: "still hangs" in AlertDelivery.objects.get(pk=second.pk).last_error)
        Stuck.released.set()
        forward(minutes=2)
        wait_for(lambda: {state(row)[0], state(second)[0]} == {"sent"})


def test_what_a_notifier_raises_is_recorded_in_one_line_and_masked(notifiers):
    row = delivery()
    notifiers(ops={"CLASS": f"{__name__}.Broken", "PASSWORD": "hunter2"})
    with sending():
        wait_for(lambda: state(row) == ("pending", 1, False) and not _is_claimed(row))

    row.refresh_from_db()
    assert row.last_error == "RuntimeError: password=*** Job report is failing more"


def test_a_notifier_that_raises_what_is_no_exception_has_failed_and_is_asked_again(notifiers):
    row = delivery()
    notifiers(ops={"CLASS": f"{__name__}.Ending"})
    with sending() as (_, forward):
        wait_for(lambda: AlertDelivery.objects.get().last_error == "The notifier was ended by Ended.")
        assert state(row) == ("pending", 1, True)
        forward(seconds=11)
        wait_for(lambda: state(row) == ("pending", 2, True) and not _is_claimed(row))


def test_a_notifier_that_is_not_configured_is_a_failure(notifiers):
    row = delivery("opps")
    notifiers(ops="http://127.0.0.1:1")
    with sending():
        wait_for(lambda: state(row)[1] == 1 and not _is_claimed(row))

    row.refresh_from_db()
    assert row.last_error == "CRONJOBS['NOTIFIERS'] has no notifier 'opps'. Did you mean 'ops'?"


def test_a_sender_that_is_closed_waits_for_what_it_sends(notifiers):
    row, later = delivery(), delivery(subject="later")
    with receiving(hangs) as receiver:
        notifiers(ops=receiver.address)
        with sending() as (sender, _):
            wait_for(lambda: receiver.received)
            receiver.released.set()
            sender.close(timeout=30)

    assert state(row) == ("sent", 1, False)
    assert state(later)[0] in ("pending", "sent")


def test_a_sender_that_is_closed_does_not_wait_for_ever(notifiers):
    row = delivery()
    with receiving(hangs) as receiver:
        notifiers(ops=receiver.address)
        sender = Sender(now=timezone.now)
        sender.start()
        wait_for(lambda: receiver.received)
        sender.close(timeout=0.1)
        assert state(row) == ("pending", 1, False)
        assert _is_claimed(row)


@contextmanager
def table_away():
    """Take the table of deliveries away, so that every statement about them fails, and put it back."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cronjobs_alertdelivery RENAME TO elsewhere")
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE elsewhere RENAME TO cronjobs_alertdelivery")


def test_what_was_sent_while_the_database_failed_is_recorded_later_and_not_sent_again(notifiers, caplog):
    row = delivery()
    with receiving(hangs) as receiver:
        notifiers(ops=receiver.address)
        with sending() as (sender, _), caplog.at_level(logging.DEBUG, logger="cronjobs"):
            wait_for(lambda: receiver.received)
            with table_away():
                receiver.released.set()
                wait_for(lambda: caplog.text.count("Sending alerts failed") >= 3)
                assert sender.is_alive()
            wait_for(lambda: state(row) == ("sent", 1, False))
            # And what comes after it is sent.
            later = delivery(subject="later")
            sender.wake()
            wait_for(lambda: state(later) == ("sent", 1, False))

    assert len(receiver.received) == 2
    assert "Sending alerts works again" in caplog.text


def test_no_receiver_changes_an_execution(notifiers, define):
    def ends_badly(context):
        raise ValueError("no rows")

    name = define(ends_badly)
    with ExitStack() as stack:
        stuck = stack.enter_context(receiving(hangs))
        dropping = stack.enter_context(receiving(drops))
        failing = stack.enter_context(receiving(answers(500)))
        notifiers(stuck=stuck.address, dropping=dropping.address, failing=failing.address, refusing=closed_address())
        rows = [delivery(each) for each in ("stuck", "dropping", "failing", "refusing")]
        node = NodeProcess(workers=4)
        node.start()
        try:
            wait_for(lambda: stuck.received)
            for _ in range(20):
                JobExecution.objects.request("noop")
            failed = JobExecution.objects.request(name)
            wait_for(lambda: not JobExecution.objects.open().exists())
            assert not stuck.released.is_set()
            failed.refresh_from_db()
            assert (failed.status, failed.error_message, failed.attempt) == ("failed", "no rows", 1)
            assert JobExecution.objects.filter(status="succeeded", job_name="noop").count() == 20
            wait_for(lambda: [state(each)[1] for each in rows] == [1, 1, 1, 1])
            stuck.released.set()
        finally:
            node.stop(grace=timedelta(seconds=10))
    assert state(rows[0])[0] == "sent"


def test_a_node_that_runs_once_sends_what_is_due(notifiers):
    row = delivery()
    with receiving() as receiver:
        notifiers(ops=receiver.address)
        node = NodeProcess()
        node.run_once()
        node.stop(grace=timedelta(0))

    assert state(row) == ("sent", 1, False)


def _is_claimed(row):
    return bool(AlertDelivery.objects.get(pk=row.pk).claim_token)
