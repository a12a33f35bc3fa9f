"""When a message that was not taken is sent again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cronjobs.notifications.repeating import next_attempt

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


def delays(*, lasting=timedelta(0)):
    """Return the waits in seconds between attempts that all fail, each after so long, until it is given up."""
    now, failures, found = NOON, 0, []
    while True:
        failures, now = failures + 1, now + lasting
        due = next_attempt(failures, since=NOON, now=now)
        if due is None:
            return found, now
        found.append((due - now).total_seconds())
        now = due


def test_it_is_sent_again_after_ten_seconds_one_five_and_fifteen_minutes_and_then_hourly():
    found, _ = delays()

    assert found[:6] == [10, 60, 300, 900, 3600, 3600]
    assert set(found[4:]) == {3600}


def test_it_is_given_up_within_a_day_of_the_alert():
    found, ended = delays()

    assert len(found) == 4 + 23
    assert NOON + timedelta(hours=23) < ended <= NOON + timedelta(hours=24)


def test_attempts_that_take_long_make_it_no_longer_than_a_day():
    assert delays(lasting=timedelta(seconds=45))[1] <= NOON + timedelta(hours=24, seconds=45)


def test_an_outage_of_two_days_leaves_one_attempt_and_no_other():
    assert next_attempt(1, since=NOON, now=NOON + timedelta(days=2)) is None
