"""Which pings an execution sends to the monitor that its job names, in the way of Healthchecks.

Whoever tells of an event calls these; they look at the execution, hand a ping over to the
process's `Pinger`, and return. Nothing here waits for a monitor.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Q

from cronjobs.database import engine_alias
from cronjobs.models import Job, JobExecution
from cronjobs.notifications.pinger import Ping, PingKind, process_pinger
from cronjobs.registry import registry
from cronjobs.states import UNSUCCESSFUL, ExecutionStatus

# Any UUID does, as long as it stays.
_NAMESPACE = uuid.UUID("d0c1a4b6-7a0b-4d55-8f0e-2f4f1c0c9c53")
# How long, in seconds, it is remembered which jobs have a ping URL, where an execution does not come with its job.
_REMEMBERED = 5.0
_JOB: Any = JobExecution._meta.get_field("job")  # noqa: SLF001 - Django's documented API


def started(execution: JobExecution) -> None:
    """Tell that an attempt begins, if it is the first one."""
    if execution.attempt == 1:
        _ping(execution, PingKind.START)


def retried(execution: JobExecution) -> None:
    """Tell of an attempt that failed while another one follows, as a line in the monitor's log."""
    _ping(execution, PingKind.LOG)


def lost(execution: JobExecution) -> None:
    """Tell of a worker that vanished while another attempt follows; else the end is told, as any other."""
    if execution.status == ExecutionStatus.QUEUED:
        _ping(execution, PingKind.LOG)


def finished(execution: JobExecution) -> None:
    """Tell how an execution ended: a success, a failure or, where it came to nothing, a line in the monitor's log."""
    if execution.status == ExecutionStatus.SUCCEEDED:
        _ping(execution, PingKind.SUCCESS)
    else:
        _ping(execution, PingKind.FAILURE if execution.status in UNSUCCESSFUL else PingKind.LOG)


def forget_addresses() -> None:
    """Look again, at the next event, for which jobs have a ping URL."""
    _Known.until = 0.0


def address_of(execution: JobExecution) -> str:
    """Return the ping URL of the execution's job, or nothing; by a statement only where the execution has come without it."""
    # Every execution comes here.
    job = _JOB.get_cached_value(execution, default=None)
    if job is not None:
        return effective_address(job.definition, job.ping_url)
    return _Known.addresses().get(execution.job_id or 0, "")


def effective_address(definition: str, own: str | None) -> str:
    """Return the ping URL of a job with this definition: its `own`, unless that is None, else the definition's."""
    if own is not None:
        return own
    found = registry.get(definition)
    return found.ping_url if found else ""


def _ping(execution: JobExecution, kind: PingKind) -> None:
    if address := address_of(execution):
        run = uuid.uuid5(_NAMESPACE, f"{execution.job_name} {execution.pk}")
        process_pinger().put(Ping(address, kind, run, _text(execution, kind)))


def _text(execution: JobExecution, kind: PingKind) -> str:
    """Return what the monitor keeps beside a ping. What the row says of errors is masked already."""
    if kind in (PingKind.START, PingKind.SUCCESS):
        return ""
    what = execution.reason
    if not what and execution.error_type:
        what = f"{execution.error_type}: {execution.error_message}"
    if execution.status == ExecutionStatus.QUEUED:
        return f"Attempt {execution.attempt} of {execution.max_attempts} came to nothing. {what}"
    return f"{ExecutionStatus(execution.status).label}. {what}".strip()


class _Known:
    """The ping URLs of all jobs that have one, by the job's id, and until when they hold, on the monotonic clock."""

    until: ClassVar[float] = 0.0
    _last: ClassVar[Mapping[int, str]] = {}

    @classmethod
    def addresses(cls) -> Mapping[int, str]:
        if time.monotonic() >= cls.until:
            defined = [each.name for each in registry if each.ping_url]
            jobs = Job.objects.using(engine_alias(Job)).filter(
                Q(ping_url__gt="") | Q(ping_url=None, definition__in=defined)
            )
            rows = jobs.order_by().values_list("pk", "definition", "ping_url")
            cls._last = {pk: effective_address(definition, own) for pk, definition, own in rows}
            cls.until = time.monotonic() + _REMEMBERED
        return cls._last
