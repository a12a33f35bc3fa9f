"""Clock changes: what runs, when, and how often, against a daemon played minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from cronjobs.schedules import ClockChange, ClockEffect, Cron, clock_changes, parse_time_zone
from tests.unit.oracle import Line, daemon_runs

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)

EXPRESSIONS = [
    "* * * * *",
    "*/25 * * * *",
    "0 * * * *",
    "30 */2 * * *",
    "*/20 0-3 * * *",
    "0 0 * * *",
    "30 1 * * *",
    "30 2 * * *",
    "0 2 * * *",
    "0,15,59 1,2,3,23 * * *",
    "5 0-23 * * *",
    "0 3 * * 0",
    "10 0 L * *",
    "45 23 1-7 * 7",
]
LINES = [Line(expression) for expression in EXPRESSIONS]
ZONES = sorted(available_timezones() - {"Factory", "localtime"})
# Zones and spans in which the clocks did something uncommon.
ODDITIES = [
    pytest.param("Australia/Lord_Howe", "2026-04-04T00:00Z", "2026-04-06T00:00Z", id="half-an-hour-back"),
    pytest.param("Australia/Lord_Howe", "2026-10-03T00:00Z", "2026-10-05T00:00Z", id="half-an-hour-on"),
    pytest.param("Antarctica/Troll", "2026-03-28T12:00Z", "2026-03-30T00:00Z", id="two-hours-on"),
    pytest.param("Antarctica/Troll", "2026-10-24T12:00Z", "2026-10-26T00:00Z", id="two-hours-back"),
    pytest.param("Africa/Casablanca", "2026-02-14T00:00Z", "2026-02-16T00:00Z", id="ramadan-begins"),
    pytest.param("Africa/Casablanca", "2026-03-21T00:00Z", "2026-03-23T00:00Z", id="ramadan-ends"),
    pytest.param("America/Sao_Paulo", "2017-10-14T12:00Z", "2017-10-16T12:00Z", id="midnight-is-missing"),
    pytest.param("America/Sao_Paulo", "2018-02-17T12:00Z", "2018-02-19T12:00Z", id="the-day-ends-twice"),
    pytest.param("Pacific/Apia", "2011-12-29T00:00Z", "2012-01-01T00:00Z", id="a-whole-day-is-missing"),
    pytest.param("Antarctica/Casey", "2020-10-03T00:00Z", "2020-10-05T00:00Z", id="three-hours-on"),
    pytest.param("Antarctica/Casey", "2021-03-12T12:00Z", "2021-03-15T00:00Z", id="three-hours-back"),
    pytest.param("Antarctica/Vostok", "1994-01-30T12:00Z", "1994-02-02T00:00Z", id="seven-hours-back"),
    pytest.param("Asia/Kathmandu", "1985-12-31T00:00Z", "1986-01-02T00:00Z", id="a-quarter-hour-on"),
    pytest.param("Africa/Monrovia", "1972-01-06T00:00Z", "1972-01-08T12:00Z", id="offset-with-seconds"),
    pytest.param("Asia/Kathmandu", "2026-06-01T00:00Z", "2026-06-03T00:00Z", id="three-quarters-and-no-change"),
]


@cache
def daemon_around(change):
    """What the daemon does around a change, in the first zone that had it: others see the same clock then."""
    return daemon_runs(LINES, FIRST_ZONE_WITH[change], change.at - 8 * HOUR, change.at + 27 * HOUR)


FIRST_ZONE_WITH: dict[ClockChange, ZoneInfo] = {}


@pytest.mark.parametrize("letter", sorted({name[0] for name in ZONES}))
def test_every_zone_runs_as_the_daemon_does_around_its_changes_to_2030(letter):
    for name in (name for name in ZONES if name[0] == letter):
        for change in clock_changes(ZoneInfo(name), START, END):
            FIRST_ZONE_WITH.setdefault(change, ZoneInfo(name))
            start, end = change.at - 8 * HOUR, change.at + 27 * HOUR

            found = [list(Cron(expression, name).due_between(start, end)) for expression in EXPRESSIONS]

            assert found == daemon_around(change), f"{name} at {change.at}"


def test_no_change_of_any_zone_is_overlooked_to_2030():
    noons = [START + n * 12 * HOUR for n in range((END - START) // (12 * HOUR))]
    for name in ZONES:
        zone = ZoneInfo(name)
        offsets = [noon.astimezone(zone).utcoffset() for noon in noons]
        expected = [(before, after) for before, after in pairwise(offsets) if before != after]

        changes = list(clock_changes(zone, START, END))

        assert [(change.before, change.after) for change in changes] == expected, name
        for change in changes:
            assert (change.at - MINUTE).astimezone(zone).utcoffset() == change.before
            assert change.at.astimezone(zone).utcoffset() == change.after


@pytest.mark.parametrize(("zone", "start", "end"), ODDITIES)
def test_uncommon_changes_are_handled_as_the_daemon_does(zone, start, end):
    span = datetime.fromisoformat(start), datetime.fromisoformat(end)

    found = [list(Cron(expression, zone).due_between(*span)) for expression in EXPRESSIONS]

    assert found == daemon_runs(LINES, ZoneInfo(zone), *span)


@pytest.mark.parametrize(("zone", "start", "end"), ODDITIES)
def test_counts_and_backward_walks_agree_across_uncommon_changes(zone, start, end):
    span = datetime.fromisoformat(start), datetime.fromisoformat(end)

    for expression in EXPRESSIONS:
        schedule = Cron(expression, zone)
        forward = list(schedule.due_between(*span))

        assert list(schedule.newest_first(*span)) == forward[::-1]
        assert schedule.count_between(*span) == len(forward)


@pytest.mark.parametrize(
    ("expression", "date", "runs"),
    [
        # The clock goes from 02:00 to 03:00.
        ("30 2 * * *", "2026-03-08", ["07:00:00"]),
        ("0,30 2 * * *", "2026-03-08", ["07:00:00"]),
        ("30 2,3 * * *", "2026-03-08", ["07:00:00", "07:30:00"]),
        ("0 2,3 * * *", "2026-03-08", ["07:00:00"]),
        ("*/30 2 * * *", "2026-03-08", []),
        ("15 30 2 * * *", "2026-03-08", ["07:00:15"]),
        ("15,45 30 2 * * *", "2026-03-08", ["07:00:15", "07:00:45"]),
        ("15 */30 2 * * *", "2026-03-08", []),
        # The clock goes from 02:00 back to 01:00.
        ("30 1 * * *", "2026-11-01", ["05:30:00"]),
        ("*/30 1 * * *", "2026-11-01", ["05:00:00", "05:30:00", "06:00:00", "06:30:00"]),
        ("15 30 1 * * *", "2026-11-01", ["05:30:15"]),
        ("15,45 30 1 * * *", "2026-11-01", ["05:30:15", "05:30:45"]),
        ("15 */30 1 * * *", "2026-11-01", ["05:00:15", "05:30:15", "06:00:15", "06:30:15"]),
        ("0 2 * * *", "2026-11-01", ["07:00:00"]),
    ],
)
def test_the_day_of_a_change_in_new_york(expression, date, runs):
    noon = datetime.fromisoformat(f"{date}T12:00Z")

    due = Cron(expression, "America/New_York").due_between(noon - 9 * HOUR, noon + 9 * HOUR)

    assert [f"{t:%H:%M:%S}" for t in due] == runs


@pytest.mark.parametrize("minutes", range(-5, 125, 5))
def test_inside_a_repeated_hour_the_next_due_time_is_never_in_the_past(minutes):
    now = datetime(2026, 11, 1, 5, tzinfo=UTC) + minutes * MINUTE
    expected = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)

    due = Cron("30 1 * * *", "America/New_York").next_after(now.astimezone(ZoneInfo("America/New_York")))

    assert due == (expected if now < expected else expected + 25 * HOUR)


@pytest.mark.parametrize("seconds", range(-121, 3 * 3600, 359))
def test_after_a_skipped_hour_what_was_made_up_for_is_not_due_again(seconds):
    change = datetime(2026, 3, 8, 7, tzinfo=UTC)
    schedule, now = Cron("30 2 * * *", "America/New_York"), change + timedelta(seconds=seconds)

    assert schedule.next_after(now) == (change if seconds < 0 else change + 23.5 * HOUR)
    assert schedule.count_between(now, change + 12 * HOUR) == (seconds < 0)
    assert schedule.latest_between(now, change + 12 * HOUR) == (change if seconds < 0 else None)


def test_a_change_knows_its_shift():
    changes = list(clock_changes(parse_time_zone("Australia/Lord_Howe"), START, datetime(2027, 1, 1, tzinfo=UTC)))

    assert changes == [
        ClockChange(datetime(2026, 4, 4, 15, tzinfo=UTC), 11 * HOUR, 10.5 * HOUR),
        ClockChange(datetime(2026, 10, 3, 15, 30, tzinfo=UTC), 10.5 * HOUR, 11 * HOUR),
    ]
    assert [change.shift for change in changes] == [-HOUR / 2, HOUR / 2]


def test_changes_are_later_than_the_start_and_up_to_the_end():
    zone, at = parse_time_zone("Europe/Paris"), datetime(2026, 3, 29, 1, tzinfo=UTC)

    assert [change.at for change in clock_changes(zone, at - MINUTE, at)] == [at]
    assert list(clock_changes(zone, at, at + MINUTE)) == []
    assert list(clock_changes(parse_time_zone("UTC"), START, END)) == []


@pytest.mark.parametrize(
    ("expression", "zone", "effect", "text"),
    [
        (
            "30 2 * * *",
            "America/New_York",
            ClockEffect.MOVED,
            "clock change on 2026-03-08: 02:30 does not exist; runs at 03:00 EDT",
        ),
        (
            "*/30 2 * * *",
            "America/New_York",
            ClockEffect.SKIPPED,
            "clock change on 2026-03-08: 02:00 and 02:30 do not exist; skipped",
        ),
        (
            "30 1 * * *",
            "America/New_York",
            ClockEffect.ONCE,
            "clock change on 2026-11-01: 01:30 comes twice; runs the first time only",
        ),
        (
            "*/20 1 * * *",
            "America/New_York",
            ClockEffect.TWICE,
            "clock change on 2026-11-01: 01:00, 01:20 and 1 more come twice; runs both times",
        ),
        (
            "0 0 * * *",
            "Africa/Cairo",
            ClockEffect.MOVED,
            "clock change on 2026-04-24: 00:00 does not exist; runs at 01:00 EEST",
        ),
    ],
)
def test_a_note_says_what_a_clock_change_does(expression, zone, effect, text):
    schedule = Cron(expression, zone)

    (note,) = schedule.notes_between(START, datetime(2027, 1, 1, tzinfo=UTC))

    assert (note.effect, str(note)) == (effect, text)
    if effect is ClockEffect.MOVED:
        assert note.at in list(schedule.due_between(note.at - MINUTE, note.at))


def test_a_correction_of_the_clock_is_noted_as_such():
    schedule = Cron("0 12 30 * *", "Pacific/Apia")

    (note,) = schedule.notes_between(datetime(2011, 12, 1, tzinfo=UTC), datetime(2012, 1, 1, tzinfo=UTC))

    assert note.effect is ClockEffect.SKIPPED


@pytest.mark.parametrize("expression", ["0 7 * * *", "* * * * *", "0 * * * *", "30 */1 * * *"])
def test_a_schedule_that_a_change_does_not_touch_has_no_note(expression):
    assert list(Cron(expression, "Europe/Berlin").notes_between(START, END)) == []
