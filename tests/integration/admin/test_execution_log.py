"""The log of an execution: from a level on, as it grows, and as a file."""

from __future__ import annotations

import logging
import re

import pytest

from cronjobs.admin.executions import log
from cronjobs.models import ExecutionLog, JobExecution
from tests.integration.admin.conftest import AT
from tests.integration.admin.pages import EXECUTIONS, change_url, get, text_of


def add(execution, *messages, attempt=1, begin=1, level=logging.INFO, **columns):
    ExecutionLog.objects.bulk_create(
        ExecutionLog(
            execution=execution, attempt=attempt, number=number, level=level, message=each, logged_at=AT, **columns
        )
        for number, each in enumerate(messages, begin)
    )


def places_of(source):
    return re.findall(r'id="line-([\d.]+)"', source)


def new_lines(client, execution, **params):
    response = client.get(f"{EXECUTIONS}{execution.pk}/log/new/", params)
    assert response.status_code == 200, response
    return response.json()


def text(client, execution, **params):
    response = client.get(f"{EXECUTIONS}{execution.pk}/log/text/", params)
    assert response.status_code == 200, response
    return response


@pytest.fixture
def levels(make_execution):
    """An execution that has logged one line of each level."""
    execution = make_execution()
    for number, level in enumerate((10, 20, 30, 40, 50), 1):
        add(execution, f"line {number}", begin=number, level=level)
    return execution


@pytest.mark.parametrize(
    ("level", "shown"), [("", 5), ("info", 4), ("warning", 3), ("error", 2), ("x", 5), ("0; DROP TABLE", 5)]
)
def test_lines_from_a_level_on_are_shown(viewer, levels, level, shown):
    page = get(viewer, change_url(levels), level=level)

    assert places_of(page) == [f"1.{number}" for number in range(6 - shown, 6)]
    assert f"{shown} lines" in text_of(page)
    assert places_of(new_lines(viewer, levels, after="0.0", level=level)["html"]) == places_of(page)


def test_where_no_line_is_of_a_level_the_choice_stays(viewer, make_execution):
    execution = make_execution()
    add(execution, "quiet")

    page = text_of(get(viewer, change_url(execution), level="error"))

    assert "All levels Info and above Warnings and errors Errors" in page
    assert "0 lines" in page


def test_pages_of_a_level_lead_to_pages_of_that_level(viewer, make_execution, monkeypatch):
    monkeypatch.setattr(log, "LINES_PER_PAGE", 2)
    execution = make_execution()
    add(execution, *map(str, range(5)), level=logging.WARNING)

    page = get(viewer, change_url(execution), level="warning", log=2)

    assert places_of(page) == ["1.3", "1.4"]
    assert '<a href="?log=3&amp;level=warning#log">3</a>' in page


@pytest.mark.parametrize("status", ["running", "queued"])
def test_of_what_is_not_over_the_end_is_shown_and_goes_on(viewer, make_execution, monkeypatch, status):
    monkeypatch.setattr(log, "LINES_PER_PAGE", 2)
    execution = make_execution(status=status)
    add(execution, *map(str, range(5)))

    page = get(viewer, change_url(execution))
    first = get(viewer, change_url(execution), log=1)

    assert places_of(page) == ["1.5"]
    assert 'data-after="1.5"' in page
    assert "cronjobs/log.js" in page
    assert "data-live-state" in page
    assert places_of(first) == ["1.1", "1.2"]
    assert "cronjobs/log.js" not in first


def test_what_has_ended_asks_for_nothing_more(viewer, levels):
    page = get(viewer, change_url(levels))

    assert "cronjobs/log.js" not in page
    assert "data-live-state" not in page


def test_what_keeps_the_page_up_to_date_reads_no_log(viewer, make_execution):
    execution = make_execution(status="running")
    add(execution, "of the log")

    page = viewer.get(change_url(execution), headers={"X-Requested-With": "XMLHttpRequest"}).content.decode()

    assert 'id="cron-outcome"' in page
    assert "of the log" not in page


