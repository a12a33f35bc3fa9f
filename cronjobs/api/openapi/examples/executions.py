"""The execution that failed, the one that repeats it, and what they leave behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Example = Mapping[str, Any]

NODE = "worker-1:4242:9f3c1a"
NOW = "2026-03-02T06:00:07.120Z"

QUEUED: Example = {
    "success": True,
    "jobName": "send-digest",
    "executionId": 4712,
    "status": "queued",
    "attempt": 0,
    "maxAttempts": 3,
    "queuedAt": "2026-03-02T06:00:07.101Z",
    "waitsFor": "node",
    "dispatchedAt": None,
    "startedAt": None,
    "finishedAt": None,
    "durationMs": None,
    "node": None,
    "trigger": "retry",
    "requestedBy": "olive",
    "scheduledFor": "2026-03-02T06:00:00.000Z",
    "cancelRequestedAt": None,
    "cancelRequestedBy": None,
    "cancelReason": None,
    "flow": None,
    "upstream": None,
    "retryOf": 4711,
    "progress": None,
    "peakRssBytes": None,
    "cpuMs": None,
    "overrunning": False,
    "timestamp": NOW,
    "result": None,
    "url": "/cron/executions/4712",
}
_STARTED: Example = {
    **QUEUED,
    "status": "running",
    "waitsFor": None,
    "attempt": 1,
    "startedAt": "2026-03-02T06:00:07.110Z",
    "node": NODE,
    "progress": {"done": 3, "total": 12, "percent": 25, "message": "Writing to readers", "etaSeconds": 9},
}
NOTED: Example = {**_STARTED, "note": "It has not ended yet; ask for its result later."}
SUCCEEDED: Example = {
    **_STARTED,
    "status": "succeeded",
    "finishedAt": NOW,
    "durationMs": 10,
    "progress": {"done": 12, "total": 12, "percent": 100, "message": "Writing to readers", "etaSeconds": None},
    "result": {"success": True, "timestamp": NOW, "sent": 12},
}
_FAILED: Example = {
    **_STARTED,
    "success": False,
    "error": "SMTPServerDisconnected: Connection unexpectedly closed",
    "code": "job_failed",
    "executionId": 4711,
    "status": "failed",
    "attempt": 3,
    "queuedAt": "2026-03-02T06:00:00.012Z",
    "startedAt": "2026-03-02T06:00:03.240Z",
    "finishedAt": "2026-03-02T06:00:03.302Z",
    "durationMs": 62,
    "trigger": "schedule",
    "requestedBy": None,
    "retryOf": None,
    "progress": None,
    "result": {
        "success": False,
        "timestamp": "2026-03-02T06:00:03.302Z",
        "error": "SMTPServerDisconnected: Connection unexpectedly closed",
    },
    "url": "/cron/executions/4711",
}
_TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "shop/digests.py", line 31, in send_digest\n'
    "    server.send_message(letter)\n"
    "smtplib.SMTPServerDisconnected: Connection unexpectedly closed"
)
DETAILS: Example = {**_FAILED, "waitsBecause": None, "traceback": _TRACEBACK}
_CALLED_OFF: Example = {
    "cancelRequestedAt": "2026-03-02T06:00:07.118Z",
    "cancelRequestedBy": "olive",
    "cancelReason": "Wrong month.",
}
CANCELLED: Example = {
    **QUEUED,
    **_CALLED_OFF,
    "success": False,
    "error": "Wrong month.",
    "code": "job_cancelled",
    "status": "cancelled",
    "waitsFor": None,
    "finishedAt": NOW,
    "result": {"success": False, "timestamp": NOW, "error": "Wrong month."},
}
ASKED_TO_STOP: Example = {
    **_STARTED,
    **_CALLED_OFF,
    "note": "It runs, and has been asked to stop: it is cancelled when its code has ended.",
}
SKIPPED: Example = {
    **QUEUED,
    "success": False,
    "error": "Skipped by olive.",
    "code": "job_skipped",
    "executionId": 4713,
    "status": "skipped",
    "waitsFor": None,
    "trigger": "schedule",
    "scheduledFor": "2026-03-03T06:00:00.000Z",
    "retryOf": None,
    "finishedAt": NOW,
    "result": {"success": False, "timestamp": NOW, "error": "Skipped by olive."},
    "url": "/cron/executions/4713",
}
FLOW: Example = {**_FAILED, "children": [{**SUCCEEDED, "children": []}], "isCut": False}


def _summary(execution: Example) -> Example:
    return {name: value for name, value in execution.items() if name != "result"}


HISTORY: Example = {
    "success": True,
    "executions": [_summary(SUCCEEDED), _summary(_FAILED)],
    "next": "/cron/executions?job=send-digest&before=4711",
    "timestamp": NOW,
}
ATTEMPTS: Example = {
    "success": True,
    "executionId": 4711,
    "attempts": [
        {
            "attempt": 1,
            "status": "failed",
            "node": NODE,
            "startedAt": "2026-03-02T06:00:00.020Z",
            "finishedAt": "2026-03-02T06:00:00.081Z",
            "durationMs": 61,
            "errorType": "SMTPServerDisconnected",
            "error": "Connection unexpectedly closed",
            "traceback": _TRACEBACK,
            "peakRssBytes": None,
            "cpuMs": None,
        }
    ],
    "next": None,
    "timestamp": NOW,
}
LOG_LINES: Example = {
    "success": True,
    "executionId": 4711,
    "status": "failed",
    "lines": [
        {
            "attempt": 1,
            "number": 1,
            "level": "INFO",
            "message": "Collecting",
            "data": {"days": 1},
            "loggedAt": "2026-03-02T06:00:00.022Z",
        }
    ],
    "next": "/cron/executions/4711/logs?after=1.1",
    "isFinal": True,
    "timestamp": NOW,
}
