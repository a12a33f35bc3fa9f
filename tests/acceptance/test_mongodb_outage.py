"""MongoDB goes away and comes back: the clean-up waits for it, and nothing else notices."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from cronjobs.models import Job, JobExecution
from project.embedded_mongo import start_mongo
from project.processes import stop
from tests.acceptance.conftest import status_of
from tests.servers import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.mongo, pytest.mark.django_db(transaction=True)]

CLEANUP = "cleanup-legacy-conversations"


def test_the_scheduled_cleanup_fails_retries_and_succeeds_once_the_server_is_back(start_node, marks, tmp_path):
    server, uri = start_mongo(tmp_path / "data", log=tmp_path / "mongodb.log")
    stop([server])
    start_node(MONGODB_URI=uri, MONGODB_TIMEOUT=0.3)
    Job.objects.filter(name=CLEANUP).update(schedule="* * * * * *", max_attempts=50, enabled=True)
    marks.job("unconcerned", schedule="* * * * * *")
    execution = wait_for(lambda: JobExecution.objects.filter(job_name=CLEANUP, trigger="schedule").first())
    wait_for(lambda: execution.attempts.count() >= 2)
    assert status_of(execution) in ("queued", "running")
    assert "MongoUnavailable" in execution.attempts.first().error_type

    server, _ = start_mongo(tmp_path / "data", log=tmp_path / "mongodb.log", port=urlsplit(uri).port)
    try:
        wait_for(lambda: status_of(execution) == "succeeded")
    finally:
        stop([server])

    assert execution.result["success"] is True
    assert execution.attempt == execution.attempts.count() + 1
    others = JobExecution.objects.filter(job_name="unconcerned")
    assert others.filter(status="succeeded").count() >= 2
    assert not others.exclude(status__in=("succeeded", "queued", "running")).exists()
