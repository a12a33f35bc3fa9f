"""What commands say of executions that Celery is to perform."""

from __future__ import annotations

import json

import pytest

from cronjobs.models import JobExecution
from cronjobs.models.waiting import NEXT_TO_BROKER
from tests.commands import run_command

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("with_celery", "node")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--queue"], "is queued; a Celery worker performs it.", id="now"),
        pytest.param(
            ["--at", "2050-01-01T08:00:00Z"],
            "is queued for 2050-01-01 08:00:00 UTC; a Celery worker performs it then.",
            id="later",
        ),
    ],
)
def test_runjob_says_who_performs_what_it_records(make_job, arguments, said):
    make_job("noop")

    out = run_command("runjob", "noop", *arguments).out

    assert out == f"noop #{JobExecution.objects.get().pk} {said}\n"


def test_cronretry_says_who_performs_it_by_how_the_job_is_now(make_job):
    job = make_job("noop", executor="thread")
    failed = JobExecution.objects.request("noop")
    JobExecution.objects.update(status="failed")
    type(job).objects.update(executor=None)

    out = run_command("cronretry", str(failed.pk)).out

    assert out.endswith("; a Celery worker performs it.\n")


def test_cronlog_says_what_it_waits_for_as_json(make_job):
    make_job("noop")
    execution = JobExecution.objects.request("noop")

    found = json.loads(run_command("cronlog", str(execution.pk), "--json").out)

    assert (found["waitsFor"], found["waitsBecause"]) == ("dispatch", NEXT_TO_BROKER)

    JobExecution.objects.update(status="succeeded")
    found = json.loads(run_command("cronlog", str(execution.pk), "--json").out)
    assert (found["waitsFor"], found["waitsBecause"]) == (None, None)
