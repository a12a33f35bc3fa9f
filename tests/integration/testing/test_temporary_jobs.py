"""Job definitions that are there for one test."""

from __future__ import annotations

import pytest

from cronjobs.exceptions import InvalidDefinition
from cronjobs.models import Job, JobExecution
from cronjobs.registry import registry
from cronjobs.testing import run_job, temporary_jobs

pytestmark = pytest.mark.django_db


def test_a_job_is_there_meanwhile_and_forgotten_afterwards():
    with temporary_jobs() as job:

        @job("for-a-while", queue="slow")
        def for_a_while(context, *, number=1):
            """Be there."""
            return number

        assert registry["for-a-while"] is for_a_while
        assert (for_a_while.description, for_a_while.queue) == ("Be there.", "slow")
        assert Job.objects.filter(definition="for-a-while").exists()
        assert run_job("for-a-while", number=2).result == 2

    assert "for-a-while" not in registry
    assert not Job.objects.filter(definition="for-a-while").exists()
    assert JobExecution.objects.filter(job_name="for-a-while").exists()


def test_it_is_forgotten_after_an_error_as_well():
    with pytest.raises(ZeroDivisionError), temporary_jobs() as job:
        job("for-a-while")(lambda context: None)(1 / 0)

    assert "for-a-while" not in registry


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("for-a-while", {"schedule": "99 * * * *"}, "minute"),
        ("For A While", {}, "lower-case"),
        ("for-a-while", {"colour": "red"}, "no option 'colour'"),
        ("succeeds", {}, "There is a job definition 'succeeds' already."),
    ],
)
def test_a_mistake_is_an_error(name, options, sentence):
    before = registry.contents()

    with temporary_jobs() as job, pytest.raises(InvalidDefinition, match=sentence):
        job(name, **options)(lambda context: None)

    assert registry.contents() == before
