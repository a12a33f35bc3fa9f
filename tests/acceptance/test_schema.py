"""The description of the API, tried out on a live server: whatever is sent, it answers as described, and never fails."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.authtoken.models import Token

from cronjobs import job
from cronjobs.models import Calendar, ExecutionAttempt, ExecutionLog, Job, JobExecution, Node
from cronjobs.registry import registry

# Hundreds of requests: on a busy machine they take their time.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.one_server,
    pytest.mark.timeout(1800),
    pytest.mark.django_db(transaction=True),
]

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
# Those that are asked for are drawn anew each time.
EXAMPLES = os.environ.get("SCHEMA_EXAMPLES")


@pytest.fixture
def site(live_server: Any, settings: Any) -> Iterator[str]:
    """The address of a site with a little of everything that the examples speak of."""
    # Nobody is there to perform what waits: no request does that for long. And thousands of them come.
    throttles = dict.fromkeys(("read", "write", "execute", "refused"))
    settings.CRONJOBS = {**settings.CRONJOBS, "EXECUTE_TIMEOUT": 1, "THROTTLES": throttles}
    definition = job("send-digest", schedule="0 7 * * mon-fri", time_zone="Europe/Berlin")(send_digest)
    Job.objects.all().delete()
    Job.objects.ensure([definition])
    Calendar.objects.create(name="holidays", dates=["2026-12-25"])
    now = timezone.now()
    common = {"hostname": "worker-1", "version": "1", "workers": 8, "started_at": now, "heartbeat_at": now}
    Node.objects.create(name="worker-1:1:abc", pid=1, stopped_at=now, **common)
    Job.objects.create(name="made", definition="send-digest", schedule="")
    failed = JobExecution.objects.request("send-digest")
    JobExecution.objects.filter(pk=failed.pk).update(id=4711, status="failed", finished_at=now)
    waiting = JobExecution.objects.request("send-digest", run_after=now + timedelta(days=1))
    JobExecution.objects.filter(pk=waiting.pk).update(id=4712)
    ExecutionAttempt.objects.create(execution_id=4711, attempt=1, status="failed", traceback="Traceback …")
    ExecutionLog.objects.create(execution_id=4711, attempt=1, number=1, level=20, message="Collecting", logged_at=now)
    yield live_server.url
    registry.remove("send-digest")


def send_digest(context, *, days: int = 1):
    return {"sent": days}


@pytest.mark.parametrize("phase", ["examples", "coverage", "fuzzing", "stateful"])
def test_it_answers_as_described(site, django_user_model, tmp_path, phase):
    token = Token.objects.create(user=django_user_model.objects.create_superuser("sue"))
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIGURATION)),
        *("run", f"{site}/cron/schema", "--no-color"),
        *("--phases", phase, *(("--max-examples", EXAMPLES) if EXAMPLES else ("--generation-deterministic",))),
    ]
    environment = {**os.environ, "SCHEMA_TOKEN": token.key}

    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)  # noqa: S603 - our own

    assert done.returncode == 0, done.stdout + done.stderr
