"""`GET stats`: what the history comes to, hour by hour and day by day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cronjobs.history import Period, boundaries
from cronjobs.models import ApiKey, Job, JobExecution
from tests.integration.api.callers import assert_error, document, grant
from tests.integration.api.rows import ended
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
AROUND_NOON = "since=2026-01-15T11:00:00Z&until=2026-01-15T14:00:00Z"


@pytest.fixture
def mine(make_job):
    """The only job there is."""
    Job.objects.all().delete()
    return make_job("noop", name="mine")


def stats(caller, query=""):
    answer = caller.get(f"/cron/stats?{query}")
    assert answer.status_code == 200, answer.content
    return document(answer)


def periods(caller, query=AROUND_NOON):
    [job] = stats(caller, query)["jobs"]
    return job["periods"]


def outcomes(**numbers):
    names = ("cancelled", "failed", "lost", "missed", "skipped", "succeeded", "timedOut")
    return {**dict.fromkeys(names, 0), **numbers}


@pytest.mark.parametrize("slash", ["", "/"])
def test_figures_of_each_hour_in_which_something_ended(reader, mine, slash):
    for took, late in ((100, 5), (300, 10), (200, 0), (5_000, 250)):
        ended(mine, "succeeded", NOON + 10 * MINUTE, took=took, late=late)
    ended(mine, "failed", NOON + 59 * MINUTE, took=400, late=20, attempt=3)
    ended(mine, "timed_out", NOON + HOUR, took=60_000, late=1)

    found = document(reader.get(f"/cron/stats{slash}?{AROUND_NOON}"))

    assert found.keys() == {"success", "since", "until", "period", "timeZone", "jobs", "next", "timestamp"}
    assert (found["since"], found["until"]) == ("2026-01-15T11:00:00.000Z", "2026-01-15T14:00:00.000Z")
    assert (found["period"], found["timeZone"], found["next"]) == ("hour", "UTC", None)
    [job] = found["jobs"]
    assert job["jobName"] == "mine"
    assert job["periods"] == [
        {
            "since": "2026-01-15T12:00:00.000Z",
            "until": "2026-01-15T13:00:00.000Z",
            "executions": 5,
            "outcomes": outcomes(succeeded=4, failed=1),
            "successRate": 0.8,
            "durationMs": {"p50": 300, "p95": 5_000, "max": 5_000, "mean": 1_200.0},
            "latenessMs": {"p50": 10, "p95": 250},
            "percentilesEstimated": False,
            "attempts": 7,
            "retries": 2,
            "missedDueTimes": 0,
        },
        {
            "since": "2026-01-15T13:00:00.000Z",
            "until": "2026-01-15T14:00:00.000Z",
            "executions": 1,
            "outcomes": outcomes(timedOut=1),
            "successRate": 0.0,
            "durationMs": {"p50": 60_000, "p95": 60_000, "max": 60_000, "mean": 60_000.0},
            "latenessMs": {"p50": 1, "p95": 1},
            "percentilesEstimated": False,
            "attempts": 1,
            "retries": 0,
            "missedDueTimes": 0,
        },
    ]


def test_what_never_began_has_no_duration_and_counts_for_no_rate(reader, mine):
    ended(mine, "missed", NOON, missed_count=7)
    ended(mine, "skipped", NOON, count=2)
    ended(mine, "cancelled", NOON)

    [period] = periods(reader)

    assert period["outcomes"] == outcomes(missed=1, skipped=2, cancelled=1)
    assert (period["executions"], period["successRate"], period["missedDueTimes"]) == (4, None, 7)
    assert period["durationMs"] == {"p50": None, "p95": None, "max": None, "mean": None}
    assert period["latenessMs"] == {"p50": None, "p95": None}
    assert (period["attempts"], period["retries"]) == (0, 0)


def test_what_has_not_ended_is_not_counted(reader, mine):
    JobExecution.objects.request("mine")

    assert periods(reader, "") == []


@pytest.mark.parametrize(
    ("number", "p50", "p95"),
    [
        pytest.param(1, 1, 1, id="one"),
        pytest.param(2, 1, 2, id="two"),
        # Nineteen of twenty are 95 % exactly.
        pytest.param(20, 10, 19, id="twenty"),
        pytest.param(21, 11, 20, id="twenty-one"),
        pytest.param(100, 50, 95, id="hundred"),
    ],
)
def test_a_percentile_is_the_least_value_that_enough_do_not_exceed(reader, mine, number, p50, p95):
    for each in range(1, number + 1):
        ended(mine, "succeeded", NOON, took=each, late=1_000 + each)

    [period] = periods(reader)

    assert (period["durationMs"]["p50"], period["durationMs"]["p95"]) == (p50, p95)
    assert period["latenessMs"] == {"p50": 1_000 + p50, "p95": 1_000 + p95}


def test_equal_values_count_each(reader, mine):
    ended(mine, "succeeded", NOON, took=7, late=3, count=18)
    ended(mine, "succeeded", NOON, took=900, late=40, count=2)

    [period] = periods(reader)

    assert (period["durationMs"]["p50"], period["durationMs"]["p95"]) == (7, 900)
    assert period["latenessMs"] == {"p50": 3, "p95": 40}


def test_lateness_is_told_to_the_millisecond(reader, mine):
    [row] = ended(mine, "succeeded", NOON, took=0, late=0)
    due = datetime(2026, 1, 15, 11, 59, 59, 999_999, tzinfo=UTC)
    row.due_at, row.first_started_at = due, due + timedelta(days=3, milliseconds=1_234, microseconds=400)
    row.save()

    [period] = periods(reader)

    assert period["latenessMs"]["p50"] == 3 * 86_400_000 + 1_234


def test_a_period_begins_with_its_first_moment_and_ends_before_its_last(reader, mine):
    moment = timedelta(microseconds=1)
    for at in (NOON - HOUR - moment, NOON - HOUR, NOON - moment, NOON, NOON + 2 * HOUR - moment, NOON + 2 * HOUR):
        ended(mine, "succeeded", at, took=1, late=1)

    assert [(each["since"][11:16], each["executions"]) for each in periods(reader)] == [
        ("11:00", 2),
        ("12:00", 1),
        ("13:00", 1),
    ]


def test_the_first_and_the_last_period_are_cut(reader, mine):
    for minute in (5, 35, 65, 95):
        ended(mine, "succeeded", NOON + minute * MINUTE, took=1, late=1)

    found = periods(reader, "since=2026-01-15T12:30:00Z&until=2026-01-15T13:10:00Z")

    assert [(each["since"][11:16], each["until"][11:16], each["executions"]) for each in found] == [
        ("12:30", "13:00", 1),
        ("13:00", "13:10", 1),
    ]


def test_without_a_range_it_is_the_last_day_up_to_now(reader, mine, database_now):
    ended(mine, "succeeded", database_now - 25 * HOUR, took=1, late=1)
    ended(mine, "succeeded", database_now - 23 * HOUR, took=1, late=1)
    ended(mine, "failed", database_now - MINUTE, took=1, late=1)

    found = stats(reader, "until=9999-12-31T23:59:59Z")

    assert sum(each["executions"] for each in found["jobs"][0]["periods"]) == 2
    since, until = (datetime.fromisoformat(found[each]) for each in ("since", "until"))
    assert until - since == timedelta(days=1)
    assert database_now - timedelta(milliseconds=1) <= until <= database_now + HOUR


def test_every_job_is_told_of_also_one_of_which_nothing_ended(reader, mine, make_job):
    make_job("noop", name="idle")
    ended(mine, "succeeded", NOON, took=1, late=1)

    found = stats(reader, AROUND_NOON)["jobs"]

    assert [(each["jobName"], len(each["periods"])) for each in found] == [("idle", 0), ("mine", 1)]


def test_one_job_alone(reader, mine, make_job):
    ended(make_job("noop", name="other"), "failed", NOON, took=1, late=1)
    ended(mine, "succeeded", NOON, took=1, late=1)

    [job] = stats(reader, f"job=mine&{AROUND_NOON}")["jobs"]

    assert (job["jobName"], job["periods"][0]["outcomes"]) == ("mine", outcomes(succeeded=1))


@pytest.mark.parametrize("name", ["gone", "Mine", "a%20b"])
def test_a_job_that_is_not_there(reader, mine, name):
    assert_error(reader.get(f"/cron/stats?job={name}"), 404, "job_not_found")


def test_nothing_at_all(reader, db):
    Job.objects.all().delete()

    assert stats(reader)["jobs"] == []


def test_many_jobs_come_page_by_page_for_the_same_span(reader, mine, make_job):
    for name in ("a", "b", "c"):
        ended(make_job("noop", name=name), "succeeded", NOON, took=1, late=1)

    pages, address = [], "/cron/stats?limit=2&since=2026-01-15T11:00:00Z&until=2026-01-15T14:00:00Z"
    while address is not None:
        found = document(reader.get(address))
        pages.append([each["jobName"] for each in found["jobs"]])
        assert (found["since"], found["until"]) == ("2026-01-15T11:00:00.000Z", "2026-01-15T14:00:00.000Z")
        address = found["next"]

    assert pages == [["a", "b"], ["c", "mine"]]


def test_a_day_in_spring_has_23_hours_and_one_in_autumn_25(reader, mine):
    berlin = ZoneInfo("Europe/Berlin")
    for year, month, day in ((2025, 3, 30), (2025, 10, 26)):
        start = datetime(year, month, day, tzinfo=berlin).astimezone(UTC)
        for hour in range(-1, 26):
            ended(mine, "succeeded", start + hour * HOUR + MINUTE, took=1, late=1)

    spring = periods(reader, "period=day&timeZone=Europe/Berlin&since=2025-03-29T23:00:00Z&until=2025-03-30T22:00:00Z")
    autumn = periods(reader, "period=day&timeZone=Europe/Berlin&since=2025-10-25T22:00:00Z&until=2025-10-27T22:00:00Z")
    in_utc = periods(reader, "period=day&since=2025-10-26T00:00:00Z&until=2025-10-27T00:00:00Z")

    assert [(each["since"], each["until"], each["executions"]) for each in spring] == [
        ("2025-03-29T23:00:00.000Z", "2025-03-30T22:00:00.000Z", 23)
    ]
    assert [(each["since"], each["until"], each["executions"]) for each in autumn] == [
        ("2025-10-25T22:00:00.000Z", "2025-10-26T23:00:00.000Z", 25),
        ("2025-10-26T23:00:00.000Z", "2025-10-27T22:00:00.000Z", 1),
    ]
    assert [each["executions"] for each in in_utc] == [24]


@pytest.mark.parametrize(
    ("zone", "since", "until", "midnights"),
    [
        # The clock goes from 23:59 to 01:00: the day begins with the jump.
        pytest.param("Africa/Cairo", "2026-04-23T12", "2026-04-24T12", ["2026-04-23T22"], id="no-midnight"),
        # The clock goes back to midnight: the first of the two counts.
        pytest.param("America/Havana", "2026-10-31T12", "2026-11-01T12", ["2026-11-01T04"], id="hour-after-midnight"),
        # A day that was left out altogether.
        pytest.param("Pacific/Apia", "2011-12-29T12", "2011-12-31T12", ["2011-12-30T10", "2011-12-31T10"], id="no-day"),
        pytest.param("Asia/Kathmandu", "2026-01-15T00", "2026-01-15T23", ["2026-01-15T18:15"], id="quarter"),
    ],
)
def test_a_day_begins_at_midnight_as_far_as_there_is_one(zone, since, until, midnights):
    start, end, *inner = (datetime.fromisoformat(f"{each}+00:00") for each in (since, until, *midnights))

    assert boundaries(start, end, period=Period.DAY, zone=ZoneInfo(zone)) == [start, *inner, end]


def test_hours_are_full_by_the_clock_of_the_zone():
    start, end = NOON, NOON + HOUR
    quarter = NOON + timedelta(minutes=15)

    assert boundaries(start, end, period=Period.HOUR, zone=ZoneInfo("Asia/Kathmandu")) == [start, quarter, end]
    assert boundaries(start, end, period=Period.HOUR, zone=ZoneInfo("UTC")) == [start, end]


def test_each_of_many_periods_is_found(reader, mine):
    for hour in range(7 * 24):
        ended(mine, "succeeded", NOON + hour * HOUR, took=hour, late=1)

    found = periods(reader, "since=2026-01-15T12:00:00Z&until=2026-01-22T12:00:00Z")

    assert [each["durationMs"]["p50"] for each in found] == list(range(7 * 24))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=yesterday", "since"),
        ("since=2026-01-15T12:00:00", "since"),
        ("since=2026-01-15T12:00:00Z&until=2026-01-15T12:00:00Z", "since"),
        ("since=2999-01-01T00:00:00Z", "since"),
        ("since=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00.001Z", "since"),
        ("period=day&since=2025-01-01T00:00:00Z&until=2026-01-02T00:00:00.001Z", "since"),
        ("until=x", "until"),
        ("until=1969-12-31T23:59:59Z", "until"),
        ("period=week", "period"),
        ("period=hour&period=day", "period"),
        ("timeZone=Mars/Base", "timeZone"),
        ("timeZone=", "timeZone"),
        ("timeZone=../etc/passwd", "timeZone"),
        ("job=", "job"),
        ("job=a%00b", "job"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("after=", "after"),
        ("name=mine", "name"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(reader, query, field):
    found = assert_error(reader.get(f"/cron/stats?{query}"), 400, "invalid_parameters")

    assert list(found["errors"]) == [field]


@pytest.mark.parametrize(
    "query",
    [
        "since=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00Z",
        "period=day&since=2025-01-01T00:00:00Z&until=2026-01-02T00:00:00Z",
        "until=1970-01-01T00:00:00Z",
    ],
)
def test_as_much_as_may_be_asked_for_is_answered(reader, mine, query):
    assert periods(reader, query) == []


def test_a_zone_that_is_mistyped_is_guessed(reader):
    found = assert_error(reader.get("/cron/stats?timeZone=europe/berlin"), 400, "invalid_parameters")

    assert found["errors"]["timeZone"] == [
        "'europe/berlin' is not the name of a time zone; did you mean 'Europe/Berlin'?"
    ]


def test_the_number_of_queries_grows_neither_with_jobs_nor_with_periods(reader, mine, make_job):
    ended(mine, "succeeded", NOON, took=1, late=1)
    with CaptureQueriesContext(connection) as few:
        stats(reader, AROUND_NOON)
    for number in range(20):
        job = make_job("noop", name=f"job-{number}")
        for hour in range(10):
            ended(job, "failed", NOON + hour * HOUR, took=hour, late=1, count=3)

    with CaptureQueriesContext(connection) as many:
        found = stats(reader, "since=2026-01-15T11:00:00Z&until=2026-01-20T14:00:00Z")

    assert sum(len(each["periods"]) for each in found["jobs"]) == 201
    assert len(many) == len(few)


def test_what_ended_is_found_in_an_index_whatever_else_there_is(mine, reader):
    ended(mine, "succeeded", NOON - 100 * HOUR, took=1, late=1, count=5_000)
    if connection.vendor != "mysql":
        # Planners believe something else about a table that they know. (MariaDB would commit the test's rows.)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE cronjobs_jobexecution")
    with CaptureQueriesContext(connection) as queries:
        assert periods(reader) == []

    asked = [each["sql"] for each in queries if "finished_at" in each["sql"]]
    assert len(asked) == 3
    for sql in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {'QUERY PLAN' if connection.vendor == 'sqlite' else ''} {sql}")
            plan = " ".join(str(each) for row in cursor.fetchall() for each in row)
        assert "cronjobs_execution_finished" in plan


def test_a_key_that_is_limited_to_some_jobs_is_told_of_these(django_user_model, mine, make_job):
    make_job("noop", name="other")
    user = django_user_model.objects.create_user("olive")
    grant(user, "view_jobexecution")
    _, text = ApiKey.objects.issue(user=user, name="of a program", actions=["view_jobexecution"], jobs=["mine"])
    client = Client(headers={"Authorization": f"Bearer {text}"})

    assert [each["jobName"] for each in document(client.get("/cron/stats"))["jobs"]] == ["mine"]
    assert client.get("/cron/stats?job=mine").status_code == 200
    assert_error(client.get("/cron/stats?job=other"), 403, "permission_denied")
    assert_error(client.get("/cron/stats?job=gone"), 403, "permission_denied")
