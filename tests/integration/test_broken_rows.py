"""What was written past the forms, by SQL, into one job is that job's problem alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError

from cronjobs.database import read_clock
from cronjobs.exceptions import CronJobsError
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import claim
from cronjobs.runner import Claim, perform
from cronjobs.scheduler.plans import reconcile

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


def planned(job):
    """Return the job as a node leaves it."""
    reconcile(read_clock("default"))
    return Job.objects.get(pk=job.pk)


def test_a_job_that_was_mended_is_whole_before_a_node_has_looked(make_job):
    job = planned(make_job("noop", schedule="61 * * * *"))
    assert "61" in job.why_broken() == job.broken_reason

    Job.objects.filter(pk=job.pk).update(schedule="@daily")

    mended = Job.objects.get(pk=job.pk)
    assert mended.broken_reason
    assert mended.why_broken() == ""


def test_what_only_a_node_could_find_out_counts_until_somebody_edits_the_job(make_job):
    job = planned(make_job("noop"))
    Job.objects.filter(pk=job.pk).update(broken_reason="Its rows are refused")
    assert Job.objects.get(pk=job.pk).why_broken() == "Its rows are refused"

    Job.objects.filter(pk=job.pk).update(schedule="@daily")

    assert Job.objects.get(pk=job.pk).why_broken() == ""


def test_a_job_that_was_broken_otherwise_since_says_what_is_wrong_now(make_job):
    job = planned(make_job("noop", schedule="61 * * * *"))

    Job.objects.filter(pk=job.pk).update(schedule="62 * * * *")

    assert "62" in Job.objects.get(pk=job.pk).why_broken()


@pytest.mark.parametrize(
    ("paused", "until", "expected"),
    [
        pytest.param(False, None, False, id="not"),
        pytest.param(True, None, True, id="for-ever"),
        pytest.param(True, timedelta(seconds=1), True, id="for-a-while"),
        pytest.param(True, timedelta(0), False, id="until-now"),
        pytest.param(False, timedelta(seconds=1), False, id="resumed-early"),
    ],
)
def test_a_job_is_paused_until_its_time_has_come(paused, until, expected):
    now = datetime(2026, 1, 15, 12, tzinfo=UTC)

    assert Job(paused=paused, paused_until=None if until is None else now + until).is_paused_at(now) is expected
