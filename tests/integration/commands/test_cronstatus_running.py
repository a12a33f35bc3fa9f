"""`cronstatus` shows what runs now and how far it has come."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from cronjobs.database import read_clock
from cronjobs.models import JobExecution
from tests.commands import run_command

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch):
    # However long the number of an execution is, nothing is cut.
    monkeypatch.setenv("COLUMNS", "500")


@pytest.fixture
def make_running(make_job):
    def make(**columns):
        make_job("succeeds", overlap="allow")
        execution = JobExecution.objects.request("succeeds")
        started = read_clock("default") - timedelta(minutes=10, seconds=2)
        progress = {"done": 1_000, "total": 4_000, "message": "rows", "at": ""}
        values = {"status": "running", "started_at": started, "progress": progress, **columns}
        JobExecution.objects.filter(pk=execution.pk).update(**values)
        return execution

    return make


def running_part(out):
    return out.partition("RUNNING")[2].splitlines()[1:]


def test_each_running_execution_has_a_line(make_running):
    told, silent = make_running(), make_running(progress=None, started_at=None)
    half = make_running(progress={"done": 0.5, "total": None, "message": ""})

    outcome = run_command("cronstatus")

    assert [line.split("  ")[0] for line in running_part(outcome.out)] == [str(half), str(silent), str(told)]
    assert running_part(outcome.out)[0].split() == ["succeeds", f"#{half.pk}", "10", "min", "0.5"]
    assert running_part(outcome.out)[1].split() == ["succeeds", f"#{silent.pk}"]
    assert "10 min  25 %, 1,000 of 4,000, rows  30 min" in running_part(outcome.out)[2]


def test_who_has_been_asked_to_stop_is_shown(make_running):
    asked = make_running(cancel_requested_at=read_clock("default") - timedelta(minutes=2, seconds=2))

    (line,) = running_part(run_command("cronstatus").out)

    assert line.startswith(f"{asked}  10 min, asked to stop 2 min")


def test_without_any_there_is_no_table(make_job):
    assert "RUNNING" not in run_command("cronstatus").out


def test_more_than_a_screen_holds_are_counted(make_running):
    for _ in range(23):
        make_running()

    lines = running_part(run_command("cronstatus").out)

    assert len(lines) == 21
    assert lines[-1] == "… and 3 more"


def test_programs_read_the_same(make_running):
    execution = make_running()

    (found,) = json.loads(run_command("cronstatus", "--json").out)["runningExecutions"]

    assert found.pop("startedAt")
    assert found.pop("progress").pop("etaSeconds") in range(1805, 1815)
    assert found == {"executionId": execution.pk, "jobName": "succeeds", "node": "", "attempt": 0}
