"""What is said about an execution: in the answer to ``POST execute``, and when it is asked for by number."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from rest_framework.request import Request

from cronjobs.api.errors import ErrorCode
from cronjobs.models import JobExecution
from cronjobs.models.waiting import waits_for
from cronjobs.progress import read_progress
from cronjobs.states import FINAL, ExecutionStatus
from cronjobs.storable import rfc3339

# Of what an execution came to, if not to success.
CODES: Mapping[str, ErrorCode] = {
    ExecutionStatus.FAILED: ErrorCode.JOB_FAILED,
    ExecutionStatus.TIMED_OUT: ErrorCode.JOB_FAILED,
    ExecutionStatus.CANCELLED: ErrorCode.JOB_CANCELLED,
    ExecutionStatus.LOST: ErrorCode.JOB_LOST,
    ExecutionStatus.SKIPPED: ErrorCode.JOB_SKIPPED,
    ExecutionStatus.MISSED: ErrorCode.JOB_MISSED,
}

_ERROR_MAX_LENGTH = 500


def execution_document(execution: JobExecution) -> dict[str, Any]:
    """Return an execution as JSON data; ``result`` is null until it has ended."""
    is_final = execution.status in FINAL
    return {**summary_document(execution), "result": _result(execution) if is_final else None}


def summary_document(execution: JobExecution) -> dict[str, Any]:
    """Return an execution without its result, parameters and traceback, which are not read.

    ``success`` is false only for one that has ended otherwise than by succeeding.
    """
    code = CODES.get(execution.status)
    return {
        "success": code is None,
        **({} if code is None else {"error": _error(execution), "code": code}),
        "jobName": execution.job_name,
        "executionId": execution.pk,
        "status": execution.status,
        "attempt": execution.attempt,
        "maxAttempts": execution.max_attempts,
        "queuedAt": rfc3339(execution.queued_at),
        "waitsFor": waits_for(execution),
        "dispatchedAt": time(execution.dispatched_at),
        "startedAt": time(execution.started_at),
        "finishedAt": time(execution.finished_at),
        "durationMs": execution.duration_ms,
        "node": execution.node or None,
        "trigger": execution.trigger,
        "requestedBy": execution.requested_by or None,
        "scheduledFor": rfc3339(execution.scheduled_for),
        "cancelRequestedAt": time(execution.cancel_requested_at),
        "cancelRequestedBy": execution.cancel_requested_by or None,
        "cancelReason": execution.cancel_reason or None,
        "flow": execution.flow,
        "upstream": execution.upstream_id,
        "retryOf": execution.retry_of_id,
        "progress": _progress(execution),
        "peakRssBytes": execution.peak_rss_bytes,
        "cpuMs": execution.cpu_ms,
        "overrunning": execution.is_overrunning(timezone.now()),
        "timestamp": rfc3339(timezone.now()),
    }


def located_document(request: Request, execution: JobExecution) -> dict[str, Any]:
    """Return the same, with the ``url`` under which this mount of the API tells it again."""
    return {**execution_document(execution), "url": execution_address(request, execution)}


def execution_address(request: Request, execution: JobExecution) -> str:
    """Return the path under which this mount of the API tells of an execution."""
    match = request.resolver_match
    return reverse("cronjobs:execution", args=[execution.pk], current_app=match.namespace if match else None)


def time(moment: datetime | None) -> str | None:
    """Return a time as every answer has it."""
    return None if moment is None else rfc3339(moment)


def _progress(execution: JobExecution) -> dict[str, Any] | None:
    now = timezone.now() if execution.status == ExecutionStatus.RUNNING else None
    progress = read_progress(execution.progress, started_at=execution.started_at, now=now)
    return None if progress is None else progress.document()


def _result(execution: JobExecution) -> dict[str, Any]:
    """Return the job's result with ``success`` and ``timestamp``, unless the job gave these itself."""
    is_success = execution.status == ExecutionStatus.SUCCEEDED
    document = {"success": is_success, "timestamp": rfc3339(execution.finished_at or timezone.now())}
    if not is_success:
        document["error"] = _error(execution)
    if isinstance(execution.result, dict):
        document |= execution.result
    elif is_success or execution.result is not None:
        document["value"] = execution.result
    # A job may call a run that went well a failure, but not the other way round.
    document["success"] = document["success"] if is_success else False
    return document


def _error(execution: JobExecution) -> str:
    """Return what went wrong in one line; secrets in it were masked before it was stored."""
    lines = execution.error_message.strip().splitlines()
    said = ": ".join(filter(None, [execution.error_type, *lines[:1]])) or execution.reason
    text = said or f"The execution is {execution.status}."
    return text if len(text) <= _ERROR_MAX_LENGTH else f"{text[:_ERROR_MAX_LENGTH]}…"
