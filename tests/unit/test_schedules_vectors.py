"""Cron expressions against instants that a real Debian daemon or a brute-force walk gave."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

import pytest

from cronjobs.schedules import Cron

# Expression, zone, an instant, and the next five due times.
VECTORS = [
    pytest.param(
        "0 9 * * 0",
        "UTC",
        "2026-03-01T00:00:00Z",
        ["2026-03-01T09:00Z", "2026-03-08T09:00Z", "2026-03-15T09:00Z", "2026-03-22T09:00Z", "2026-03-29T09:00Z"],
        id="sunday-is-0",
    ),
    pytest.param(
        "30 7 * * 4",
        "UTC",
        "2018-02-09T00:00:00Z",
        ["2018-02-15T07:30Z", "2018-02-22T07:30Z", "2018-03-01T07:30Z", "2018-03-08T07:30Z", "2018-03-15T07:30Z"],
        id="thursday-is-4",
    ),
    pytest.param(
        "0 6 * * 1-5",
        "UTC",
        "2026-03-06T12:00:00Z",
        ["2026-03-09T06:00Z", "2026-03-10T06:00Z", "2026-03-11T06:00Z", "2026-03-12T06:00Z", "2026-03-13T06:00Z"],
        id="monday-to-friday-is-1-5",
    ),
    pytest.param(
        "30 4 1,15 * 5",
        "UTC",
        "2026-02-27T12:00:00Z",
        ["2026-03-01T04:30Z", "2026-03-06T04:30Z", "2026-03-13T04:30Z", "2026-03-15T04:30Z", "2026-03-20T04:30Z"],
        id="1st-15th-or-friday",
    ),
    pytest.param(
        "0 10 1 * 5",
        "UTC",
        "2016-05-25T00:00:00Z",
        ["2016-05-27T10:00Z", "2016-06-01T10:00Z", "2016-06-03T10:00Z", "2016-06-10T10:00Z", "2016-06-17T10:00Z"],
        id="1st-or-friday",
    ),
    pytest.param(
        "0 0 13 * 5",
        "UTC",
        "2026-02-14T00:00:00Z",
        ["2026-02-20T00:00Z", "2026-02-27T00:00Z", "2026-03-06T00:00Z", "2026-03-13T00:00Z", "2026-03-20T00:00Z"],
        id="13th-or-friday",
    ),
    pytest.param(
        "*/7 * * * *",
        "UTC",
        "2026-03-01T10:41:00Z",
        ["2026-03-01T10:42Z", "2026-03-01T10:49Z", "2026-03-01T10:56Z", "2026-03-01T11:00Z", "2026-03-01T11:07Z"],
        id="every-7th-minute-restarts",
    ),
    pytest.param(
        "*/59 * * * *",
        "UTC",
        "2026-03-01T12:30:00Z",
        ["2026-03-01T12:59Z", "2026-03-01T13:00Z", "2026-03-01T13:59Z", "2026-03-01T14:00Z", "2026-03-01T14:59Z"],
        id="every-59th-minute-restarts",
    ),
    pytest.param(
        "1-59/15 * * * *",
        "UTC",
        "2026-03-01T00:00:00Z",
        ["2026-03-01T00:01Z", "2026-03-01T00:16Z", "2026-03-01T00:31Z", "2026-03-01T00:46Z", "2026-03-01T01:01Z"],
        id="stepped-range",
    ),
    pytest.param(
        "0 0 31 * *",
        "UTC",
        "2026-01-31T00:00:00Z",
        ["2026-03-31T00:00Z", "2026-05-31T00:00Z", "2026-07-31T00:00Z", "2026-08-31T00:00Z", "2026-10-31T00:00Z"],
        id="31st-skips-short-months",
    ),
    pytest.param(
        "0 0 29 * *",
        "UTC",
        "2027-01-29T00:00:00Z",
        ["2027-03-29T00:00Z", "2027-04-29T00:00Z", "2027-05-29T00:00Z", "2027-06-29T00:00Z", "2027-07-29T00:00Z"],
        id="29th-skips-february",
    ),
    pytest.param(
        "30 2 * * *",
        "America/New_York",
        "2026-03-07T12:00:00Z",
        ["2026-03-08T07:00Z", "2026-03-09T06:30Z", "2026-03-10T06:30Z", "2026-03-11T06:30Z", "2026-03-12T06:30Z"],
        id="new-york-missing-0230",
    ),
    pytest.param(
        "0 5 * * *",
        "America/New_York",
        "2024-03-09T12:00:00Z",
        ["2024-03-10T09:00Z", "2024-03-11T09:00Z", "2024-03-12T09:00Z", "2024-03-13T09:00Z", "2024-03-14T09:00Z"],
        id="new-york-0500-after-the-gap",
    ),
    pytest.param(
        "30 1 * * *",
        "America/New_York",
        "2026-10-31T12:00:00Z",
        ["2026-11-01T05:30Z", "2026-11-02T06:30Z", "2026-11-03T06:30Z", "2026-11-04T06:30Z", "2026-11-05T06:30Z"],
        id="new-york-repeated-0130",
    ),
    pytest.param(
        "20 2 * * *",
        "Europe/Paris",
        "2026-10-24T12:00:00Z",
        ["2026-10-25T00:20Z", "2026-10-26T01:20Z", "2026-10-27T01:20Z", "2026-10-28T01:20Z", "2026-10-29T01:20Z"],
        id="paris-repeated-0220",
    ),
    pytest.param(
        "0 12 * * 1",
        "Europe/Amsterdam",
        "2013-10-25T10:00:00Z",
        ["2013-10-28T11:00Z", "2013-11-04T11:00Z", "2013-11-11T11:00Z", "2013-11-18T11:00Z", "2013-11-25T11:00Z"],
        id="amsterdam-weekly-noon",
    ),
    pytest.param(
        "0 0 1 * *",
        "Europe/London",
        "2026-03-15T00:00:00Z",
        ["2026-03-31T23:00Z", "2026-04-30T23:00Z", "2026-05-31T23:00Z", "2026-06-30T23:00Z", "2026-07-31T23:00Z"],
        id="london-first-of-month-after-change",
    ),
    pytest.param(
        "0 0 * * 1-5",
        "US/Central",
        "2021-03-12T06:00:01Z",
        ["2021-03-15T05:00Z", "2021-03-16T05:00Z", "2021-03-17T05:00Z", "2021-03-18T05:00Z", "2021-03-19T05:00Z"],
        id="us-central-weekday-midnight-after-change",
    ),
    pytest.param(
        "0 0 * * *",
        "Asia/Kathmandu",
        "2026-03-01T00:00:00Z",
        ["2026-03-01T18:15Z", "2026-03-02T18:15Z", "2026-03-03T18:15Z", "2026-03-04T18:15Z", "2026-03-05T18:15Z"],
        id="kathmandu-midnight",
    ),
    pytest.param(
        "0 0 1 * *",
        "Pacific/Auckland",
        "2026-01-15T00:00:00Z",
        ["2026-01-31T11:00Z", "2026-02-28T11:00Z", "2026-03-31T11:00Z", "2026-04-30T12:00Z", "2026-05-31T12:00Z"],
        id="auckland-first-of-month",
    ),
]


@pytest.mark.parametrize(("expression", "zone", "after", "expected"), VECTORS)
def test_the_next_five_due_times_are_those_of_debian_cron(expression, zone, after, expected):
    due = Cron(expression, zone).due_between(datetime.fromisoformat(after), datetime.fromisoformat(expected[-1]))

    assert [t.strftime("%Y-%m-%dT%H:%MZ") for t in islice(due, 6)] == expected


@pytest.mark.parametrize(("expression", "zone", "after", "expected"), VECTORS)
def test_asking_again_from_each_due_time_gives_the_same_five(expression, zone, after, expected):
    schedule, found = Cron(expression, zone), [datetime.fromisoformat(after)]

    while len(found) < 6:
        due = schedule.next_after(found[-1])
        assert due is not None
        found.append(due)

    assert [t.strftime("%Y-%m-%dT%H:%MZ") for t in found[1:]] == expected


@pytest.mark.parametrize(("expression", "zone", "after", "expected"), VECTORS)
def test_walking_backwards_meets_the_same_five(expression, zone, after, expected):
    due = Cron(expression, zone).newest_first(datetime.fromisoformat(after), datetime.fromisoformat(expected[-1]))

    assert [t.strftime("%Y-%m-%dT%H:%MZ") for t in due] == expected[::-1]
