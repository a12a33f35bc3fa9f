"""What is no schedule and no time zone is refused: quickly, and with the guilty field named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cronjobs.exceptions import CronJobsError, InvalidSchedule
from cronjobs.schedules import At, Cron, Every, parse_schedule, parse_time_zone

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

# Expression, field, a part of the sentence. Debian's own checker refuses all that is plain crontab.
BAD_CRON: list[tuple[object, str, str]] = [
    ("*/0 * * * *", "minute", "'*/0' must be 1 or more"),
    ("*/00 * * * *", "minute", "'*/00' must be 1 or more"),
    ("5-5/0 * * * *", "minute", "'5-5/0' must be 1 or more"),
    ("60 5 * * *", "minute", "'60' is not in 0\N{EN DASH}59"),
    ("60 0 0 * * *", "second", "'60' is not in 0\N{EN DASH}59"),
    ("0 24 * * *", "hour", "'24' is not in 0\N{EN DASH}23"),
    ("0 0 0 * *", "day-of-month", "'0' is not in 1\N{EN DASH}31"),
    ("0 0 32 * *", "day-of-month", "'32' is not in 1\N{EN DASH}31"),
    ("0 0 1 0 *", "month", "'0' is not in 1\N{EN DASH}12"),
    ("0 0 1 13 *", "month", "'13' is not in 1\N{EN DASH}12"),
    ("0 0 1 foo *", "month", "'foo' is not a number or a name jan\N{EN DASH}dec"),
    ("0 0 * * 8", "day-of-week", "'8' is not in 0\N{EN DASH}7"),
    ("0 0 * * monday", "day-of-week", "'monday' is not a name; write 'mon'"),
    ("1,,2 5 * * *", "minute", "'1,,2' has an empty place in its list"),
    (",5 5 * * *", "minute", "',5' has an empty place in its list"),
    ("0 0 1, * *", "day-of-month", "'1,' has an empty place in its list"),
    ("5- 5 * * *", "minute", "the range '5-' lacks an end"),
    ("-1 5 * * *", "minute", "the range '-1' lacks an end"),
    ("*/ 5 * * *", "minute", "the step in '*/' is not a number"),
    ("*/-5 * * * *", "minute", "the step in '*/-5' is not a number"),
    ("*/x * * * *", "minute", "the step in '*/x' is not a number"),
    ("5/15 * * * *", "minute", "write '5-59/15'"),
    ("50-10 * * * *", "minute", "write '50-59,0-10'"),
    ("0 0 * * fri-mon", "day-of-week", "write 'fri-6,0-mon'"),
    ("0-99999999/1 * * * *", "minute", "'99999999' is not in 0\N{EN DASH}59"),
    ("a * * * *", "minute", "'a' is not a number"),
    ("*5 * * * *", "minute", "'*5' is not a number"),
    ("*-5 * * * *", "minute", "'*' is not a number"),
    ("0 0 ? * *", "day-of-month", "write '*'"),
    ("0 0 15W * *", "day-of-month", "'L' and 'LW' stand alone"),
    ("0 0 L-3 * *", "day-of-month", "'L' and 'LW' stand alone"),
    ("0 0 L/2 * *", "day-of-month", "'L' and 'LW' stand alone"),
    ("0 0 * * L", "day-of-week", "'5L' is the last Friday"),
    ("0 0 * * 8L", "day-of-week", "'8' is not in"),
    ("0 0 * * 1#6", "day-of-week", "'1#2' is the second Monday"),
    ("0 0 * * #2", "day-of-week", "'1#2' is the second Monday"),
    ("0 0 * * 1L#2", "day-of-week", "'1L' is not a number"),
    ("L * * * *", "minute", "'L' is not a number"),
    ("* * * *", "schedule", "this one has 4"),
    ("* * * * * * *", "schedule", "this one has 7"),
    ("", "schedule", "this one has 0"),
    ("   ", "schedule", "this one has 0"),
    ("0," * 100_000 + "0 * * * *", "schedule", "at most 200 characters"),
    ("\u0663 * * * *", "schedule", r"the character '\u0663'"),
    ("0 0 * *\n*", "schedule", r"the character '\n'"),
    ("0 0 * *\x00*", "schedule", r"the character '\x00'"),
    ("0 0 *\N{NO-BREAK SPACE}* *", "schedule", r"the character '\xa0'"),
    (None, "schedule", "text, not None"),
    (5, "schedule", "text, not 5"),
    (b"* * * * *", "schedule", "text, not b'* * * * *'"),
]
IMPOSSIBLE = [
    "0 0 31 2 *",
    "0 0 30 2 *",
    "0 0 31 4,6 *",
    "0 0 31 2,4,6,9,11 *",
    "0 0 30-31 2 */2",
    "0 0 */3 2,4,6,9,11 1#5",
]
RARE = [
    ("0 0 29 2 *", "2028-02-29"),
    ("0 0 L 2 *", "2026-02-28"),
    ("0 0 31 2 1", "2026-02-02"),
    ("0 0 * * 1#5", "2026-03-30"),
    ("0 0 * 2 1#5", "2044-02-29"),
    ("0 0 */28 2 */6", "2026-02-01"),
    ("0 0 31 4,5 *", "2026-05-31"),
]
BAD_TEXT = [
    ("@", "schedule"),
    ("@reboot", "schedule"),
    ("@dayly", "schedule"),
    ("@daily 5", "schedule"),
    ("@every", "interval"),
    ("@every 90", "interval"),
    ("@every 1.5h", "interval"),
    ("@every 5m1h", "interval"),
    ("@every -5m", "interval"),
    ("@every 0s", "interval"),
    ("@every 367d", "interval"),
    ("@every 99999999999999999999d", "interval"),
    ("@every 5m from yesterday", "anchor"),
    ("@every 5m from 2026-03-01T09:00:00", "anchor"),
    ("@at", "instant"),
    ("@at noon", "instant"),
    ("@at 2026-02-30T09:00:00Z", "instant"),
    ("@at 2026-03-01T09:00:00", "instant"),
    ("@at 2026-03-01T09:00:00.5Z", "instant"),
    ("@at 9999-03-01T09:00:00Z", "instant"),
    ("@daily" * 100, "schedule"),
    (None, "schedule"),
]
BAD_ZONES = [
    "",
    " ",
    "localtime",
    "Factory",
    "CEST",
    "UTC ",
    "+02:00",
    "/etc/localtime",
    "../UTC",
    "Europe/../Europe/Berlin",
    "posix/UTC",
    "Europe",
    "europe/berlin",
    "Europe/Berl\u0131n",
    "UTC\x00",
    "x" * 100_000,
    None,
    7,
    UTC,
]


@pytest.mark.parametrize(("expression", "field", "problem"), BAD_CRON, ids=[repr(case[0])[:24] for case in BAD_CRON])
def test_a_bad_expression_is_refused_with_its_field_named(expression, field, problem):
    with pytest.raises(InvalidSchedule) as caught:
        Cron(expression)

    assert caught.value.field == field
    assert problem in str(caught.value)


@pytest.mark.parametrize("expression", IMPOSSIBLE)
def test_a_date_that_never_comes_is_refused(expression):
    with pytest.raises(InvalidSchedule, match="no date ever matches") as caught:
        Cron(expression)

    assert caught.value.field == "day-of-month"


@pytest.mark.parametrize(("expression", "date"), RARE)
def test_a_date_that_comes_rarely_is_accepted(expression, date):
    due = Cron(expression).next_after(datetime(2026, 1, 31, tzinfo=UTC))

    assert f"{due:%Y-%m-%d}" == date


@pytest.mark.parametrize(("text", "field"), BAD_TEXT, ids=[repr(case[0])[:30] for case in BAD_TEXT])
def test_text_that_is_no_schedule_is_refused(text, field):
    with pytest.raises(InvalidSchedule) as caught:
        parse_schedule(text)

    assert caught.value.field == field


@pytest.mark.parametrize("name", BAD_ZONES, ids=lambda name: repr(name)[:24])
def test_what_is_no_iana_name_is_refused(name):
    with pytest.raises(InvalidSchedule) as caught:
        parse_time_zone(name)

    assert caught.value.field == "time_zone"


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("US/Centrl", "US/Central"),
        ("utc", "UTC"),
        ("Berlin", "Europe/Berlin"),
    ],
)
def test_a_misspelt_zone_is_answered_with_a_guess(name, guess):
    with pytest.raises(InvalidSchedule, match=f"did you mean '{guess}'"):
        parse_time_zone(name)


@pytest.mark.parametrize("name", ["CEST", "GMT+2", "Mars/Base", "x" * 100_000])
def test_a_wild_guess_is_not_made(name):
    with pytest.raises(InvalidSchedule) as caught:
        parse_time_zone(name)

    assert "did you mean" not in str(caught.value)


def test_a_schedule_with_an_unknown_zone_is_refused():
    with pytest.raises(InvalidSchedule) as caught:
        Cron("0 7 * * *", "Mars/Base")

    assert caught.value.field == "time_zone"


@pytest.mark.parametrize(
    "interval",
    [
        timedelta(0),
        timedelta(seconds=-1),
        timedelta(milliseconds=1500),
        timedelta(milliseconds=1),
        timedelta(days=366, seconds=1),
        timedelta.max,
        90,
        "90s",
    ],
    ids=str,
)
def test_an_interval_that_cannot_be_kept_is_refused(interval):
    with pytest.raises(InvalidSchedule) as caught:
        Every(interval)

    assert caught.value.field == "interval"


@pytest.mark.parametrize(
    "instant", [NOON.replace(tzinfo=None), NOON.replace(microsecond=1), NOON.replace(year=2300), "noon"], ids=str
)
def test_an_instant_that_cannot_be_kept_is_refused(instant):
    with pytest.raises(InvalidSchedule) as at:
        At(instant)
    with pytest.raises(InvalidSchedule) as every:
        Every(timedelta(hours=1), anchor=instant)

    assert (at.value.field, every.value.field) == ("instant", "anchor")


def test_a_refusal_is_an_error_of_this_app_and_a_value_error():
    assert issubclass(InvalidSchedule, CronJobsError)
    assert issubclass(InvalidSchedule, ValueError)


@pytest.mark.parametrize("schedule", [Cron("* * * * *"), Every(timedelta(hours=1)), At(NOON)], ids=str)
def test_a_naive_datetime_is_refused(schedule):
    naive = NOON.replace(tzinfo=None)

    for question in (schedule.next_after, lambda t: schedule.due_between(t, NOON)):
        with pytest.raises(ValueError, match="aware"):
            question(naive)
    for question in (schedule.count_between, schedule.latest_between, schedule.newest_first):
        with pytest.raises(ValueError, match="aware"):
            question(NOON, naive)


def test_a_word_that_is_nearly_one_that_is_known_is_answered_with_that_one():
    with pytest.raises(InvalidSchedule, match=r"'@evry 5s' is not a schedule\. Did you mean '@every'\?"):
        parse_schedule("@evry 5s")


@pytest.mark.parametrize("text", ["@reboot", "@daily 5"])
def test_a_word_that_is_like_none_is_answered_with_all_of_them(text):
    with pytest.raises(InvalidSchedule, match="known are @yearly, "):
        parse_schedule(text)
