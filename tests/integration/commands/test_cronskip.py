"""`cronskip` leaves out the next occurrence, and says which that is."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from cronjobs.management.arguments import who
from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.plans import sync
from tests.commands import run_command

pytestmark = pytest.mark.django_db


@pytest.fixture
def due(make_job, database_now):
    """The next due time of a job named noop, the only one there is."""
    Job.objects.all().delete()
    at = database_now.replace(second=0, microsecond=0) + timedelta(minutes=30)
    make_job("noop", schedule=f"@every 1h from {at:%Y-%m-%dT%H:%M:%SZ}")
    sync(database_now)
    return at


def test_the_skipped_occurrence_is_named(due):
    out, err, code = run_command("cronskip", "noop")

    execution = JobExecution.objects.get()
    assert (code, err) == (0, "")
    assert out == f"noop #{execution.pk}: the occurrence at {due:%Y-%m-%d %H:%M:%S} UTC is skipped.\n"
    assert (execution.status, execution.scheduled_for) == ("skipped", due)
    assert execution.reason == f"Skipped ahead of time by {who()}."


def test_what_was_recorded_as_json(due):
    out = run_command("cronskip", "noop", "--json").out

    assert json.loads(out) == {
        "executionId": JobExecution.objects.get().pk,
        "jobName": "noop",
        "status": "skipped",
        "scheduledFor": f"{due:%Y-%m-%dT%H:%M:%S}.000Z",
        "reason": f"Skipped ahead of time by {who()}.",
    }


def test_the_status_shows_the_occurrence_after_it(due):
    run_command("cronskip", "noop")

    (job,) = json.loads(run_command("cronstatus", "--json").out)["cronJobs"].values()

    assert job["nextRun"] == f"{due + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}.000Z"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        pytest.param("nop", "There is no job named 'nop'. Did you mean 'noop'?", id="typo"),
        pytest.param("zzz", "There is no job named 'zzz'. cronstatus lists them.", id="unknown"),
        pytest.param("fails", "fails runs on demand: no occurrence comes that could be skipped.", id="on-demand"),
    ],
)
def test_what_cannot_be_skipped_is_code_2_and_one_sentence(due, make_job, name, sentence):
    make_job("fails")

    assert run_command("cronskip", name) == ("", f"CommandError: {sentence}\n", 2)

    assert not JobExecution.objects.exists()


def test_a_broken_job_is_code_1(due):
    Job.objects.update(time_zone="Mars/Base")

    _, err, code = run_command("cronskip", "noop")

    assert code == 1
    assert err.startswith("CommandError: Job noop cannot run: time_zone: 'Mars/Base'")
