"""`GET executions`: the history, page by page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs.api.executions import histories
from cronjobs.executors.inline import run_inline
from cronjobs.models import JobExecution, recorded
from tests.integration.api.callers import assert_error, document
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def record(make_job):
    """Record executions, a minute apart in the order of their ids; return these ids."""

    def make(*columns, job="noop", start=0):
        owner = make_job(job)
        rows = [
            JobExecution(
                **{
                    "job": owner,
                    "job_name": owner.name,
                    **dict.fromkeys(("scheduled_for", "due_at", "run_after", "claim_at", "queued_at"), moment),
                    **each,
                }
            )
            for number, each in enumerate(columns)
            for moment in [NOON + timedelta(minutes=start + number)]
        ]
        before = set(JobExecution.objects.values_list("pk", flat=True))
        JobExecution.objects.bulk_create(rows)
        return sorted(set(JobExecution.objects.values_list("pk", flat=True)) - before)

    return make


def ids(answer):
    found = document(answer)
    assert answer.status_code == 200, found
    return [each["executionId"] for each in found["executions"]]


def pages(caller, address):
    """Return the ids on each page, following `next`."""
    found = []
    while address is not None:
        answer = caller.get(address)
        found.append(ids(answer))
        address = document(answer)["next"]
    return found


def test_an_execution_is_told_as_by_its_own_address_but_for_what_is_long(reader, make_job):
    make_job("succeeds")
    execution = run_inline("succeeds")

    [row] = document(reader.get("/cron/executions"))["executions"]
    alone = document(reader.get(row["url"]))

    assert alone.keys() - row.keys() == {"result", "traceback", "waitsBecause"}
    assert {**row, "timestamp": ""} == {**{key: alone[key] for key in row}, "timestamp": ""}
    assert (row["executionId"], row["status"], row["success"]) == (execution.pk, "succeeded", True)
    assert row["queuedAt"] <= row["startedAt"] <= row["finishedAt"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_pages_go_from_the_newest_to_the_oldest_and_end(reader, record, slash):
    made = record(*[{}] * 5)

    assert pages(reader, f"/cron/executions{slash}?limit=2") == [made[:2:-1], made[2:0:-1], made[:1]]
    assert pages(reader, f"/cron/executions{slash}?limit=5") == [made[::-1]]


def test_what_is_recorded_meanwhile_moves_no_page(reader, record):
    old = record(*[{}] * 3)
    following = document(reader.get("/cron/executions?limit=2"))["next"]
    record({}, start=10)

    assert ids(reader.get(following)) == [old[0]]


def test_an_empty_history(reader):
    found = document(reader.get("/cron/executions?since=2026-01-15T12:00:00Z&until=2026-01-16T12:00:00Z&node=a"))

    assert (found["executions"], found["next"]) == ([], None)


def test_filters(reader, record):
    failed, lost, api = record(
        {"status": "failed", "trigger": "schedule"}, {"status": "lost", "node": "a"}, {"trigger": "api"}
    )
    [other] = record({"status": "failed"}, job="succeeds", start=3)

    def chosen(query):
        return ids(reader.get(f"/cron/executions?{query}"))

    assert chosen("job=succeeds") == [other]
    assert chosen("status=failed") == [other, failed]
    assert chosen("status=failed,lost") == chosen("status=lost&status=failed") == [other, lost, failed]
    assert chosen("status=failed,lost&limit=2") == [other, lost]
    assert chosen("status=failed&job=noop") == [failed]
    assert chosen("trigger=api") == [api]
    assert chosen("node=a") == [lost]
    assert chosen("node=nobody") == []
    assert chosen(f"before={api}") == [lost, failed]
    assert chosen("since=2026-01-15T12:01:00Z") == [other, api, lost]
    assert chosen("until=2026-01-15T12:01:00Z") == [failed]
    assert chosen("since=2026-01-15T13:01:00%2B01:00&until=2026-01-15T12:03:00.000Z") == [api, lost]
    assert chosen("since=2026-01-15T13:01:00+01:00&status=failed") == [other]


def test_pages_of_several_statuses_hold_each_execution_once(reader, record):
    made = record(*[{"status": status} for status in ("failed", "lost", "succeeded") * 4])
    wanted = [pk for pk, status in zip(made, ("failed", "lost", "succeeded") * 4, strict=True) if status != "succeeded"]

    found = pages(reader, "/cron/executions?status=failed,lost&limit=3")

    assert [pk for page in found for pk in page] == wanted[::-1]
    assert [len(page) for page in found] == [3, 3, 2]


def test_where_no_index_helps_one_request_looks_only_so_far(reader, record, monkeypatch):
    monkeypatch.setattr(histories, "LOOKED_AT", 4)
    made = record(*[{"node": "a" if number in {0, 9} else "b"} for number in range(10)])

    found = pages(reader, "/cron/executions?node=a")

    assert [pk for page in found for pk in page] == [made[9], made[0]]
    assert len(found) > 2
    # What is older than asked for is not looked at, page after page.
    assert pages(reader, "/cron/executions?node=a&since=2026-01-15T12:00:00Z")[-1] == [made[0]]


def test_bounds_found_by_steps_leave_nothing_out(reader, record, monkeypatch):
    made = record(*[{}] * 400)
    # Gaps, as the retention leaves them.
    gone = made[20:150]
    JobExecution.objects.filter(pk__in=gone).delete()
    # Clocks that differ: a few are out of order.
    late = made[300:305]
    JobExecution.objects.filter(pk__in=late).update(queued_at=NOON + timedelta(minutes=270))
    monkeypatch.setattr(recorded, "_CLOSE_ENOUGH", 1)
    times = dict(JobExecution.objects.values_list("pk", "queued_at"))

    for since in range(0, 401, 37):
        for until in range(since, 420, 41):
            start, end = NOON + timedelta(minutes=since), NOON + timedelta(minutes=until)
            wanted = [pk for pk in sorted(times, reverse=True) if start <= times[pk] < end]
            query = f"since={start:%Y-%m-%dT%H:%M:%SZ}&until={end:%Y-%m-%dT%H:%M:%SZ}&limit=200"
            assert ids(reader.get(f"/cron/executions?{query}")) == wanted[:200], query


def test_bounds_are_close_in_a_long_history(record, monkeypatch):
    made = record(*[{}] * 600)
    monkeypatch.setattr(recorded, "_CLOSE_ENOUGH", 1)

    low, high = recorded.ids_between(NOON + timedelta(minutes=300), NOON + timedelta(minutes=310))

    # An hour on either side, for clocks that differ.
    assert (low, high) == (made[239], made[370])


@pytest.mark.parametrize("query", ["", "&status=failed,lost,queued", "&node=a&since=2026-01-15T00:00:00Z", "&job=noop"])
def test_the_number_of_queries_does_not_grow(reader, record, query):
    record(*[{"status": "failed", "node": "a"}] * 3)
    address = f"/cron/executions?limit=200{query}"
    with CaptureQueriesContext(connection) as few:
        assert len(ids(reader.get(address))) == 3
    record(*[{"status": "failed", "node": "a"}] * 900)

    with CaptureQueriesContext(connection) as many:
        assert len(ids(reader.get(address))) == 200

    assert len(many) == len(few)
    read = [each["sql"] for each in many if "cronjobs_jobexecution" in each["sql"]]
    for column in ("traceback", "result", "params"):
        assert not any(column in sql for sql in read), column
    assert not any("COUNT(" in sql.upper() for sql in read)
    assert not any("cronjobs_executionlog" in each["sql"] for each in many)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("limit=1&limit=2", "limit"),
        ("limit=%D9%A1", "limit"),
        ("before=0", "before"),
        ("before=9999999999999999999", "before"),
        ("status=done", "status"),
        ("status=", "status"),
        ("status=failed,", "status"),
        ("trigger=cron", "trigger"),
        ("job=unknown", "job"),
        ("job=%00", "job"),
        ("node=%00", "node"),
        ("node=", "node"),
        (f"node={'x' * 151}", "node"),
        ("since=yesterday", "since"),
        ("since=2026-01-15", "since"),
        ("since=2026-01-15T12:00:00", "since"),
        ("since=2026-02-30T12:00:00Z", "since"),
        ("until=0001-01-01T00:00:00%2B10:00", "until"),
        ("since=1969-12-31T23:59:59Z", "since"),
        ("page=2", "page"),
        ("offset=1", "offset"),
    ],
)
def test_a_query_that_is_not_understood_names_the_parameter(reader, query, field):
    found = assert_error(reader.get(f"/cron/executions?{query}"), 400, "invalid_parameters")

    assert found["errors"].keys() == {field}


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("name", ["since", "until"])
def test_the_ends_of_time_are_times(reader, record, name, moment):
    made = record({})

    found = ids(reader.get(f"/cron/executions?{name}={moment}"))

    assert found == (made if (name == "since") == moment.startswith("1970") else [])


def test_all_mistakes_are_told_at_once(reader):
    found = assert_error(reader.get("/cron/executions?limit=x&status=y&z=1"), 400, "invalid_parameters")

    assert found["errors"].keys() == {"limit", "status", "z"}
