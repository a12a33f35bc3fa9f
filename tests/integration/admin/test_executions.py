"""The list of executions."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cronjobs.admin.windows import WindowPaginator
from cronjobs.models import Job, JobExecution
from tests.integration.admin.pages import DASHBOARD, EXECUTIONS, JOBS, change_url, get, text_of


def ids_on(source: str) -> list[int]:
    rows = source.split('class="field-shown_id"')[1:]
    return [int(row.split("#")[1].split("<")[0]) for row in rows]


def statements_of(client: Any, **params: Any) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        get(client, EXECUTIONS, **params)
    return [query["sql"] for query in captured if "cronjobs_jobexecution" in query["sql"]]


def test_a_row_says_what_happened(viewer, make_execution):
    make_execution(status="failed", attempt=2, error_type="RuntimeError", error_message="first\nboom at last\n")

    text = text_of(get(viewer, EXECUTIONS))

    for part in (
        "succeeds",
        "Schedule",
        "Failed",
        "2026-01-15 11:30:00",
        "34 ms late",
        "1.5 s",
        "attempt 2 of 3",
        "web-1:4711",
    ):
        assert part in text
    assert "boom at last" in text
    assert "first boom" not in text


def test_what_was_not_run_says_why(viewer, make_execution):
    make_execution(status="skipped", reason="Execution 7 was still open.", started_at=None, first_started_at=None)

    assert "Execution 7 was still open." in text_of(get(viewer, EXECUTIONS))


def test_what_was_cancelled_says_why_somebody_wanted_that(viewer, make_execution):
    make_execution(status="cancelled", error_message="stopped", cancel_reason="Wrong <b>month</b>.")

    source = get(viewer, EXECUTIONS)

    assert "Wrong <b>month</b>." in text_of(source)
    assert "<b>month" not in source
    assert "stopped" not in text_of(source)


def test_what_was_cancelled_without_a_reason_shows_its_error(viewer, make_execution):
    make_execution(status="cancelled", error_message="stopped by hand")

    assert "stopped by hand" in text_of(get(viewer, EXECUTIONS))


@pytest.mark.parametrize(
    ("status", "attempt", "said"),
    [
        pytest.param("succeeded", 1, False, id="went well at once"),
        pytest.param("succeeded", 2, True, id="went well in the end"),
        pytest.param("running", 1, False, id="runs for the first time"),
        pytest.param("failed", 1, True, id="failed at once"),
        pytest.param("queued", 1, True, id="waits for the next attempt"),
        pytest.param("queued", 0, False, id="has not begun"),
        pytest.param("missed", 0, False, id="missed"),
    ],
)
def test_the_attempt_is_said_where_one_went_wrong(viewer, make_execution, status, attempt, said):
    make_execution(status=status, attempt=attempt)

    assert (f"attempt {attempt} of 3" in text_of(get(viewer, EXECUTIONS))) is said


@pytest.mark.parametrize(("status", "shown"), [("running", True), ("cancelled", False)])
def test_what_runs_and_was_asked_to_stop_is_marked(viewer, make_execution, status, shown):
    execution = make_execution(status=status, cancel_requested_at=timezone.now(), cancel_reason="Enough.")

    for url in (EXECUTIONS, change_url(execution)):
        assert (">Asked to stop</span>" in get(viewer, url)) is shown


def test_a_running_execution_shows_how_long_it_has_been_running(viewer, make_execution):
    make_execution(status="running", started_at=timezone.now() - timedelta(seconds=90), duration_ms=None)

    assert "1 min 30 s …" in text_of(get(viewer, EXECUTIONS))


@pytest.mark.parametrize(
    ("status", "seconds", "shown"), [("running", -1, True), ("running", 60, False), ("failed", -1, False)]
)
def test_what_runs_longer_than_it_may_is_marked(viewer, make_execution, status, seconds, shown):
    make_execution(status=status, deadline_at=timezone.now() + timedelta(seconds=seconds))

    assert ("Overrunning" in text_of(get(viewer, EXECUTIONS))) is shown


def test_text_of_users_is_escaped(viewer, make_execution):
    make_execution("<b>job</b>", error_message="<b>boom</b>", node="<b>node</b>")

    source = get(viewer, EXECUTIONS)

    assert "<b>" not in source
    for part in ("job", "boom", "node"):
        assert f"&lt;b&gt;{part}&lt;/b&gt;" in source


def test_the_newest_comes_first_whatever_the_address_asks_for(viewer, make_execution):
    made = [make_execution(scheduled_for=timezone.now() - timedelta(hours=hours)).pk for hours in (1, 3, 2)]

    assert ids_on(get(viewer, EXECUTIONS, o="1")) == made[::-1]


@pytest.mark.parametrize(
    ("params", "found"),
    [
        pytest.param({"status__exact": "failed"}, ["b"], id="status"),
        pytest.param({"trigger__exact": "manual"}, ["c"], id="trigger"),
        pytest.param({"recorded": "hour"}, ["c"], id="hour"),
        pytest.param({"recorded": "day"}, ["c", "b"], id="day"),
        pytest.param({"recorded": "week"}, ["c", "b", "a"], id="week"),
        pytest.param({"q": "noop"}, ["b"], id="job name"),
        pytest.param({"q": "kaputt"}, ["b"], id="error"),
        pytest.param({"q": "nothing like it"}, [], id="nothing"),
        pytest.param({"q": '"%"'}, [], id="per cent"),
    ],
)
def test_the_list_can_be_narrowed(viewer, make_execution, params, found):
    now = timezone.now()
    made = {
        "a": make_execution(queued_at=now - timedelta(days=3)),
        "b": make_execution(
            "noop", status="failed", error_message="Kaputt gegangen", queued_at=now - timedelta(hours=5)
        ),
        "c": make_execution("fails", trigger="manual", queued_at=now - timedelta(minutes=5)),
    }

    assert ids_on(get(viewer, EXECUTIONS, **params)) == [made[name].pk for name in found]


def test_the_list_can_be_narrowed_to_a_job(viewer, make_execution):
    make_execution("noop")
    mine = make_execution("fails")

    assert ids_on(get(viewer, EXECUTIONS, job=mine.job_id)) == [mine.pk]


def test_the_executions_of_a_deleted_job_can_still_be_listed(viewer, make_execution):
    execution = make_execution("fails")
    Job.objects.filter(name="fails").delete()
    make_execution("noop")

    assert ids_on(get(viewer, EXECUTIONS, job=execution.job_id)) == [execution.pk]


@pytest.mark.parametrize("form", ["{}", "#{}", " {} "])
def test_a_number_finds_the_execution_of_that_id(viewer, make_execution, form):
    wanted = make_execution()
    make_execution(error_message=f"the {wanted.pk}")

    assert ids_on(get(viewer, EXECUTIONS, q=form.format(wanted.pk))) == [wanted.pk]


@pytest.mark.parametrize(
    "params",
    [{"job": "x"}, {"job": "9" * 30}, {"recorded": "century"}, {"before": "-1"}, {"p": "99"}, {"status__exact": "odd"}],
    ids=str,
)
def test_an_address_that_makes_no_sense_is_answered(viewer, make_execution, params):
    make_execution()

    assert viewer.get(EXECUTIONS, params, follow=True).status_code == 200


@pytest.mark.parametrize(
    "lookup", ["params__token__startswith", "result__contains", "job__params__contains", "traceback"]
)
def test_columns_cannot_be_asked_for_what_is_masked_in_them(viewer, lookup):
    assert viewer.get(EXECUTIONS, {lookup: "s"}).status_code == 400


def test_beyond_the_cap_nothing_is_counted(viewer, make_execution, monkeypatch):
    monkeypatch.setattr(WindowPaginator, "size", 60)
    made = [make_execution().pk for _ in range(150)]

    first = get(viewer, EXECUTIONS)
    last_of_window = get(viewer, EXECUTIONS, p=2)
    older = get(viewer, EXECUTIONS, before=made[-60])

    assert "60+ executions" in text_of(first)
    assert f"before={made[-60]}" in first
    assert ids_on(first) == made[:-51:-1]
    assert ids_on(last_of_window) == made[-51:-61:-1]
    assert ids_on(older)[0] == made[-61]
    assert f"#{made[-60]}" in text_of(older)


def test_the_exact_number_is_shown_below_the_cap(viewer, make_execution):
    make_execution()

    assert "1 execution" in text_of(get(viewer, EXECUTIONS))


@pytest.mark.parametrize("params", [{}, {"q": "nothing"}, {"status__exact": "lost"}, {"recorded": "day"}], ids=str)
def test_the_table_is_never_counted_and_no_wide_column_is_read(viewer, make_execution, params):
    make_execution()

    statements = statements_of(viewer, **params)

    assert statements
    for sql in statements:
        assert "COUNT(" not in sql
        assert "DISTINCT" not in sql
        for column in ("traceback", "result", "params"):
            assert f"{connection.ops.quote_name(column)}" not in sql


def test_a_time_range_looks_only_at_ids_that_can_be_in_it(viewer, make_execution):
    now = timezone.now()
    # So far from each other that it is worth while to look for the first.
    made = [make_execution(pk=5_000 * n, queued_at=now - timedelta(hours=41 - n)).pk for n in range(1, 41)]

    page_statements = [sql for sql in statements_of(viewer, recorded="hour") if "LIMIT 1001" in sql]

    bounds = [int(bound) for sql in page_statements for bound in re.findall(r"> (\d+)", sql)]
    assert any(made[-4] <= bound < made[-1] for bound in bounds)


def test_the_link_of_a_row_leads_to_its_page(viewer, make_execution):
    assert change_url(make_execution()) in get(viewer, EXECUTIONS)


def test_nobody_adds_changes_or_deletes_an_execution(superuser, make_execution):
    execution = make_execution()

    answers = [
        superuser.get(f"{EXECUTIONS}add/"),
        superuser.post(change_url(execution), {"status": "failed"}),
        superuser.post(f"{EXECUTIONS}{execution.pk}/delete/", {"post": "yes"}),
        superuser.post(EXECUTIONS, {"action": "delete_selected", "_selected_action": [execution.pk], "post": "yes"}),
    ]

    assert [answer.status_code for answer in answers[:3]] == [403, 403, 403]
    assert JobExecution.objects.get(pk=execution.pk).status == "succeeded"


@pytest.mark.parametrize("url", [EXECUTIONS, JOBS, DASHBOARD])
@pytest.mark.parametrize("column", ["duration_ms", "queued_at", "scheduled_for", "started_at"])
def test_a_row_that_says_what_cannot_be_spoils_no_page(superuser, make_execution, url, column):
    far = 2**62 if column == "duration_ms" else datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    execution = make_execution("noop")
    JobExecution.objects.filter(pk=execution.pk).update(**{column: far})

    assert "noop" in get(superuser, url) or url == DASHBOARD
    assert "noop" in get(superuser, change_url(execution))


@pytest.mark.parametrize("query", ["status__exact=%00", "q=%00", "node=%00"])
def test_what_no_database_looks_for_is_answered_as_what_makes_no_sense(superuser, query):
    response = superuser.get(f"{EXECUTIONS}?{query}")

    assert response.status_code == 302
    assert response.url == f"{EXECUTIONS}?e=1"
