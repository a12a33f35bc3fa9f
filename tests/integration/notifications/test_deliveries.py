"""Deliveries as rows: claims, results, and when a message is sent again. The time is told, never waited for."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from cronjobs.exceptions import SendingFailed
from cronjobs.models import AlertDelivery
from cronjobs.notifications.deliveries import (
    LEASE,
    claim,
    due_notifiers,
    is_too_old,
    message_of,
    record_failure,
    record_sent,
)
from tests.integration.notifications.rows import delivery, state

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
REFUSED = SendingFailed("hook answered with status 500.")
SILENT = SendingFailed("hook did not answer.", may_have_arrived=True)


def test_what_is_due_is_claimed_once():
    row = delivery(at=NOON)

    assert due_notifiers(NOON - SECOND) == set()
    assert claim("ops", NOON - SECOND) is None
    assert due_notifiers(NOON) == {"ops"}
    assert claim("other", NOON) is None
    assert claim("ops", NOON).pk == row.pk
    assert claim("ops", NOON) is None
    assert due_notifiers(NOON) == set()
    assert state(row) == ("pending", 1, False)


def test_a_claim_whose_lease_ran_out_is_taken_again_and_marked():
    row = delivery(at=NOON)
    first = claim("ops", NOON)

    assert claim("ops", NOON + LEASE - SECOND) is None
    second = claim("ops", NOON + LEASE)

    assert second.pk == row.pk
    assert second.is_repeat
    assert message_of(second).is_repeat
    assert message_of(second).message_id == message_of(first).message_id
    # Whoever comes too late changes nothing.
    assert not record_sent(first, NOON + LEASE)
    assert not record_failure(first, REFUSED, NOON + LEASE)
    assert state(row) == ("pending", 2, True)
    assert record_sent(second, NOON + LEASE)
    assert state(row) == ("sent", 2, True)


def test_what_was_sent_is_sent_for_good():
    row = delivery(at=NOON)

    assert record_sent(claim("ops", NOON), NOON)

    assert claim("ops", NOON + timedelta(days=1)) is None
    row.refresh_from_db()
    assert (row.status, row.sent_at, row.claim_token, row.lease_expires_at) == ("sent", NOON, "", None)


def test_each_failure_is_followed_by_another_attempt_until_a_day_is_over(caplog):
    row, now, waits = delivery(at=NOON), NOON, []
    with caplog.at_level(logging.WARNING, logger="cronjobs"):
        while (claimed := claim("ops", now)) is not None:
            assert record_failure(claimed, REFUSED, now)
            row.refresh_from_db()
            assert claim("ops", row.due_at - SECOND) is None
            waits.append((row.due_at - now).total_seconds())
            now = row.due_at

    assert waits[:6] == [10, 60, 300, 900, 3600, 3600]
    assert len(waits) == 28
    assert state(row) == ("failed", 28, False)
    assert row.last_error == "hook answered with status 500."
    assert now - NOON <= timedelta(hours=24)
    *warnings, error = caplog.records
    assert {each.levelname for each in warnings} == {"WARNING"}
    assert error.levelname == "ERROR"
    assert error.getMessage().endswith(
        "could not be sent through ops in 28 attempts, and is given up: hook answered with status 500."
    )


def test_what_may_have_arrived_is_marked_when_it_is_sent_again():
    row = delivery(at=NOON)

    record_failure(claim("ops", NOON), SILENT, NOON)
    record_failure(claim("ops", NOON + 10 * SECOND), REFUSED, NOON + 10 * SECOND)

    assert state(row) == ("pending", 2, True)


def test_an_end_is_not_told_before_its_beginning():
    beginning = delivery(at=NOON)
    record_failure(claim("ops", NOON), REFUSED, NOON)
    end = delivery(at=NOON + SECOND, is_resolution=True)
    other = delivery(at=NOON + SECOND, subject="other", job_name="other")
    elsewhere = delivery("hook", at=NOON + SECOND, is_resolution=True)

    assert claim("ops", NOON + SECOND).pk == other.pk
    assert claim("hook", NOON + SECOND).pk == elsewhere.pk
    assert claim("ops", NOON + SECOND) is None
    retried = claim("ops", NOON + 10 * SECOND)
    assert retried.pk == beginning.pk
    assert claim("ops", NOON + 10 * SECOND) is None
    record_sent(retried, NOON + 10 * SECOND)
    assert claim("ops", NOON + 10 * SECOND).pk == end.pk


def test_an_end_does_not_wait_for_a_beginning_that_was_given_up():
    beginning = delivery(at=NOON)
    end = delivery(at=NOON + SECOND, is_resolution=True)
    AlertDelivery.objects.filter(pk=beginning.pk).update(status="failed")

    assert claim("ops", NOON + SECOND).pk == end.pk


def test_a_notifier_that_works_again_is_sent_at_once_what_waits():
    waiting, foreign = delivery(at=NOON, subject="a"), delivery("hook", at=NOON, subject="a")
    for each in ("ops", "hook"):
        record_failure(claim(each, NOON), REFUSED, NOON)
    delivery(at=NOON + SECOND, subject="b")

    record_sent(claim("ops", NOON + SECOND), NOON + SECOND)

    waiting.refresh_from_db()
    foreign.refresh_from_db()
    assert waiting.due_at == NOON + SECOND
    assert foreign.due_at == NOON + 10 * SECOND
    assert claim("ops", NOON + SECOND).pk == waiting.pk


def test_what_is_always_refused_is_not_tried_again_for_each_message_that_arrives():
    refused, late = delivery(at=NOON, subject="a"), delivery(at=NOON, subject="b")
    record_failure(claim("ops", NOON), REFUSED, NOON)
    record_failure(claim("ops", NOON + 10 * SECOND), REFUSED, NOON + 10 * SECOND)
    record_failure(claim("ops", NOON + 20 * SECOND), REFUSED, NOON + 20 * SECOND)
    for each in (refused, late):
        each.refresh_from_db()
    tried_least = min(refused, late, key=lambda each: each.attempts)
    now = NOON + 21 * SECOND
    delivery(at=now, subject="c")

    record_sent(claim("ops", now), now)

    assert claim("ops", now).pk == tried_least.pk
    assert claim("ops", now) is None


def test_what_no_attempt_has_ended_for_is_too_old_after_a_day():
    delivery(at=NOON)

    claimed = claim("ops", NOON + timedelta(days=2))
    assert not is_too_old(claimed, NOON + timedelta(days=2))
    again = claim("ops", NOON + timedelta(days=3))
    assert is_too_old(again, NOON + timedelta(days=3))


def test_a_message_has_links_to_execution_and_job(settings):
    settings.CRONJOBS = {"BASE_URL": "https://ops.example.com/"}
    delivery(at=NOON, execution_id=5, facts={"job_id": 2})

    links = message_of(claim("ops", NOON)).links

    assert links.execution == "https://ops.example.com/admin/cronjobs/jobexecution/5/change/"
    assert links.job == "https://ops.example.com/admin/cronjobs/job/2/change/"


def test_an_idle_look_is_one_statement(django_assert_num_queries):
    with django_assert_num_queries(1):
        due_notifiers(NOON)


@pytest.mark.django_db(transaction=True)
def test_several_that_claim_at_once_get_each_message_once(transactional_db):
    pks = {delivery(at=NOON, subject=str(number)).pk for number in range(30)}
    claimed: list[int] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        while (row := claim("ops", NOON)) is not None or due_notifiers(NOON):
            if row is not None:
                claimed.append(row.pk)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(claimed) == sorted(pks)