def test_a_level_does_not_hide_where_to_go_on(viewer, make_execution):
    execution = make_execution(status="running")
    add(execution, "quiet", "quiet")

    assert 'data-after="1.2"' in get(viewer, change_url(execution), level="error")
    answer = new_lines(viewer, execution, after="1.1", level="error")
    assert (places_of(answer["html"]), answer["after"]) == ([], "1.2")


def test_new_lines_are_those_after_a_place_up_to_the_end(viewer, make_execution, monkeypatch):
    monkeypatch.setattr(log, "_LINES_ADDED", 2)
    execution = make_execution(status="running", attempt=2)
    add(execution, "a", "b", "c")
    add(execution, "d", attempt=2)

    first = new_lines(viewer, execution, after="1.1")
    second = new_lines(viewer, execution, after=first["after"])

    assert (places_of(first["html"]), first["isMore"], first["isFinal"]) == (["1.2", "1.3"], True, False)
    assert (places_of(second["html"]), second["isMore"], second["after"]) == (["2.1"], False, "2.1")

    JobExecution.objects.filter(pk=execution.pk).update(status="succeeded")

    assert new_lines(viewer, execution, after="1.1")["isFinal"] is False
    last = new_lines(viewer, execution, after="2.1")
    assert (last["html"].strip(), last["after"], last["isFinal"]) == ("", "2.1", True)


def test_new_lines_are_escaped_and_masked(viewer, make_execution):
    execution = make_execution()
    add(execution, "<b>evil</b>", data={"password": "hunter2", "x": "<b>evil</b>"})

    html = new_lines(viewer, execution, after="0.0")["html"]

    assert "<b>evil" not in html
    assert "hunter2" not in html


@pytest.mark.parametrize("after", ["", "x", "1", "1.", "-1.1", "99999.1", "1.99999999999", "1.1.1"])
def test_a_place_that_is_none_is_not_found(viewer, levels, after):
    assert viewer.get(f"{EXECUTIONS}{levels.pk}/log/new/", {"after": after}).status_code == 404


@pytest.mark.parametrize("pk", ["0", "x", "1_", "999999999", "9" * 30])
@pytest.mark.parametrize("what", ["new/?after=0.0", "text/"])
def test_what_is_not_there_has_no_log(viewer, pk, what):
    assert viewer.get(f"{EXECUTIONS}{pk}/log/{what}").status_code == 404


def test_a_long_line_is_cut_and_has_an_address_of_its_own(viewer, make_execution):
    execution = make_execution()
    add(execution, "m" * 5_000)
    add(execution, "short", begin=2, data={"password": "hunter2", "d": "d" * 5_000})

    page = get(viewer, change_url(execution))

    assert "m" * 2_000 + "…" in page
    assert "m" * 2_001 not in page
    assert "d" * 2_001 not in page
    assert "hunter2" not in page
    for number in (1, 2):
        assert f'href="{EXECUTIONS}{execution.pk}/log/text/?line=1.{number}"' in page
    whole = text(viewer, execution, line="1.1")
    assert whole.content.decode() == f"2026-01-15T10:30:00.000Z INFO    {'m' * 5_000}\n"
    assert whole["Content-Type"].startswith("text/plain")
    assert whole["X-Content-Type-Options"] == "nosniff"


def test_the_whole_log_is_a_file_named_after_its_execution(viewer, make_execution, monkeypatch):
    monkeypatch.setattr("cronjobs.models.log_lines._PIECE", 2)
    execution = make_execution('nightly "<é>"/../x')
    add(execution, "a", "b", "c")
    add(execution, "d", attempt=3, data={"n": 1})
    add(make_execution(), "of another")

    response = text(viewer, execution)

    assert response["Content-Disposition"] == f'attachment; filename="nightly_.._x-{execution.pk}.log"'
    assert response.getvalue().decode().splitlines() == [
        "2026-01-15T10:30:00.000Z INFO    a",
        "2026-01-15T10:30:00.000Z INFO    b",
        "2026-01-15T10:30:00.000Z INFO    c",
        "Attempt 3:",
        '2026-01-15T10:30:00.000Z INFO    d {"n": 1}',
    ]


def test_an_empty_log_is_an_empty_file(viewer, make_execution):
    assert text(viewer, make_execution()).getvalue() == b""
