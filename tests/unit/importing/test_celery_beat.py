"""Rows of django-celery-beat as entries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cronjobs.importing import read_celery_beat
from cronjobs.importing.tables import CeleryBeatTables

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
TASK = {
    "id": 3,
    "name": "Digest: every morning",
    "task": "shop.tasks.send_digest",
    "args": "[]",
    "kwargs": "{}",
    "enabled": True,
}
CRONTAB = {
    "minute": "0",
    "hour": "7",
    "day_of_month": "*",
    "month_of_year": "*",
    "day_of_week": "mon-fri",
    "timezone": "Europe/Berlin",
}


def entry(*, crontab=None, interval=None, clocked=None, **columns):
    which = {"crontab_id": crontab, "interval_id": interval, "clocked_id": clocked}
    ids = {name: 1 for name, row in which.items() if row is not None}
    tables = CeleryBeatTables(
        tasks=[{**TASK, **ids, **columns}],
        crontabs={1: crontab or {}},
        intervals={1: interval or {}},
        clocked={1: clocked or {}},
    )
    [found] = read_celery_beat(tables, now=NOW).entries
    return found


def every(number, period):
    return entry(interval={"every": number, "period": period})


def test_a_row_becomes_an_entry():
    found = entry(
        crontab=CRONTAB,
        kwargs='{"days": 2}',
        queue="heavy",
        description="For all.",
        start_time=NOW,
        expires=NOW + timedelta(days=9),
        enabled=False,
    )

    assert (found.place, found.name, found.runs) == ("row 3", "Digest: every morning", "send_digest")
    assert found.handles == ("shop.tasks.send_digest",)
    assert found.columns == {
        "schedule": "0 7 * * 1-5",
        "time_zone": "Europe/Berlin",
        "params": {"days": 2},
        "enabled": False,
        "starts_at": NOW,
        "ends_at": NOW + timedelta(days=9),
        "queue": "heavy",
        "description": "For all.",
    }
    assert (found.problem, found.notes, found.only_by_rule) == ("", (), "")


@pytest.mark.parametrize(
    ("number", "period", "expected"),
    [
        (90, "minutes", "@every 1h30m"),
        (30, "seconds", "@every 30s"),
        (1, "days", "@every 1d"),
        (36, "hours", "@every 1d12h"),
        (2_000_000, "microseconds", "@every 2s"),
    ],
)
def test_an_interval_becomes_one(number, period, expected):
    found = every(number, period)

    assert (found.columns["schedule"], found.problem) == (expected, "")


@pytest.mark.parametrize(
    ("number", "period"),
    [
        (500_000, "microseconds"),
        (1_500_000, "microseconds"),
        (0, "seconds"),
        (9_999, "days"),
        (10**18, "days"),
        (1, "weeks"),
    ],
)
def test_an_interval_that_is_not_whole_seconds_is_refused(number, period):
    assert every(number, period).problem.startswith(f"It is due every {number} {period}, and an interval here is")


def test_a_time_to_come_becomes_one_and_a_past_one_is_refused():
    at = NOW + timedelta(hours=1, milliseconds=1)

    assert entry(clocked={"clocked_time": at}, one_off=True).columns["schedule"] == "@at 2026-01-15T13:00:01Z"
    assert "2026-01-15 12:00:00 UTC, which has passed" in entry(clocked={"clocked_time": NOW}, one_off=True).problem


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"solar_id": 4}, "follows the sun"),
        ({"crontab": CRONTAB, "one_off": True}, "runs once, at the next due time"),
        ({"crontab": CRONTAB, "expires": NOW}, "It expired at 2026-01-15 12:00:00 UTC."),
        ({"crontab": CRONTAB, "task": "celery.backend_cleanup"}, "Celery's result backend"),
        ({"crontab": CRONTAB, "kwargs": "{oops"}, "kwargs are no JSON"),
        ({"crontab": CRONTAB, "kwargs": "[1]"}, "no JSON object"),
        (
            {"crontab": {**CRONTAB, "day_of_month": "1"}},
            "both the day of the month (1) and the day of the week (mon-fri)",
        ),
        ({"crontab": {**CRONTAB, "timezone": "Mars/Olympus"}}, "Mars/Olympus"),
        ({"crontab": {**CRONTAB, "minute": "?"}}, "'?' is no minute to Celery"),
        ({"crontab": {**CRONTAB, "day_of_week": "*", "day_of_month": "31", "month_of_year": "2"}}, ""),
        ({}, "It has no schedule."),
    ],
)
def test_what_no_job_can_do_is_refused(columns, said):
    found = entry(**columns)

    assert found.problem
    assert said in found.problem


@pytest.mark.parametrize(
    ("args", "said"), [("[7]", "which 1 of its arguments have not."), ("[oops", "args are no JSON")]
)
def test_arguments_without_names_are_no_parameters(args, said):
    assert said in entry(crontab=CRONTAB, args=args).only_by_rule


def test_what_has_no_counterpart_is_noted():
    found = entry(crontab=CRONTAB, priority=7, expire_seconds=30, exchange="x", routing_key="y", headers='{"a": 1}')

    priority, expiry, routes = found.notes
    assert "priority, 7" in priority
    assert "after 30 s" in expiry
    assert routes == "Left out, since no message is sent: exchange, routing_key, headers."
    assert entry(crontab=CRONTAB, headers="{}", args="", kwargs="").notes == ()


def test_a_release_without_zones_meant_utc():
    old = {name: value for name, value in CRONTAB.items() if name != "timezone"}

    assert entry(crontab=old).columns["time_zone"] == "UTC"
