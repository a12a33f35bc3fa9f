"""What was written past the forms, by SQL, into one job is that job's problem alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from cronjobs.database import read_clock
from cronjobs.exceptions import CronJobsError
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import claim
from cronjobs.runner import Claim, perform

MISTAKES = [
    {"catch_up": "often"},
    {"overlap": "maybe"},
    {"max_attempts": 0},
    {"initial_delay": timedelta(seconds=-1)},
    {"max_delay": timedelta(seconds=-1)},
    {"backoff_multiplier": 0.1},
    {"time_zone": "Mars/Base"},
    {"schedule": "61 * * * *"},
    {"params": [1]},
]


@pytest.fixture(params=MISTAKES, ids=str)
def broken(request, make_job):
    job = make_job("noop")
    JobExecution.objects.request("noop")
    Job.objects.filter(pk=job.pk).update(**request.param)
    job.refresh_from_db()
    return job


def test_it_is_a_reason_and_no_crash(broken):
    with pytest.raises(CronJobsError):
        broken.resolve()


def test_other_jobs_are_claimed_and_its_own_executions_fail_with_the_reason(broken, make_job):
    make_job("succeeds")
    JobExecution.objects.request("succeeds")
    now = read_clock("default")

    claims = claim(node="a", limit=10, now=now).executions

    outcomes = {job.name: perform(Claim.of(each, job), now=lambda: now).outcome for each, job in claims}
    assert outcomes == {"noop": "failed", "succeeds": "succeeded"}


@pytest.mark.parametrize("column", ["misfire_grace", "initial_delay", "max_delay"])
def test_a_form_lets_no_negative_duration_in(make_job, column):
    job = make_job("noop")
    setattr(job, column, timedelta(seconds=-1))

    with pytest.raises(ValidationError) as caught:
        job.full_clean()

    assert set(caught.value.message_dict) == {column}
