"""`cronbackfill` runs the due times of a past range that were never run."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from cronjobs.database import DatabaseNow
from cronjobs.models import Job, JobExecution, Node
from tests.commands import run_command

pytestmark = pytest.mark.django_db
NO_NODE = "No node is alive: it waits until runcron is started.\n"


@pytest.fixture
def midnight(database_now):
    """The beginning of yesterday."""
    return database_now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)


@pytest.fixture
def backfill(make_job, midnight):
    """Run the command for a job that is due each hour, from yesterday's midnight until so many hours later."""
    make_job("noop", schedule="0 * * * *")

    def run(*arguments, name="noop", hours=3):
        span = (f"--from={midnight.isoformat()}", f"--to={(midnight + timedelta(hours=hours)).isoformat()}")
        return run_command("cronbackfill", name, *span, *arguments)

    return run


def test_the_executions_are_recorded_and_counted(backfill, midnight):
    out, err, code = backfill()

    first, last = (f"{midnight + timedelta(hours=hours):%Y-%m-%d %H:%M:%S} UTC" for hours in (0, 3))
    assert (code, err) == (0, NO_NODE)
    assert out == f"noop: 4 due times from {first} to {last}: 4 added, 0 queued again, 0 there already.\n"
    assert set(JobExecution.objects.values_list("trigger", "status")) == {("backfill", "queued")}
    assert JobExecution.objects.first().requested_by


def test_the_second_time_nothing_is_left_to_do(backfill):
    backfill()

    out, err, code = backfill()

    assert (code, err) == (0, "")
    assert out.endswith(": 0 added, 0 queued again, 4 there already.\n")
    assert JobExecution.objects.count() == 4


def test_with_a_node_there_is_nothing_to_add(backfill):
    now = DatabaseNow()
    Node.objects.create(name="node-1", pid=1, workers=8, started_at=now, heartbeat_at=now)

    assert backfill().err == ""


def test_a_dry_run_shows_the_numbers_and_writes_nothing(backfill):
    out, err, code = backfill("--dry-run")

    assert (code, err) == (0, "")
    assert out.endswith(": 4 would be added, 0 would be queued again, 0 there already.\n")
    assert not JobExecution.objects.exists()


def test_the_numbers_as_json(backfill, midnight):
    backfill(hours=0)
    skipped = JobExecution.objects.get()
    JobExecution.objects.filter(pk=skipped.pk).update(status="skipped")

    report = json.loads(backfill("--json").out)

    assert report == {
        "jobName": "noop",
        "from": f"{midnight:%Y-%m-%dT00:00:00}.000Z",
        "to": f"{midnight:%Y-%m-%dT03:00:00}.000Z",
        "count": 4,
        "first": f"{midnight:%Y-%m-%dT00:00:00}.000Z",
        "last": f"{midnight:%Y-%m-%dT03:00:00}.000Z",
        "created": 3,
        "revived": 1,
        "existing": 0,
        "dryRun": False,
    }


def test_one_due_time_is_not_many(backfill):
    assert ": 1 due time from " in backfill(hours=0).out


def test_a_range_without_due_times_is_no_mistake(backfill, midnight):
    Job.objects.filter(name="noop").update(ends_at=midnight - timedelta(days=1))

    out, err, code = backfill()

    assert (code, err) == (0, "")
    assert out.startswith("noop was never due from ")
    assert json.loads(backfill("--json").out)["first"] is None


def test_what_is_very_old_takes_force_and_a_dry_run_says_so(backfill, settings):
    settings.CRONJOBS = {"HISTORY_RETENTION": 86_400}

    refused, shown, forced = backfill(), backfill("--dry-run"), backfill("--force")

    assert (refused.out, refused.code) == ("", 2)
    assert "is longer ago than executions are kept: what ran then may run again. Use --force" in refused.err
    assert (shown.code, ": 4 would be added" in shown.out) == (0, True)
    assert shown.err.endswith("It will need --force.\n")
    assert (forced.code, forced.err) == (0, NO_NODE)
    assert JobExecution.objects.count() == 4


def test_very_many_due_times_take_force(backfill):
    Job.objects.filter(name="noop").update(schedule="* * * * * *")

    out, err, code = backfill()

    assert (out, code) == ("", 2)
    assert err.startswith("CommandError: 10,801 due times are more than the 10,000 ")
    assert not JobExecution.objects.exists()


@pytest.mark.parametrize(
    ("hours", "name", "sentence"),
    [
        pytest.param(-1, "noop", "The range is reversed: ", id="reversed"),
        pytest.param(72, "noop", " is in the future: ", id="future"),
        pytest.param(1, "nop", "There is no job named 'nop'. Did you mean 'noop'?", id="unknown"),
        pytest.param(1, "fails", "fails runs on demand: it was never due.", id="on-demand"),
    ],
)
@pytest.mark.parametrize("force", [(), ("--force", "--dry-run")], ids=["plain", "forced"])
def test_what_cannot_be_meant_is_code_2_and_one_sentence(backfill, hours, name, sentence, force):
    out, err, code = backfill(*force, name=name, hours=hours)

    assert (out, code, err.count("\n")) == ("", 2, 1)
    assert sentence in err
    assert not JobExecution.objects.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--from", "2026-01-15T12:00:00Z"), id="no-end"),
        pytest.param(("--from", "2026-01-15", "--to", "2026-01-16"), id="naive"),
    ],
)
def test_what_is_no_range_is_code_2(arguments):
    out, err, code = run_command("cronbackfill", "noop", *arguments)

    assert (out, code) == ("", 2)
    assert "usage: manage.py cronbackfill" in err


def test_a_broken_job_is_code_1(backfill):
    Job.objects.filter(name="noop").update(time_zone="Mars/Base")

    _, err, code = backfill()

    assert code == 1
    assert err.startswith("CommandError: Job noop cannot run: time_zone: 'Mars/Base'")
