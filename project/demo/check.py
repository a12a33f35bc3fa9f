"""`script/demo --check`: the demo as a machine sees it, on scratch data."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import traceback
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from project.demo.site import ADMIN, FAILURES, DemoFailed, Site, choose_port, running

SECONDS = 85
# The check touches nothing of yours, so it hears nothing of your environment.
_YOURS = ("DATABASE_URL", "MONGODB_URI", "CELERY_BROKER_URL", "DJANGO_", "CRONJOBS_")


def check() -> int:
    """See a scheduled execution succeed and the API answer; print one JSON summary."""
    started = time.monotonic()
    for name in [name for name in os.environ if name.startswith(_YOURS)]:
        del os.environ[name]
    os.environ["CRONJOBS_CLEANUP_SCHEDULE"] = "*/2 * * * * *"
    try:
        with tempfile.TemporaryDirectory(prefix="cronjobs-demo-") as scratch:
            summary = {"ok": True, **_watch(Path(scratch), started + SECONDS)}
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the reason
        if not isinstance(error, FAILURES):
            traceback.print_exc()
        summary = {"ok": False, "reason": str(error) or type(error).__name__}
    summary["seconds"] = round(time.monotonic() - started, 1)
    print(json.dumps(summary))  # noqa: T201  # its purpose
    return 0 if summary["ok"] else 1


def _watch(var: Path, deadline: float) -> dict[str, Any]:
    try:
        with running(var, host="127.0.0.1", port=choose_port("127.0.0.1", 0)) as site:
            return {
                "execution": _wait(_scheduled_success, site, deadline, "no scheduled execution succeeded"),
                "status": _wait(lambda: _status(site.url), site, deadline, "GET /cron/status did not answer 200"),
            }
    except FAILURES:
        # The logs are about to vanish with the scratch directory.
        for log in sorted(var.glob("log/*.log")):
            print(f"--- {log.name}", log.read_text()[-4000:], sep="\n", file=sys.stderr)  # noqa: T201
        raise


def _wait(look: Callable[[], dict[str, Any] | None], site: Site, deadline: float, complaint: str) -> dict[str, Any]:
    while (found := look()) is None:
        site.check()
        if time.monotonic() > deadline:
            raise DemoFailed(f"{complaint} within {SECONDS} s.")
        time.sleep(0.2)
    return found


def _scheduled_success() -> dict[str, Any] | None:
    from cronjobs.models import JobExecution

    execution = JobExecution.objects.filter(trigger="schedule", status="succeeded").order_by("pk").first()
    if execution is None:
        return None
    return {
        "id": execution.pk,
        "job": execution.job_name,
        "scheduledFor": execution.scheduled_for.isoformat(),
        "status": str(execution.status),
        "durationMs": execution.duration_ms,
        "result": execution.result,
    }


def _status(url: str) -> dict[str, Any] | None:
    from django.contrib.auth import get_user_model
    from rest_framework.authtoken.models import Token

    user = get_user_model()._default_manager.get(username=ADMIN)  # noqa: SLF001  # Django's public way to it
    token, _ = Token.objects.get_or_create(user=user)
    request = urllib.request.Request(f"{url}/cron/status", headers={"Authorization": f"Token {token.key}"})  # noqa: S310  # our own server
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            body = json.load(response)
    except OSError:
        return None
    return {"httpStatus": response.status, "isRunning": body["isRunning"], "jobs": sorted(body["cronJobs"])}
