"""The site on which it is sent."""

from __future__ import annotations

from cronjobs.api.openapi.examples.executions import NODE, NOW, Example

YES: Example = {"success": True, "timestamp": NOW}

_QUEUE: Example = {
    "name": "default",
    "limit": None,
    "paused": False,
    "waiting": 0,
    "dispatched": 0,
    "running": 1,
    "description": "",
}
_HEAVY: Example = {
    **_QUEUE,
    "name": "heavy",
    "limit": 2,
    "waiting": 3,
    "running": 2,
    "description": "Reports that fill the memory.",
}
QUEUE_ANSWER: Example = {"success": True, **_HEAVY, "timestamp": NOW}
EVERYTHING: Example = {"success": True, "paused": False, "pausedBecause": None, "timestamp": NOW}
QUEUES: Example = {**EVERYTHING, "queues": [_QUEUE, _HEAVY]}
_RUNCRON: Example = {
    "name": NODE,
    "host": "worker-1",
    "processId": 4242,
    "version": "0.1.0",
    "workers": 8,
    "running": 1,
    "state": "alive",
    "stuckThreads": [],
    "brokerAwaySince": None,
    "brokerAwayBecause": None,
    "drainRequestedAt": None,
    "drainRequestedBy": None,
    "cpuPercent": 3,
    "startedAt": "2026-03-01T22:14:03.511Z",
    "heartbeatAt": "2026-03-02T06:00:05.870Z",
    "lastTickAt": "2026-03-02T06:00:07.004Z",
    "clockSkewMs": 2,
}
_KNOWN: Example = {**_RUNCRON, "stoppedAt": None, "rssBytes": 71_303_168}
NODE_ANSWER: Example = {
    "success": True,
    **_KNOWN,
    "state": "draining",
    "drainRequestedAt": NOW,
    "drainRequestedBy": "olive",
    "timestamp": NOW,
}
NODES: Example = {
    "success": True,
    "nodes": [_KNOWN],
    "isCut": False,
    "timestamp": NOW,
}
WORKERS: Example = {
    "success": True,
    "workers": [
        {
            "name": "celery@worker-3:5150",
            "host": "worker-3",
            "processId": 5150,
            "version": "0.1.0",
            "concurrency": 4,
            "running": 2,
            "queues": ["default", "heavy"],
            "state": "alive",
            "startedAt": "2026-03-01T22:14:09.204Z",
            "heartbeatAt": "2026-03-02T06:00:04.318Z",
            "stoppedAt": None,
            "rssBytes": 402_653_184,
        }
    ],
    "isCut": False,
    "timestamp": NOW,
}
ALERTS: Example = {
    "success": True,
    "firing": [{"kind": "failing", "subject": "send-digest", "since": "2026-03-02T06:00:07.110Z", "executionId": 4711}],
    "alerts": [
        {
            "id": 12,
            "kind": "failing",
            "isOver": False,
            "subject": "send-digest",
            "jobName": "send-digest",
            "executionId": 4711,
            "createdAt": NOW,
            "details": "The last 3 executions have failed.",
            "errorType": "smtplib.SMTPServerDisconnected",
            "errorMessage": "Connection unexpectedly closed",
            "owner": "Editorial",
            "runbookUrl": "https://wiki.example.org/send-digest",
            "deliveries": [
                {
                    "notifier": "ops",
                    "status": "sent",
                    "attempts": 1,
                    "isRepeat": False,
                    "lastError": None,
                    "sentAt": NOW,
                }
            ],
        }
    ],
    "next": None,
    "timestamp": NOW,
}
STATUS: Example = {
    "success": True,
    "cronJobs": {
        "send-digest": {
            "running": True,
            "scheduled": True,
            "enabled": True,
            "paused": False,
            "pausedUntil": None,
            "schedule": "0 7 * * mon-fri",
            "description": "At 07:00 on Monday through Friday (Europe/Berlin)",
            "dependsOn": {},
            "timeZone": "Europe/Berlin",
            "nextRun": "2026-03-03T06:00:00.000Z",
            "broken": False,
            "brokenReason": None,
            "lastRun": "2026-03-02T06:00:07.110Z",
            "lastStatus": "running",
            "lastDurationMs": None,
            "executing": 1,
            "overrunning": 0,
        }
    },
    "isRunning": True,
    "paused": False,
    "nodes": [_RUNCRON],
    "queues": [_HEAVY],
    "celery": {"workers": 1, "draining": 0, "concurrency": 4, "dispatched": 3},
    "timestamp": NOW,
}
DEFINITIONS: Example = {
    "success": True,
    "definitions": {
        "send-digest": {
            "description": "Send what is new to those who want to read it.",
            "schedule": "0 7 * * mon-fri",
            "scheduleDescription": "At 07:00 on Monday through Friday (Europe/Berlin)",
            "timeZone": "Europe/Berlin",
            "available": True,
            "parameters": {
                "type": "object",
                "properties": {"days": {"type": "integer", "minimum": 1, "default": 1}},
                "required": [],
                "additionalProperties": False,
            },
            "defaults": {
                "queue": "default",
                "priority": 3,
                "overlap": "forbid",
                "maxInstances": 1,
                "retry": {
                    "maxAttempts": 3,
                    "initialDelaySeconds": 1,
                    "maxDelaySeconds": 30,
                    "backoffMultiplier": 2.0,
                    "jitter": 0.1,
                },
                "jitterSeconds": None,
                "misfireGraceSeconds": None,
                "catchUp": None,
                "rerunLost": None,
                "executor": None,
                "timeoutSeconds": 60,
                "cpuLimitSeconds": None,
                "memoryLimitBytes": None,
                "rateLimit": None,
                "dependsOn": {},
                "alertOn": None,
                "alertTo": None,
                "alertAfter": None,
                "lateAfterSeconds": None,
                "expectedDurationSeconds": None,
                "noSuccessAfterSeconds": None,
                "pingUrl": None,
                "runbookUrl": None,
            },
        }
    },
    "timestamp": NOW,
}
