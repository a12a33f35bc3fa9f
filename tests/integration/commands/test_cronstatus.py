"""`cronstatus` shows what is scheduled, what happened, and who is there to do it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs.database import DatabaseNow, database_now_plus, read_clock
from cronjobs.executors.inline import run_inline
from cronjobs.management.output import distance, from_now, in_seconds, table
from cronjobs.manager.status import status_document
from cronjobs.models import Calendar, Job, JobExecution, Node
from cronjobs.models.moves import claim_one
from cronjobs.scheduler.plans import reconcile
from tests.commands import run_command

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")


@pytest.fixture
def node(db):
    now = DatabaseNow()
    return Node.objects.create(
        name="node-1",
        pid=1,
        workers=8,
        running=2,
        started_at=now,
        heartbeat_at=now,
        last_tick_at=now,
        rss_bytes=70_000_000,
    )


@pytest.fixture
def only(make_job):
    """Make jobs that are the only ones."""
    Job.objects.all().delete()
    return make_job


def line_of(out, name):
    return next(line for line in out.splitlines() if line.startswith(name))


def test_a_job_is_shown_with_schedule_next_run_and_last_outcome(only, node):
    only("succeeds", schedule="@every 1h")
    reconcile(read_clock("default"))
    run_inline("succeeds")

    out, err, code = run_command("cronstatus")

    line = line_of(out, "succeeds")
    assert (code, err) == (0, "")
    assert "@every 1h" in line
    assert " in " in line
    assert "succeeded now, took " in line


def test_the_reason_of_a_failure_is_shown(only):
    only("fails")
    execution = run_inline("fails")

    line = line_of(run_command("cronstatus").out, "fails")

    assert f"on demand  -         #{execution.pk} failed now" in line
    assert line.endswith("ms: boom")


@pytest.mark.parametrize(("reason", "said"), [("Wrong month.", "by ann, because: Wrong month."), ("", "by ann")])
def test_who_cancelled_what_was_ended_is_said_rather_than_how(only, reason, said):
    only("fails")
    execution = run_inline("fails")
    wish = {"cancel_requested_by": "ann", "cancel_reason": reason}
    JobExecution.objects.filter(pk=execution.pk).update(status="cancelled", **wish)

    assert line_of(run_command("cronstatus").out, "fails").endswith(f"ms: {said}")


def test_a_job_that_runs_after_others_is_not_on_demand(only):
    only("noop", name="load", depends_on="extract, check:failure")

    assert "after extract, check (on failure)" in line_of(run_command("cronstatus").out, "load")


def test_what_keeps_a_job_from_running_is_shown(only):
    only("noop", name="a", enabled=False)
    only("noop", name="b", schedule="61 * * * *")
    only("noop", name="c", schedule="@every 1h", paused=True, paused_until=database_now_plus(timedelta(hours=3)))
    only("noop", name="d", schedule="@every 1h", paused=True)
    only("noop", name="e", paused=True, paused_until=database_now_plus(timedelta(hours=-1)))
    reconcile(read_clock("default"))

    out = run_command("cronstatus").out

    ends = [line_of(out, name).split(maxsplit=1)[1] for name in "abcde"]
    assert "disabled" in ends[0]
    assert "broken" in ends[1]
    assert "(paused)" in ends[2]
    assert "paused" in ends[3]
    assert "paused" not in ends[4]


def test_a_job_that_runs_longer_than_it_may_is_shown_as_such(only):
    only("overruns")
    run_inline("overruns", params={"seconds": 0})
    execution = JobExecution.objects.request("overruns")
    claim_one(execution, node="a", now=read_clock("default") - timedelta(minutes=5))

    assert "running for 5 min, longer than its timeout" in line_of(run_command("cronstatus").out, "overruns")
    assert status_document()["cronJobs"]["overruns"]["overrunning"] == 1


def test_a_job_that_was_mended_is_not_shown_as_broken(only):
    job = only("noop", schedule="61 * * * *")
    reconcile(read_clock("default"))
    assert "broken" in line_of(run_command("cronstatus").out, "noop")

    Job.objects.filter(pk=job.pk).update(schedule="@daily")

    assert "broken" not in line_of(run_command("cronstatus").out, "noop")


def test_everything_is_paused_by_the_setting(only, settings):
    only("noop", schedule="@every 1h")
    settings.CRONJOBS = {"PAUSED": True}

    out = run_command("cronstatus").out

    assert "paused" in line_of(out, "noop")
    assert "Everything is paused by the settings: CRONJOBS['PAUSED'] is True." in out


def test_a_job_that_runs_for_the_first_time_is_not_said_to_have_never_run(only):
    only("noop")
    claim_one(JobExecution.objects.request("noop"), node="elsewhere", now=read_clock("default"))
    JobExecution.objects.update(started_at=database_now_plus(timedelta(seconds=-5)))

    assert line_of(run_command("cronstatus").out, "noop").endswith("running for 5 s")


def test_nodes_and_queue_are_shown(only, node):
    out = run_command("cronstatus").out

    assert line_of(out, "node-1").split() == ["node-1", "alive", "2/8", "now", "67", "MiB", "0", "s"]
    assert "Queue: 0 executions waiting, 0 running." in out


def test_a_node_that_drains_is_shown_as_such(only, node):
    Node.objects.update(drain_requested_at=database_now_plus(timedelta(0)))

    out = run_command("cronstatus").out

    assert line_of(out, "node-1").split()[1] == "draining"
    assert "Every node that is alive is draining: nothing new runs" in out
    assert run_command("cronstatus", "--fail-if-unhealthy").code == 1


def test_that_no_node_is_alive_is_said_and_fails_only_a_monitor(only):
    plain, monitor = run_command("cronstatus"), run_command("cronstatus", "--fail-if-unhealthy")

    assert (plain.code, plain.err) == (0, "")
    assert "No node is alive" in plain.out
    assert monitor.code == 1
    assert monitor.out == plain.out
    assert monitor.err.startswith("CommandError: No node is alive")


def test_a_monitor_hears_of_a_node_that_does_not_tick(only, node):
    Node.objects.update(last_tick_at=database_now_plus(timedelta(minutes=-3)))

    out, err, code = run_command("cronstatus", "--fail-if-unhealthy", "--json")

    assert code == 1
    assert "the last tick was 180 s ago" in err
    assert json.loads(out)["isRunning"] is True


def test_a_monitor_is_content_with_a_node_that_ticks(only, node):
    assert run_command("cronstatus", "--fail-if-unhealthy").code == 0


def test_everything_as_json(only, node):
    only("fails", schedule="@every 1h")
    reconcile(read_clock("default"))
    execution = run_inline("fails")

    status = json.loads(run_command("cronstatus", "--json").out)

    ended = status["cronJobs"]["fails"].pop("lastEnded")
    assert ended.items() >= {"executionId": execution.pk, "status": "failed", "error": "boom"}.items()
    assert [each.pop("rssBytes") for each in status["nodes"]] == [70_000_000]
    assert status.pop("queue").items() >= {"waiting": 0, "running": 0}.items()
    assert status.pop("runningExecutions") == []
    assert status.pop("health").items() >= {"healthy": True, "unhealthy": []}.items()
    assert status.pop("workers") == status["queues"] == []
    assert {**status, "timestamp": ""} == {**status_document(), "timestamp": ""}


def test_the_number_of_statements_does_not_grow_with_jobs(only):
    def statements(jobs):
        for number in range(jobs):
            calendar = Calendar.objects.create(name=f"{jobs}-{number}", dates=["2026-12-25"])
            only("noop", name=f"job-{number:02}", schedule="@daily", calendar=calendar)
            run_inline(f"job-{number:02}")
        with CaptureQueriesContext(connection) as captured:
            assert run_command("cronstatus").out.count("succeeded") == jobs
        return len(captured)

    assert statements(jobs=2) == statements(jobs=20) <= 37


def test_the_table_fits_the_terminal(only, monkeypatch):
    only("fails", name="a-job-with-a-name-that-is-rather-long-for-a-terminal", schedule="*/10 9-17 * * mon-fri")
    run_inline("a-job-with-a-name-that-is-rather-long-for-a-terminal")
    monkeypatch.setenv("COLUMNS", "60")

    lines = run_command("cronstatus").out.split("\n\n")[0].splitlines()

    assert [len(line) <= 60 for line in lines] == [True, True]
    assert "…" in lines[1]


def test_a_table_without_a_terminal_is_not_cut():
    assert table(("A", "B"), [("x" * 200, "two\nlines")], width=None)[1] == f"{'x' * 200}  two lines"


@pytest.mark.parametrize(
    ("span", "text"),
    [
        pytest.param({"seconds": 0.4}, "0 s", id="instant"),
        pytest.param({"seconds": 59}, "59 s", id="seconds"),
        pytest.param({"minutes": 59, "seconds": 59}, "59 min", id="minutes"),
        pytest.param({"hours": 23}, "23 h", id="hours"),
        pytest.param({"days": -3}, "3 d", id="days"),
    ],
)
def test_a_distance_is_in_its_largest_unit(span, text):
    assert distance(timedelta(**span)) == text


def test_a_moment_is_a_distance_from_now():
    now = read_clock("default")

    assert from_now(now + timedelta(minutes=5), now) == "in 5 min"
    assert from_now(now - timedelta(minutes=5), now) == "5 min ago"
    assert from_now(now, now) == "now"


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        pytest.param(7, "7 ms", id="milliseconds"),
        pytest.param(2_345, "2.3 s", id="seconds"),
        pytest.param(90_000, "1 min", id="minutes"),
    ],
)
def test_a_duration_is_short(milliseconds, text):
    assert in_seconds(milliseconds) == text
