"""The job that sends the digest, and one that sends another."""

from __future__ import annotations

from cronjobs.api.openapi.examples.executions import NOW, Example

NEW_JOB: Example = {
    "name": "send-digest-again",
    "definition": "send-digest",
    "schedule": "30 16 * * fri",
    "timeZone": "Europe/Berlin",
    "params": {"days": 5},
    "owner": "Editorial",
}
_POLICIES: Example = {
    "schedule": "30 16 * * fri",
    "timeZone": "Europe/Berlin",
    "jitterSeconds": 0,
    "misfireGraceSeconds": 3600,
    "catchUp": "latest",
    "overlap": "forbid",
    "maxInstances": 1,
    "queue": "default",
    "priority": 3,
    "maxAttempts": 3,
    "initialDelaySeconds": 1,
    "maxDelaySeconds": 30,
    "backoffMultiplier": 2.0,
    "rerunLost": True,
    "rateLimit": None,
    "executor": "thread",
    "timeoutSeconds": None,
    "memoryLimitBytes": None,
    "cpuLimitSeconds": None,
    "dependsOn": {},
    "alertOn": ["failing", "missed", "late", "overrunning", "no_success", "lost"],
    "alertTo": None,
    "alertAfter": 1,
    "lateAfterSeconds": None,
    "expectedDurationSeconds": None,
    "noSuccessAfterSeconds": None,
    "pingUrl": None,
    "runbookUrl": None,
}
_JOB: Example = {
    **dict.fromkeys(_POLICIES),
    **NEW_JOB,
    "enabled": True,
    "paused": False,
    "pausedUntil": None,
    "startsAt": None,
    "endsAt": None,
    "calendar": None,
    "description": "",
    "effective": {"params": {"days": 5}, **_POLICIES},
    "isPaused": False,
    "nextRun": "2026-03-06T15:30:00.000Z",
    "broken": False,
    "brokenReason": None,
    "dependencies": {},
    "dependents": {},
    "createdAt": NOW,
    "updatedAt": NOW,
    "url": "/cron/jobs/send-digest-again",
}
JOB_ANSWER: Example = {"success": True, **_JOB, "timestamp": NOW}
JOBS: Example = {"success": True, "jobs": [_JOB], "next": "/cron/jobs?after=send-digest&limit=1", "timestamp": NOW}
PREVIEW: Example = {
    "success": True,
    "expression": "0 7 * * mon-fri",
    "timeZone": "Europe/Berlin",
    "description": "At 07:00 on Monday through Friday (Europe/Berlin)",
    "fires": ["2026-03-26T06:00:00.000Z", "2026-03-27T06:00:00.000Z", "2026-03-30T05:00:00.000Z"],
    "notes": [],
    "timestamp": NOW,
}
JOB_PREVIEW: Example = {
    **PREVIEW,
    "name": "send-digest",
    "details": [
        {"at": at, "start": None, "runs": True, "mark": None, "note": None}
        for at in ("2026-03-26T06:00:00.000Z", "2026-03-27T06:00:00.000Z", "2026-03-30T05:00:00.000Z")
    ],
}
