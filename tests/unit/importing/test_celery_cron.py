"""Crontabs of Celery's, compared with what Celery itself makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronjobs.exceptions import InvalidSchedule
from cronjobs.importing.celery_cron import NotCron, cron_of
from cronjobs.schedules import Cron, parse_schedule

celery_schedules = pytest.importorskip("celery.schedules")

FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
ALL = dict.fromkeys(FIELDS, "*")
FIRST = datetime(2027, 1, 1, tzinfo=UTC)


def terms(low, high, names=()):
    number = st.integers(low, high).map(str) | (st.sampled_from(names) if names else st.nothing())
    span = st.tuples(number, number).map("-".join)
    step = st.integers(1, high + 3).map(str)
    return number | span | st.tuples(span | st.just("*"), step).map("/".join) | st.just("*")


def field(low, high, names=()):
    return st.lists(terms(low, high, names), min_size=1, max_size=3).map(",".join)


DAYS = ("sun", "mon", "Tuesday", "wed", "thu", "FRI", "saturday")
CRONTABS = st.fixed_dictionaries(
    {
        "minute": field(0, 59),
        "hour": field(0, 23),
        "day_of_month": field(1, 31),
        "month_of_year": field(1, 12, ("jan", "Feb", "december")),
        "day_of_week": field(0, 6, DAYS),
    }
)


def due_by_celery(crontab, first, days):
    """Return when Celery's own sets match, in UTC: both day fields have to."""
    for number in range(days):
        day = first + timedelta(days=number)
        is_in = (
            day.month in crontab.month_of_year
            and day.day in crontab.day_of_month
            and day.isoweekday() % 7 in crontab.day_of_week
        )
        if is_in:
            for hour in sorted(crontab.hour):
                for minute in sorted(crontab.minute):
                    yield day.replace(hour=hour, minute=minute)


@settings(max_examples=150, deadline=None)
@given(CRONTABS, st.integers(0, 700))
def test_it_is_due_when_celery_says_or_refused(given, offset):
    theirs, first = celery_schedules.crontab(**given), FIRST + timedelta(days=offset)
    try:
        expression = cron_of(**given)
    except NotCron as error:
        assert "match either" in str(error)  # noqa: PT017 - a refusal is one of two right answers
        return
    expected = list(due_by_celery(theirs, first, 40))
    try:
        cron = Cron(expression)
    except InvalidSchedule as error:
        # A 30th of February, and lists that are longer than a job's column.
        assert expected == [] or "has at most" in str(error)  # noqa: PT017 - as above
        return

    ours = cron.due_between(first - timedelta(seconds=1), first + timedelta(days=40) - timedelta(seconds=1))

    assert list(ours) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "* * * * *"),
        ({"minute": "*/15", "hour": "8-18"}, "*/15 8-18 * * *"),
        ({"minute": "0", "hour": "22-3"}, "0 0-3,22-23 * * *"),
        ({"minute": "0", "hour": "0", "day_of_week": "mon-fri"}, "0 0 * * 1-5"),
        ({"minute": "0", "hour": "0", "day_of_week": "fri-mon"}, "0 0 * * 0-1,5-6"),
        ({"minute": "0", "hour": "0", "day_of_week": "0-6", "day_of_month": "1"}, "0 0 1 * *"),
        ({"minute": "0", "hour": "0", "day_of_week": "1", "day_of_month": "*/2"}, "0 0 */2 * 1"),
        ({"minute": " 1, 2 ", "month_of_year": "Jan,december"}, "1,2 * * 1,12 *"),
    ],
)
def test_it_is_written_as_cron_has_it(given, expected):
    assert cron_of(**{**ALL, **given}) == expected
    assert str(parse_schedule(expected)) == expected


def test_days_that_have_to_match_both_are_refused_with_what_says_the_same():
    with pytest.raises(NotCron) as refused:
        cron_of(minute="0", hour="6", day_of_month="8-14", month_of_year="*", day_of_week="2")

    assert "both the day of the month (8-14) and the day of the week (2)" in str(refused.value)
    assert "'0 6 * * 2#2' says the same as Celery." in str(refused.value)
    theirs = celery_schedules.crontab(minute="0", hour="6", day_of_month="8-14", day_of_week="2")
    assert list(Cron("0 6 * * 2#2").due_between(FIRST, FIRST + timedelta(days=800))) == list(
        due_by_celery(theirs, FIRST, 800)
    )


def test_of_other_days_there_is_nothing_that_says_the_same():
    with pytest.raises(NotCron) as refused:
        cron_of(minute="0", hour="6", day_of_month="13", month_of_year="*", day_of_week="5")

    assert "says the same" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("minute", "60"),
        ("minute", "5/15"),
        ("minute", "*/0"),
        ("minute", "1,,2"),
        ("minute", ""),
        ("minute", "-1"),
        ("hour", "noon"),
        ("day_of_month", "0"),
        ("day_of_week", "7"),
        ("month_of_year", "mon"),
        ("month_of_year", "*/"),
        ("minute", "9" * 5000),
        ("minute", "٣"),
    ],
)
def test_what_means_nothing_is_refused(name, text):
    with pytest.raises(NotCron):
        cron_of(**{**ALL, name: text})
