"""What is changed over HTTP is what a living node does."""

from __future__ import annotations

from typing import Any

import pytest

from cronjobs.models import Job, JobExecution, Queue
from tests.integration.api.callers import Caller, document
from tests.servers import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def superuser(django_user_model: Any) -> Caller:
    """Somebody who may do everything."""
    return Caller(django_user_model.objects.create_superuser("sue"))


def test_a_node_follows_a_schedule_that_is_changed_over_http(start_node, marks, superuser):
    marks.job("every-second")
    start_node(POLL_INTERVAL=0.2)
    job = document(superuser.get("/cron/jobs/every-second"))
    assert (job["schedule"], job["nextRun"]) == ("", None)

    assert document(superuser.patch(job["url"], {"schedule": "@every 1s"}))["effective"]["schedule"] == "@every 1s"
    wait_for(lambda: len(marks.lines()) >= 3)
    assert document(superuser.get(job["url"]))["nextRun"] is not None

    assert document(superuser.post(f"{job['url']}/pause"))["isPaused"] is True
    wait_for(lambda: Job.objects.filter(name="every-second", planned_paused=True).exists())
    wait_for(lambda: not JobExecution.objects.open().exists())
    ended = JobExecution.objects.count()

    document(superuser.post(f"{job['url']}/resume"))
    wait_for(lambda: JobExecution.objects.count() >= ended + 2)
    assert set(JobExecution.objects.values_list("trigger", flat=True)) == {"schedule"}


def test_a_node_follows_a_job_that_is_made_and_deleted_over_http(start_node, marks, superuser):
    params = marks.job().params
    start_node(POLL_INTERVAL=0.2)

    body = {"name": "made-over-http", "definition": "marks", "schedule": "@every 1s", "params": params}
    assert superuser.post("/cron/jobs", body).status_code == 201
    wait_for(lambda: len(marks.lines()) >= 2)

    assert superuser.delete("/cron/jobs/made-over-http").status_code == 204
    wait_for(lambda: not JobExecution.objects.open().exists())
    assert JobExecution.objects.filter(job_name="made-over-http", status="succeeded").count() >= 2


def test_a_node_starts_nothing_of_a_queue_that_is_paused_over_http(start_node, marks, superuser):
    marks.job(queue="narrow")
    document(superuser.post("/cron/queues/narrow/pause"))
    start_node(POLL_INTERVAL=0.2)
    held = JobExecution.objects.request("marks")
    Job.objects.filter(name="noop").update(schedule="")
    free = JobExecution.objects.request("noop")

    # The free one was asked for later, so that a node that has done it has passed the other over.
    wait_for(lambda: JobExecution.objects.get(pk=free.pk).is_final)
    assert JobExecution.objects.get(pk=held.pk).status == "queued"
    assert marks.lines() == []

    document(superuser.post("/cron/queues/narrow/resume"))
    wait_for(lambda: JobExecution.objects.get(pk=held.pk).is_final)
    assert len(marks.lines()) == 1
    assert not Queue.objects.filter(paused=True).exists()
