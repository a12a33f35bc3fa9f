"""The page of one execution."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.utils import timezone

from cronjobs.models import ExecutionAttempt, ExecutionLog, Job
from tests.integration.admin.conftest import AT
from tests.integration.admin.pages import EXECUTIONS, JOBS, change_url, get, text_of


def add_lines(execution, count, *, message="line", **columns):
    ExecutionLog.objects.bulk_create(
        ExecutionLog(
            execution=execution,
            attempt=1,
            number=number,
            logged_at=AT + timedelta(seconds=number),
            **{"level": logging.INFO, "message": f"{message} {number}", **columns},
        )
        for number in range(1, count + 1)
    )


def test_the_page_says_everything_about_an_execution(viewer, make_execution):
    execution = make_execution(
        status="failed",
        attempt=3,
        trigger="manual",
        requested_by="olive",
        priority=4,
        queue="slow",
        result={"sent": 12},
        error_type="RuntimeError",
        error_message="boom",
        traceback="Traceback (most recent call last):\n  boom",
    )

    text = text_of(get(viewer, change_url(execution)))

    for part in ("Failed", "1.5 s", "34 ms", "3 of 3", "Manual", "olive", "High", "slow", "web-1:4711", '"sent": 12'):
        assert part in text
    assert "RuntimeError boom" in text
    assert "Traceback (most recent call last): boom" in text


def test_times_are_shown_in_utc_and_in_local_time(viewer, make_execution):
    text = text_of(get(viewer, change_url(make_execution())))

    assert "First started 2026-01-15 11:30:00.034 CET 2026-01-15 10:30:00.034 UTC" in text


def test_parameters_are_masked(viewer, make_execution):
    execution = make_execution(params={"api_token": "s3cr3t", "days": 2, "nested": [{"password": "hunter2"}]})

    source = get(viewer, change_url(execution))

    assert "&quot;days&quot;: 2" in source
    assert "&quot;api_token&quot;: &quot;***&quot;" in source
    assert "s3cr3t" not in source
    assert "hunter2" not in source


def test_text_of_users_is_escaped(viewer, make_execution):
    evil = "<b>evil</b>"
    execution = make_execution(
        evil, error_type=evil, error_message=evil, traceback=evil, reason=evil, node=evil, requested_by=evil,
        queue=evil, params={evil: evil}, result=[evil],
    )  # fmt: skip
    ExecutionAttempt.objects.create(
        execution=execution, attempt=1, status="failed", node=evil, error_type=evil, error_message=evil, traceback=evil
    )
    add_lines(execution, 1, message=evil, data={evil: evil})

    source = get(viewer, change_url(execution))

    assert "<b>evil" not in source
    assert source.count("&lt;b&gt;evil&lt;/b&gt;") > 15


def test_each_attempt_that_did_not_succeed_is_listed(viewer, make_execution):
    execution = make_execution(attempt=3)
    for attempt, status in ((1, "failed"), (2, "lost")):
        ExecutionAttempt.objects.create(
            execution=execution, attempt=attempt, status=status, error_message=f"reason {attempt}", duration_ms=250
        )

    text = text_of(get(viewer, change_url(execution)))

    assert "1 Failed - 250 ms" in text
    assert "2 Lost" in text
    assert "reason 1" in text


def test_what_attempts_used_is_shown_where_it_was_measured(viewer, make_execution):
    execution = make_execution(status="failed", peak_rss_bytes=83_000_000, cpu_ms=1_500, attempt=2)
    ExecutionAttempt.objects.create(
        execution=execution, attempt=1, status="failed", peak_rss_bytes=91_000_000, cpu_ms=40
    )

    text = text_of(get(viewer, change_url(execution)))

    assert "Peak memory 79 MiB" in text
    assert "CPU time 1.5 s" in text
    assert "87 MiB, 40 ms of CPU time" in text
    assert "Peak memory" not in text_of(get(viewer, change_url(make_execution())))


def test_an_execution_that_overruns_is_marked(viewer, make_execution):
    execution = make_execution(status="running", deadline_at=timezone.now() - timedelta(seconds=1))

    assert "Overrunning" in text_of(get(viewer, change_url(execution)))
    assert "Timeout at" in text_of(get(viewer, change_url(execution)))


def test_jitter_and_a_request_to_stop_are_shown(viewer, make_execution):
    later = {"due_at": AT + timedelta(seconds=7), "cancel_requested_at": AT + timedelta(seconds=9)}

    text = text_of(get(viewer, change_url(make_execution(status="running", cancel_reason="replaced", **later))))

    assert "With jitter 2026-01-15 11:30:07.000 CET" in text
    assert "Asked to stop 2026-01-15 11:30:09.000 CET" in text
    assert "Asked to stop Because: replaced" in text


@pytest.mark.parametrize("trigger", ["dependency", "retry", "backfill"])
def test_what_stands_for_an_earlier_time_is_not_said_to_have_jitter(viewer, make_execution, trigger):
    execution = make_execution(trigger=trigger, due_at=AT + timedelta(minutes=5))

    assert "With jitter" not in text_of(get(viewer, change_url(execution)))


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_a_line_is_coloured_by_its_level(viewer, make_execution, level):
    execution = make_execution()
    add_lines(execution, 1, level=getattr(logging, level.upper()))

    source = get(viewer, change_url(execution))

    assert f'<tr class="cron-{level.replace("critical", "error")}" ' in source
    assert f">{level.upper()}<" in source


def test_the_log_shows_levels_and_data(viewer, make_execution):
    execution = make_execution()
    add_lines(execution, 1, level=logging.WARNING, message="odd", data={"step": 1})

    source = get(viewer, change_url(execution))

    assert '<tr class="cron-warning" ' in source
    assert "11:30:01.000 1 WARNING odd 1" in text_of(source)
    assert '{"step": 1}' in text_of(source)


def test_a_long_log_is_paged(viewer, make_execution):
    execution = make_execution()
    add_lines(execution, 1201)

    first = text_of(get(viewer, change_url(execution)))
    last = text_of(get(viewer, change_url(execution), log=3))

    assert "line 500 " in first
    assert "line 501 " not in first
    assert "Lines 1\N{EN DASH}500 of 1201" in first
    assert "line 1001 " in last
    assert "Lines 1001\N{EN DASH}1201 of 1201" in last
    assert text_of(get(viewer, change_url(execution), log="x")) == first


def test_lines_of_other_executions_are_not_shown(viewer, make_execution):
    add_lines(make_execution(), 1, message="of another")

    assert "It logged nothing." in text_of(get(viewer, change_url(make_execution())))


@pytest.mark.parametrize(("count", "words"), [(1, "1 due time"), (12, "12 due times"), (10_001, "More than 10,000")])
def test_a_missed_span_is_explained(viewer, make_execution, count, words):
    span = {"missed_from": AT, "missed_until": AT + timedelta(hours=1), "missed_count": count}

    text = text_of(get(viewer, change_url(make_execution(status="missed", attempt=0, **span))))

    assert f"Missed: {words}" in text
    assert "2026-01-15 11:30:00.000 UTC" in text
    assert "Attempt" not in text.split("Log")[0]


def test_the_page_links_to_its_job_and_to_its_other_executions(viewer, make_execution):
    execution = make_execution()

    source = get(viewer, change_url(execution))

    assert f'href="{JOBS}{execution.job_id}/change/"' in source
    assert f'href="{EXECUTIONS}?job={execution.job_id}"' in source


def test_the_page_outlives_the_job(viewer, make_execution):
    execution = make_execution("fails")
    Job.objects.filter(name="fails").delete()

    assert "fails (no longer there)" in text_of(get(viewer, change_url(execution)))


def test_an_execution_that_is_not_there_is_said_not_to_be(viewer):
    response = viewer.get(f"{EXECUTIONS}999999999/change/", follow=True)

    assert "exist. Perhaps it was deleted?" in response.content.decode()


def test_a_status_that_this_version_does_not_know_is_shown_as_it_is(viewer, make_execution):
    execution = make_execution(status="frozen")

    assert "frozen" in text_of(get(viewer, change_url(execution)))
    assert "frozen" in text_of(get(viewer, EXECUTIONS))


def test_the_node_leads_to_what_else_it_ran(viewer, make_execution):
    make_execution(node="web-2:1")
    source = get(viewer, change_url(make_execution(node="web-1:a&b")))

    assert f'<a href="{EXECUTIONS}?node=web-1%3Aa%26b">web-1:a&amp;b</a>' in source
