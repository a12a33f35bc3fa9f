"""What somebody has written into the database is never imported and never unpickled, whatever it says."""

from __future__ import annotations

import json
import pickle
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django_apscheduler.models import DjangoJob
from rest_framework.authtoken.models import Token

from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.clock_rows import clock_id
from cronjobs.scheduler.looks import look
from cronjobs.scheduler.plans import reconcile, sync
from cronjobs.scheduler.ticks import tick
from tests.commands import run_command
from tests.integration.admin.pages import JOBS, change_url
from tests.integration.conftest import CALLABLES, NOON, rows_of

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


class Writes:
    """What writes a file by being unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


@pytest.fixture
def jobs(make_job):
    """Two jobs that are due in a minute."""
    Job.objects.all().delete()
    jobs = [make_job("noop", name=name, schedule="* * * * *") for name in ("attacked", "healthy")]
    sync(NOON)
    return jobs


@pytest.fixture
def look_at_everything(admin_client, admin_user):
    """Ask for every page and every answer that tells of jobs, and for the commands that do."""
    headers = {"Authorization": f"Token {Token.objects.create(user=admin_user).key}"}

    def look(job: Job) -> None:
        for url in (JOBS, change_url(job), "/admin/"):
            assert admin_client.get(url).status_code == 200, url
        for path in ("status", "jobs", f"jobs/{job.name}", "definitions"):
            assert Client(headers=headers).get(f"/cron/{path}").status_code == 200, path
        run_command("cronstatus")
        run_command("croncheck")

    return look


def test_a_pickle_in_a_clock_row_is_never_opened(jobs, sentinel, look_at_everything):
    attacked = jobs[0]
    payload = pickle.dumps(Writes(sentinel))
    DjangoJob.objects.filter(id=clock_id(attacked.pk)).update(job_state=payload)
    DjangoJob.objects.create(id="somebody-elses", next_run_time=NOON, job_state=payload)
    DjangoJob.objects.create(id="cronjobs:4711", next_run_time=NOON, job_state=payload)

    look_at_everything(attacked)
    while tick(NOON + MINUTE):
        pass
    reconcile(NOON + MINUTE)
    look()

    assert not sentinel.exists()
    for each in jobs:
        assert rows_of(each) == [("schedule", "queued", NOON + MINUTE)]
    # Ours is what it was again; another program's is left to that.
    assert json.loads(bytes(DjangoJob.objects.get(id=clock_id(attacked.pk)).job_state))["active"] is True
    assert bytes(DjangoJob.objects.get(id="somebody-elses").job_state) == payload
    pickle.loads(payload)  # noqa: S301 - our own bytes, which do what the test is about
    assert sentinel.exists()


@pytest.mark.parametrize("path", CALLABLES)
def test_a_path_in_the_row_of_a_job_is_never_imported(jobs, sentinel, look_at_everything, path):
    attacked, healthy = jobs
    Job.objects.filter(pk=attacked.pk).update(definition=path)
    attacked.refresh_from_db()

    look_at_everything(attacked)
    sync(NOON)
    while tick(NOON + MINUTE):
        pass

    assert not sentinel.exists()
    assert "sentinel_module" not in sys.modules
    assert path in Job.objects.get(pk=attacked.pk).broken_reason
    assert rows_of(attacked) == []
    assert rows_of(healthy) == [("schedule", "queued", NOON + MINUTE)]
    assert JobExecution.objects.count() == 1
