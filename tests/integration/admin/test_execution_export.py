"""Lists of executions as CSV."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext

from cronjobs.admin.executions import export
from tests.integration.admin.conftest import AT
from tests.integration.admin.pages import EXECUTIONS

EXPORT = f"{EXECUTIONS}export/"


def rows_of(response):
    assert response.status_code == 200, response
    return list(csv.DictReader(io.StringIO(response.getvalue().decode())))


def rows(client, **params):
    return rows_of(client.get(EXPORT, params))


def test_a_row_has_every_column_in_units_of_programs(viewer, make_execution):
    execution = make_execution(
        status="failed",
        attempt=2,
        error_type="RuntimeError",
        error_message="first\nboom at last\n",
        peak_rss_bytes=1024,
        cpu_ms=7,
        requested_by="olive",
    )

    (row,) = rows(viewer)

    assert list(row) == list(export.COLUMNS)
    assert row == {
        "executionId": str(execution.pk),
        "jobName": "succeeds",
        "status": "failed",
        "trigger": "schedule",
        "scheduledFor": "2026-01-15T10:30:00.000Z",
        "queuedAt": "2026-01-15T10:30:00.000Z",
        "firstStartedAt": "2026-01-15T10:30:00.034Z",
        "startedAt": "2026-01-15T10:30:00.034Z",
        "finishedAt": "2026-01-15T10:30:01.534Z",
        "lateMs": "34",
        "durationMs": "1500",
        "attempt": "2",
        "maxAttempts": "3",
        "queue": "default",
        "priority": "3",
        "node": "web-1:4711",
        "requestedBy": "olive",
        "errorType": "RuntimeError",
        "error": "boom at last",
        "reason": "",
        "peakRssBytes": "1024",
        "cpuMs": "7",
        "flow": "",
        "retryOf": "",
    }


def test_the_answer_is_a_file_with_a_name(viewer, make_execution):
    make_execution()

    response = viewer.get(EXPORT)

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="executions-')
    assert "newest" not in response["Content-Disposition"]
    response.close()


@pytest.mark.parametrize(
    ("params", "found"),
    [({}, ["c", "b", "a"]), ({"status__exact": "failed"}, ["b"]), ({"q": "kaputt"}, ["b"]), ({"date": "2020"}, [])],
    ids=str,
)
def test_what_is_exported_is_what_the_list_finds(viewer, make_execution, params, found):
    made = {
        "a": make_execution(),
        "b": make_execution(status="failed", error_message="kaputt"),
        "c": make_execution(),
    }

    assert [row["executionId"] for row in rows(viewer, **params)] == [str(made[name].pk) for name in found]


def test_pages_windows_and_bounds_of_the_list_bound_no_export(viewer, make_execution, monkeypatch):
    monkeypatch.setattr("cronjobs.admin.executions.found.LOOKED_AT", 3)
    monkeypatch.setattr("cronjobs.admin.windows.WindowPaginator.size", 5)
    monkeypatch.setattr(export, "_PIECE", 7)
    made = [make_execution(error_message="boom").pk for _ in range(60)]

    assert [int(row["executionId"]) for row in rows(viewer, q="boom")] == made[::-1]
    assert len(rows(viewer)) == 60


def test_what_is_cut_says_so_in_its_name_and_goes_on_from_there(viewer, make_execution, monkeypatch):
    monkeypatch.setattr(export, "MOST_EXPORTED", 2)
    made = [make_execution().pk for _ in range(3)]

    response = viewer.get(EXPORT)

    assert "-newest-2.csv" in response["Content-Disposition"]
    assert [int(row["executionId"]) for row in rows_of(response)] == made[:0:-1]
    assert [int(row["executionId"]) for row in rows(viewer, before=made[1])] == made[:1]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\t=1", "\x7f=1", "\N{NO-BREAK SPACE}=1", "\N{FULLWIDTH EQUALS SIGN}1"],
)
def test_no_cell_is_a_formula(viewer, make_execution, text):
    make_execution(text, node=text, error_type=text, requested_by=text, queue=text)

    (row,) = rows(viewer)

    for column in ("jobName", "node", "errorType", "requestedBy", "queue"):
        assert row[column] == f"'{text}"


def test_a_last_line_that_is_a_formula_is_none(viewer, make_execution):
    make_execution(error_message='boom\n=HYPERLINK("http://x")', reason="-1 left")

    (row,) = rows(viewer)

    assert (row["error"], row["reason"]) == ('\'=HYPERLINK("http://x")', "'-1 left")


def test_who_started_early_is_no_formula_but_a_number(viewer, make_execution):
    make_execution(due_at=AT + timedelta(seconds=1))

    assert rows(viewer)[0]["lateMs"] == "-966"


def test_commas_quotes_and_lines_stay_within_their_cell(viewer, make_execution):
    make_execution(error_type='a,"b";\r\nc')

    assert rows(viewer)[0]["errorType"] == 'a,"b";\r\nc'


def test_secrets_are_masked(viewer, make_execution):
    make_execution(error_message="Wrong password=hunter2 given")

    assert rows(viewer)[0]["error"] == "Wrong password=*** given"


def test_selected_rows_can_be_exported(viewer, make_execution):
    made = [make_execution().pk for _ in range(3)]
    data = {"action": "export_selected", "index": 0, "_selected_action": made[:2]}

    assert [int(row["executionId"]) for row in rows_of(viewer.post(EXECUTIONS, data))] == [made[1], made[0]]


def test_neither_counted_nor_read_is_what_is_long(viewer, make_execution, monkeypatch):
    monkeypatch.setattr(export, "_PIECE", 2)
    for _ in range(5):
        make_execution()

    with CaptureQueriesContext(connection) as captured:
        assert len(rows(viewer)) == 5

    statements = [each["sql"] for each in captured if "cronjobs_jobexecution" in each["sql"]]
    for sql in statements:
        assert "COUNT(" not in sql
        assert "OFFSET" not in sql or "LIMIT 1 " in sql
        for column in ("traceback", "result", "params"):
            assert connection.ops.quote_name(column) not in sql


def test_an_address_that_makes_no_sense_leads_to_the_list(viewer, db):
    assert viewer.get(EXPORT, {"date": "x"}).url == f"{EXECUTIONS}?e=1"
    assert viewer.get(EXPORT, {"params__token__startswith": "s"}).status_code == 400


def test_the_list_links_to_the_export_of_what_it_shows(viewer, make_execution):
    make_execution()

    page = viewer.get(EXECUTIONS, {"status__exact": "failed", "q": "a b"}).content.decode()

    assert f'href="{EXPORT}?q=a+b&amp;status__exact=failed"' in page


@pytest.mark.django_db(transaction=True)
def test_an_asynchronous_server_sends_it_piece_by_piece(django_user_model, make_execution, monkeypatch):
    monkeypatch.setattr(export, "_PIECE", 2)
    for _ in range(3):
        make_execution()
    user = django_user_model.objects.create_superuser("ann")

    async def pieces():
        client = AsyncClient()
        try:
            await client.aforce_login(user)
            response = await client.get(EXPORT)
            return [piece async for piece in response.streaming_content]
        finally:
            # That of the thread in which the view has run.
            await sync_to_async(connections.close_all)()

    found = asyncio.run(pieces())

    assert [piece.decode().count("\r\n") for piece in found] == [1, 2, 1]
