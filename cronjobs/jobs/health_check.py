"""Looks after the installation itself, so that its history shows when a part was ill."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from cronjobs.exceptions import JobFailed
from cronjobs.health import Status, check_all, report, why_unhealthy
from cronjobs.logs import JobContext, create_job_logger
from cronjobs.registry import job
from cronjobs.retries import RetryPolicy
from cronjobs.storable import rfc3339

NAME = "health-check"


# One attempt: what is ill now is to be seen now, and the next look is minutes away.
@job(NAME, schedule="*/10 * * * *", executor="thread", retry=RetryPolicy(max_attempts=1))
def health_check(context: JobContext | None = None) -> dict[str, Any]:
    """Check every part of the installation, and fail if one is unhealthy.

    The result, which a failed execution has too, holds what every check found.
    """
    log = create_job_logger(NAME) if context is None else context.log
    probes = check_all()
    for each in probes:
        if each.status in (Status.FAILED, Status.WARNING):
            log.warn(each.message, data={"check": each.name, "status": str(each.status)})
    reason = why_unhealthy(probes)
    result: dict[str, Any] = {"success": not reason, **report(probes), "timestamp": rfc3339(timezone.now())}
    if reason:
        raise JobFailed(reason, result=result)
    log.complete(_summary(warnings=len(result["warnings"]), passed=len(probes) - len(result["warnings"])))
    return result


def _summary(*, passed: int, warnings: int) -> str:
    passes = f"{passed} checks passed"
    return f"{passes}, {warnings} warning{'s' * (warnings != 1)}" if warnings else passes
