"""Jitter: put off, but always alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cronjobs.scheduler.planner import spread

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_the_same_occurrence_is_always_put_off_by_the_same():
    assert spread(NOON, key="a", jitter=MINUTE, following=None) == spread(NOON, key="a", jitter=MINUTE, following=None)


def test_it_stays_within_the_jitter_and_spreads():
    delays = [spread(NOON, key=f"job-{n}", jitter=MINUTE, following=None) - NOON for n in range(500)]

    assert all(timedelta(0) <= delay < MINUTE for delay in delays)
    assert timedelta(seconds=27) < sum(delays, timedelta(0)) / 500 < timedelta(seconds=33)


def test_it_never_reaches_the_next_due_time():
    following = NOON + timedelta(seconds=10)

    assert all(
        NOON <= spread(NOON, key=str(n), jitter=timedelta(hours=1), following=following) < following for n in range(200)
    )


def test_without_jitter_nothing_is_put_off():
    assert spread(NOON, key="a", jitter=timedelta(0), following=None) == NOON
