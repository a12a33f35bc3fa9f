"""What became of an execution, or of one of its attempts, as people read it and as programs do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cronjobs.management.output import distance, from_now, in_seconds
from cronjobs.models import ExecutionAttempt, JobExecution
from cronjobs.models.waiting import waits_for, why_waiting
from cronjobs.states import ExecutionStatus
from cronjobs.storable import rfc3339

# What a terminal would obey instead of showing it.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def for_terminal(text: str) -> str:
    """Return text that shows what it says: a job may have logged anything."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def outcome_sentence(execution: JobExecution, now: datetime) -> str:
    """Return where an execution stands, since when, in which attempt and on which node."""
    facts = [f"{execution}: {_standing(execution, now)}"]
    if execution.attempt:
        facts.append(f"attempt {execution.attempt} of {execution.max_attempts}")
    if execution.is_final and execution.duration_ms is not None:
        facts.append(f"took {in_seconds(execution.duration_ms)}")
    if execution.node:
        facts.append(f"on {execution.node}")
    return f"{', '.join(facts)}."


def attempt_sentence(attempt: ExecutionAttempt) -> str:
    """Return how an attempt ended, in one line."""
    took = "" if attempt.duration_ms is None else f" after {in_seconds(attempt.duration_ms)}"
    node = f" on {attempt.node}" if attempt.node else ""
    error = _error(attempt)
    return (
        f"Attempt {attempt.attempt}: {attempt.status}{took}{node}{': ' if error else '.'}{error.partition(chr(10))[0]}"
    )


def failure_texts(record: JobExecution | ExecutionAttempt) -> Iterator[str]:
    """Yield the error and the traceback of an execution or an attempt, as far as there are any."""
    if error := _error(record):
        yield f"Error: {error}"
    if record.traceback:
        yield record.traceback.rstrip()


def reasons(execution: JobExecution, now: datetime) -> Iterator[str]:
    """Yield why it waits, why it was not performed, who has called it off, and what was missed."""
    if why := why_waiting(execution, now=now):
        yield f"It waits: {why}"
    if execution.reason:
        yield f"Reason: {execution.reason}"
    if execution.cancel_requested_at is not None:
        by = f" by {execution.cancel_requested_by}" if execution.cancel_requested_by else ""
        because = f": {execution.cancel_reason}" if execution.cancel_reason else "."
        yield f"Asked to stop {from_now(execution.cancel_requested_at, now)}{by}{because}"
    if execution.missed_from is not None and execution.missed_until is not None:
        first, last = rfc3339(execution.missed_from), rfc3339(execution.missed_until)
        yield f"Missed: {_due_times(execution.missed_count or 0)}, from {first} to {last}."


def outcome_document(execution: JobExecution, now: datetime) -> dict[str, Any]:
    """Return the same as JSON data."""
    return {
        "executionId": execution.pk,
        "jobName": execution.job_name,
        "status": str(execution.status),
        "trigger": execution.trigger,
        "attempt": execution.attempt,
        "maxAttempts": execution.max_attempts,
        "node": execution.node or None,
        "waitsFor": waits_for(execution),
        "waitsBecause": why_waiting(execution, now=now) or None,
        "scheduledFor": rfc3339(execution.scheduled_for),
        "startedAt": None if execution.started_at is None else rfc3339(execution.started_at),
        "finishedAt": None if execution.finished_at is None else rfc3339(execution.finished_at),
        "durationMs": execution.duration_ms,
        "errorType": execution.error_type or None,
        "error": execution.error_message or None,
        "traceback": execution.traceback or None,
        "reason": execution.reason or None,
    }


def _due_times(count: int) -> str:
    # Nobody counts on beyond.
    if count > 10_000:
        return "More than 10,000 due times"
    return f"{count:,} due time{'s' * (count != 1)}"


def _standing(execution: JobExecution, now: datetime) -> str:
    if execution.finished_at is not None and execution.is_final:
        return f"{execution.status} {from_now(execution.finished_at, now)}"
    if execution.status == ExecutionStatus.RUNNING and execution.started_at is not None:
        return f"running for {distance(now - execution.started_at)}"
    return str(execution.status)


def _error(record: JobExecution | ExecutionAttempt) -> str:
    return ": ".join(filter(None, [record.error_type, record.error_message.strip()]))
