"""Schedules without the days that a calendar excludes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronjobs.schedules import Cron, Every, excluding

BERLIN = ZoneInfo("Europe/Berlin")
CHRISTMAS = [date(2026, 12, 25), date(2026, 12, 26)]


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_without_dates_it_is_the_schedule_itself():
    daily = Cron("0 9 * * *", "Europe/Berlin")

    assert excluding(daily, [], BERLIN) is daily


def test_excluded_days_are_days_of_the_jobs_own_zone():
    hourly = excluding(Cron("0 * * * *", "Europe/Berlin"), CHRISTMAS, BERLIN)

    # In winter Berlin is an hour ahead: its 25th begins at 23:00 UTC on the 24th.
    assert hourly.next_after(at(2026, 12, 24, 21, 30)) == at(2026, 12, 24, 22)
    assert hourly.next_after(at(2026, 12, 24, 22)) == at(2026, 12, 26, 23)
    assert hourly.latest_between(at(2026, 12, 20), at(2026, 12, 26, 12)) == at(2026, 12, 24, 22)
    assert hourly.count_between(at(2026, 12, 24, 12), at(2026, 12, 27, 12)) == 72 - 48


def test_what_a_calendar_takes_away_can_be_asked():
    schedule = excluding(Cron("0 9 * * 1-5", "Europe/Berlin"), CHRISTMAS, BERLIN)

    taken = list(schedule.excluded_between(at(2026, 12, 20), at(2026, 12, 31)))

    # The 26th is a Saturday: the job was not due anyway.
    assert taken == [(date(2026, 12, 25), at(2026, 12, 25, 8))]
    assert list(schedule.excluded_between(at(2026, 12, 25, 8), at(2026, 12, 31))) == []


def test_it_says_so():
    schedule = excluding(Cron("0 9 * * *", "Europe/Berlin"), CHRISTMAS, BERLIN)

    assert schedule.describe().endswith("(Europe/Berlin), except on 2 days")
    assert str(schedule) == "0 9 * * *"


def test_a_calendar_that_excludes_everything_ends_the_search():
    every_day = [date(2026, 1, 1) + timedelta(days=n) for n in range(30)]
    schedule = excluding(Every(timedelta(hours=1)), every_day, ZoneInfo("UTC"))

    assert schedule.next_after(at(2025, 12, 31, 23)) == at(2026, 1, 31)
    assert schedule.latest_between(at(2026, 1, 2), at(2026, 1, 29)) is None


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"])
@given(data=st.data())
def test_it_equals_the_walk_that_drops_excluded_days(zone, data):
    tz = ZoneInfo(zone)
    dates = data.draw(st.frozensets(st.dates(date(2026, 3, 1), date(2026, 4, 15)), max_size=8))
    start = at(2026, 3, 1) + timedelta(minutes=data.draw(st.integers(0, 40 * 24 * 60)))
    end = start + timedelta(hours=data.draw(st.integers(0, 100)))
    nominal = Cron(data.draw(st.sampled_from(["*/20 * * * *", "30 2 * * *", "0 0 * * *"])), zone)
    schedule = excluding(nominal, dates, tz)

    expected = [t for t in nominal.due_between(start, end) if t.astimezone(tz).date() not in dates]

    assert list(schedule.due_between(start, end)) == expected
    assert list(schedule.newest_first(start, end)) == expected[::-1]
    assert schedule.count_between(start, end) == len(expected)
