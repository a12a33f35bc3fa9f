"""A job that never returns: its own due times are skipped and say why, and no other job notices."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs.database import read_clock
from cronjobs.models import JobExecution
from cronjobs.models.moves import claim, record
from cronjobs.runner import Claim, perform
from cronjobs.scheduler.plans import sync
from cronjobs.scheduler.ticks import tick
from tests.integration.conftest import NOON, rows_of

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def test_a_job_that_hangs_skips_its_own_due_times_and_no_others(make_job):
    hung, healthy = make_job("succeeds", schedule="* * * * *"), make_job("counts", schedule="* * * * *")
    sync(NOON)

    for minute in range(1, 11):
        tick(NOON + minute * MINUTE)
        for execution, job in claim(node="a", limit=5, now=read_clock("default")).executions:
            if job.pk != hung.pk:
                record([], [perform(Claim.of(execution, job), now=lambda: read_clock("default"))])

    assert [status for _, status, _ in rows_of(hung)] == ["running"] + ["skipped"] * 9
    first = JobExecution.objects.get(job=hung, status="running")
    reasons = JobExecution.objects.filter(job=hung, status="skipped").values_list("reason", flat=True)
    assert set(reasons) == {f"Execution {first.pk} was still open."}
    assert [status for _, status, _ in rows_of(healthy)] == ["succeeded"] * 10
