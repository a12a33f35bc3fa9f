"""What a schedule would do, over HTTP."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db
URL = "/cron/preview"


def test_a_schedule_is_shown_in_words_and_times(admin_client):
    answer = admin_client.get(URL, {"expression": "30 7 * * mon-fri", "timeZone": "Asia/Kathmandu", "count": "3"})

    document = answer.json()
    assert (answer.status_code, document["success"]) == (200, True)
    assert (document["expression"], document["timeZone"]) == ("30 7 * * mon-fri", "Asia/Kathmandu")
    assert "Monday through Friday (Asia/Kathmandu)" in document["description"]
    assert [at[10:] for at in document["fires"]] == ["T01:45:00.000Z"] * 3


@pytest.mark.parametrize(
    ("query", "field"),
    [
        pytest.param({"expression": "61 * * * *"}, "minute", id="minute"),
        pytest.param({"expression": "0 0 30 2 *"}, "day-of-month", id="never"),
        pytest.param({"expression": "0,0," * 50_000}, "schedule", id="huge"),
        pytest.param({"expression": ""}, "schedule", id="empty"),
        pytest.param({}, "schedule", id="nothing"),
        pytest.param({"expression": "@daily", "timeZone": "Mars/Base"}, "time_zone", id="zone"),
    ],
)
def test_what_is_no_schedule_is_refused_with_its_field(admin_client, query, field):
    answer = admin_client.get(URL, query)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_schedule")
    assert list(answer.json()["errors"]) == [field]


@pytest.mark.parametrize("count", ["0", "101", "-1", "x", "9" * 50])
def test_only_a_sensible_count_is_answered(admin_client, count):
    answer = admin_client.get(URL, {"expression": "@daily", "count": count})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameters")
    assert list(answer.json()["errors"]) == ["count"]
