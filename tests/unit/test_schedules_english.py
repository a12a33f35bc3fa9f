"""How schedules describe themselves, and what they advise."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cronjobs.schedules import Cron, parse_schedule

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("* * * * *", "Every minute"),
        ("* * * * * *", "Every second"),
        ("*/5 * * * *", "Every 5 minutes"),
        ("*/2 * * * * *", "Every 2 seconds"),
        ("*/7 * * * *", "Every 7th minute of every hour"),
        ("*/90 * * * *", "At the start of every hour"),
        ("1-59/2 * * * *", "Every 2nd minute from 1 through 59 of every hour"),
        ("*/10 9-17 * * 1-5", "Every 10 minutes from 09:00 through 17:59 on Monday through Friday"),
        ("0 * * * *", "At the start of every hour"),
        ("0 */2 * * *", "Every 2 hours"),
        ("0 */5 * * *", "At minute 0 past every 5th hour"),
        ("0 */24 * * *", "At 00:00 every day"),
        ("30 */2 * * *", "At minute 30 past every 2nd hour"),
        ("0 9-17/2 * * *", "At minute 0 past every 2nd hour from 9 through 17"),
        ("* * 5 * * *", "Every second of every minute past hour 5"),
        ("30 0 2 * * *", "At 02:00:30 every day"),
        ("0 2 * * *", "At 02:00 every day"),
        ("0 7 * * mon-fri", "At 07:00 on Monday through Friday"),
        ("0 0 * * 5-7", "At 00:00 on Friday through Sunday"),
        ("0 0 * * */2", "At 00:00 on Sunday, Tuesday, Thursday, and Saturday"),
        ("0 0 * * friL", "At 00:00 on the last Friday of the month"),
        ("0 0 * * 1#2", "At 00:00 on the second Monday of the month"),
        ("0 0 L * *", "At 00:00 on the last day of every month"),
        ("0 0 LW * *", "At 00:00 on the last weekday of every month"),
        ("0 0 21 * *", "At 00:00 on the 21st day of every month"),
        ("0 0 2,11,12,13,22,23,31 * *", "At 00:00 on the second, the 11th, the 12th, the 13th, the 22nd, the 23rd, and the 31st day of the month"),
        ("0 0 1 1 *", "At 00:00 on January 1"),
        ("0 0 1 */3 *", "At 00:00 on the first day of every 3rd month"),
        ("0 0 13 * 5", "At 00:00 on the 13th day of the month or on Friday"),
        ("0 0 13 * */3", "At 00:00 on the 13th day of the month if it is also Sunday, Wednesday, and Saturday"),
        ("0 0 */2 * 1", "At 00:00 on every 2nd day of the month if it is also Monday"),
    ],
)  # fmt: skip
def test_a_cron_expression_is_said_in_english(expression, sentence):
    assert Cron(expression, "Europe/Berlin").describe() == f"{sentence} (Europe/Berlin)"


def test_a_cron_without_a_zone_says_utc():
    assert Cron("*/5 * * * *").describe() == "Every 5 minutes (UTC)"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("@every 1s", "Every second"),
        ("@every 5m", "Every 5 minutes"),
        ("@every 1h", "Every hour"),
        ("@every 90s", "Every 1 minute 30 seconds"),
        ("@every 2d1h", "Every 2 days 1 hour"),
        ("@every 6h from 2026-03-01T09:00:00Z", "Every 6 hours, counted from 2026-03-01 09:00:00 UTC"),
        ("@at 2026-03-01T09:00:00+01:00", "Once, at 2026-03-01 08:00:00 UTC"),
    ],
)
def test_intervals_and_instants_are_said_in_english(text, sentence):
    assert parse_schedule(text).describe() == sentence


@pytest.mark.parametrize(
    ("expression", "advice"),
    [
        ("*/7 * * * *", "minute: '*/7' restarts at the top of each hour, so the last interval is shorter"),
        ("*/90 * * * *", "minute: '*/90' steps over the whole field, so it only means 0"),
        ("*/40 0 * * * *", "second: '*/40' restarts with each minute, so the last interval is shorter"),
        ("0 */5 * * *", "hour: '*/5' restarts at midnight, so the last interval is shorter"),
        ("0 0 */2 * *", "day-of-month: '*/2' restarts on the 1st of each month, so the last interval is shorter"),
        ("0 0 1 */5 *", "month: '*/5' restarts in January, so the last interval is shorter"),
        ("0 0 * * */2", "day-of-week: '*/2' restarts on Sunday, so the last interval is shorter"),
        ("0 0 1,15 * 5", "day-of-month and day-of-week: it runs when either of them matches"),
        ("0 0 1-7 * */8", "day-of-week: '*/8' steps over the whole field, so it only means 0"),
        ("0 0 31 * *", "day-of-month: months without a 31st are skipped; 'L' is the last day of each"),
        ("0 0 29 2 *", "day-of-month: months without a 29th are skipped; 'L' is the last day of each"),
    ],
)
def test_what_may_surprise_is_advised(expression, advice):
    assert Cron(expression).advice()[0] == advice


def test_day_fields_joined_by_and_are_advised():
    advice = "day-of-month and day-of-week: one starts with a star, so it runs when both match"

    assert advice in Cron("0 0 */2 * mon").advice()


@pytest.mark.parametrize(
    "expression",
    ["*/5 * * * *", "0 */2 * * *", "*/1 * * * */1", "0 7 * * 1-5", "0 0 31 1,3 *", "0 0 L,31 * *", "0 0 28 * *", "0 0 31 * 5L"],
)  # fmt: skip
def test_what_surprises_nobody_is_not_advised(expression):
    assert [advice for advice in Cron(expression).advice() if "day-of-week" not in advice] == []


def test_clock_changes_of_the_coming_year_are_advised_if_it_is_told_the_time():
    schedule = Cron("30 2 * * *", "America/New_York")

    assert schedule.advice() == ()
    assert schedule.advice(now=NEW_YEAR) == (
        "clock change on 2026-03-08: 02:30 does not exist; runs at 03:00 EDT",
    )  # fmt: skip
