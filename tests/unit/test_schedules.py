"""What every schedule answers, and how schedules are written and read back."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from cronjobs.schedules import At, Cron, Every, Schedule, parse_schedule, parse_time_zone

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FAR = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)

SCHEDULES = [
    Cron("*/5 * * * *"),
    Cron("0 7 * * mon-fri", "Europe/Berlin"),
    Cron("15,45 30 2 * * *", "America/New_York"),
    Every(timedelta(seconds=90)),
    Every(timedelta(days=7), anchor=NOON),
    At(NOON + timedelta(days=1)),
]
each_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=str)


@each_schedule
def test_the_next_due_time_is_strictly_later(schedule):
    due = schedule.next_after(NOON)

    assert due > NOON
    assert schedule.next_after(due) != due
    assert schedule.next_after(due - timedelta(microseconds=1)) == due


@each_schedule
def test_spans_exclude_their_start_and_include_their_end(schedule):
    due = schedule.next_after(NOON)

    assert list(schedule.due_between(NOON, due)) == [due]
    assert list(schedule.newest_first(NOON, due)) == [due]
    assert schedule.count_between(NOON, due) == 1
    assert schedule.count_between(due, due) == 0
    assert schedule.count_between(NOON, due - timedelta(microseconds=1)) == 0


@each_schedule
def test_a_span_that_ends_before_it_starts_is_empty(schedule):
    start, end = NOON + timedelta(days=30), NOON

    assert list(schedule.due_between(start, end)) == []
    assert list(schedule.newest_first(start, end)) == []
    assert schedule.count_between(start, end) == 0
    assert schedule.latest_between(start, end) is None


@each_schedule
def test_due_times_come_out_in_utc_with_whole_seconds(schedule):
    given = (NOON + timedelta(milliseconds=1500)).astimezone(timezone(timedelta(hours=5, minutes=30)))

    due = schedule.next_after(given)

    assert due.tzinfo is UTC
    assert due.microsecond == 0


@each_schedule
def test_walking_back_reverses_walking_forward(schedule):
    start, end = NOON - timedelta(days=20), NOON + timedelta(days=20)

    forward = list(schedule.due_between(start, end))

    assert list(schedule.newest_first(start, end)) == forward[::-1]
    assert schedule.latest_between(start, end) == (forward[-1] if forward else None)
    assert schedule.count_between(start, end, limit=len(forward)) == len(forward)


@each_schedule
def test_after_the_last_year_nothing_is_due(schedule):
    assert schedule.next_after(FAR) is None


@each_schedule
def test_all_of_time_can_be_asked_about(schedule):
    first = next(schedule.due_between(LONG_AGO, FAR))

    assert schedule.next_after(LONG_AGO) == first
    assert schedule.latest_between(LONG_AGO, FAR) >= first
    assert 1 <= schedule.count_between(LONG_AGO, FAR) <= 10_001


@each_schedule
def test_the_canonical_text_reads_back(schedule):
    again = parse_schedule(str(schedule))

    assert again.in_zone(getattr(schedule, "time_zone", None) or "UTC") == schedule.in_zone("UTC")
    assert str(again) == str(schedule)


@each_schedule
def test_a_schedule_is_a_value(schedule):
    assert pickle.loads(pickle.dumps(schedule)) == schedule  # noqa: S301  # our own bytes
    assert len({schedule, pickle.loads(pickle.dumps(schedule))}) == 1  # noqa: S301  # our own bytes
    with pytest.raises(FrozenInstanceError):
        setattr(schedule, fields(schedule)[0].name, "changed")
    assert isinstance(schedule, Schedule)


def test_counting_stops_beyond_the_limit():
    every_minute = Cron("* * * * *")

    assert every_minute.count_between(NOON, NOON + 10 * MINUTE, limit=10) == 10
    assert every_minute.count_between(NOON, NOON + 11 * MINUTE, limit=10) == 11
    assert every_minute.count_between(NOON, NOON + 12 * MINUTE, limit=10) == 11
    assert every_minute.count_between(NOON, NOON + 10_000 * MINUTE) == 10_000
    assert every_minute.count_between(NOON, NOON + timedelta(days=366)) == 10_001


def test_due_times_are_computed_as_they_are_asked_for():
    every_second = Cron("* * * * * *")

    assert len(list(islice(every_second.due_between(LONG_AGO, FAR), 3))) == 3
    assert next(every_second.newest_first(LONG_AGO, FAR)) > NOON


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        ("@HOURLY", "0 * * * *"),
        ("  0\t7  * * MON-FRI ", "0 7 * * MON-FRI"),
        ("30 0 7 * * *", "30 0 7 * * *"),
    ],
)
def test_cron_text_and_nicknames_are_read(text, expression):
    assert parse_schedule(text) == Cron(expression)


@pytest.mark.parametrize(
    ("text", "seconds", "canonical"),
    [
        ("@every 90s", 90, "@every 1m30s"),
        ("@every 1h30m", 5400, "@every 1h30m"),
        ("@every 1d2h3m4s", 93_784, "@every 1d2h3m4s"),
        ("@Every 5M", 300, "@every 5m"),
        ("@every 0h5m", 300, "@every 5m"),
        ("@every 366d", 366 * 86_400, "@every 366d"),
        ("@every 1s", 1, "@every 1s"),
    ],
)
def test_intervals_are_read_and_written_in_their_shortest_form(text, seconds, canonical):
    schedule = parse_schedule(text)

    assert schedule == Every(timedelta(seconds=seconds))
    assert str(schedule) == canonical


def test_an_anchor_survives_being_written():
    schedule = Every(timedelta(hours=6), anchor=datetime(2026, 3, 1, 10, tzinfo=timezone(timedelta(hours=1))))

    assert str(schedule) == "@every 6h from 2026-03-01T09:00:00Z"
    assert parse_schedule(str(schedule)) == schedule


def test_an_instant_is_read_with_its_offset():
    assert parse_schedule("@at 2026-03-01T13:00:00+01:00") == At(NOON)
    assert str(At(NOON)) == "@at 2026-03-01T12:00:00Z"


def test_an_interval_counts_from_the_epoch_so_that_every_node_agrees():
    every = Every(timedelta(minutes=7))

    (due,) = every.due_between(NOON, NOON + timedelta(minutes=7))

    assert (due - datetime(1970, 1, 1, tzinfo=UTC)) % timedelta(minutes=7) == timedelta(0)


def test_an_interval_does_not_drift_however_late_it_is_asked():
    every = Every(timedelta(seconds=10), anchor=NOON)

    late = NOON + timedelta(days=365, milliseconds=3_700)

    assert every.next_after(late) == NOON + timedelta(days=365, seconds=10)
    assert every.next_after(NOON - timedelta(seconds=25)) == NOON - timedelta(seconds=20)


def test_an_instant_is_due_once():
    at = At(NOON)

    assert at.next_after(NOON - MINUTE) == NOON
    assert at.next_after(NOON) is None
    assert at.count_between(LONG_AGO, FAR) == 1


def test_a_cron_without_a_zone_gets_one_and_a_cron_with_one_keeps_it():
    berlin = Cron("0 7 * * *").in_zone("Europe/Berlin")

    assert berlin == Cron("0 7 * * *", "Europe/Berlin")
    assert berlin.in_zone("Asia/Tokyo") is berlin
    assert berlin.zone == ZoneInfo("Europe/Berlin")
    assert Cron("0 7 * * *").zone == ZoneInfo("UTC")


@pytest.mark.parametrize("schedule", [Every(timedelta(hours=1)), At(NOON)], ids=str)
def test_what_follows_no_wall_clock_ignores_zones(schedule):
    assert schedule.in_zone("Asia/Tokyo") is schedule


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+2", "US/Central"])
def test_iana_names_are_zones(name):
    assert parse_time_zone(name) == ZoneInfo(name)


def test_a_change_of_zone_moves_the_next_due_time_and_nothing_else():
    schedule = Cron("30 16 * * *")
    restart = datetime(2017, 9, 13, 18, tzinfo=UTC)

    assert schedule.in_zone("UTC").next_after(restart) == datetime(2017, 9, 14, 16, 30, tzinfo=UTC)
    assert schedule.in_zone("America/New_York").next_after(restart) == datetime(2017, 9, 13, 20, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0 0 * * 5-7", "0 0 * * fri,sat,sun"),
        ("0 0 * * 0-7", "0 0 * * 0-6"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * */2", "0 0 * * 0,2,4,6"),
        ("0 0 * * 1-7/3", "0 0 * * 1,4,7"),
        ("0 0 * * 7L", "0 0 * * sunL"),
        ("0 0 * * 7#2", "0 0 * * SUN#2"),
        ("0 0 5-5/2 * *", "0 0 5 * *"),
        ("5-5/2 * * * *", "5 * * * *"),
        ("*/90 * * * *", "0 * * * *"),
        ("0 0 13 * 0-6", "0 0 * * *"),
        ("0 0 1 JAN,jul *", "0 0 1 1,7 *"),
        ("0 0 * * 1,1,1-2", "0 0 * * 1,2"),
    ],
)
def test_two_ways_to_write_the_same_days(one, other):
    start, end = NOON, NOON + timedelta(days=800)

    assert list(Cron(one).due_between(start, end)) == list(Cron(other).due_between(start, end))


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 */2 3 mon", [9, 23]),
        ("0 0 1,9 3 */2", [1]),
        ("0 0 1,9 3 2", [1, 3, 9, 10, 17, 24, 31]),
        ("0 0 * 3 tue", [3, 10, 17, 24, 31]),
    ],
)
def test_a_leading_star_joins_the_day_fields_by_and(expression, days):
    march = datetime(2026, 3, 1, tzinfo=UTC) - MINUTE, datetime(2026, 4, 1, tzinfo=UTC) - MINUTE

    assert [t.day for t in Cron(expression).due_between(*march)] == days
