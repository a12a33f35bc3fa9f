"""A job with a value in every column, as the API takes it, and what is stored of jobs."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import LogEntry

from cronjobs.models import Job

EVERY_COLUMN = {
    "definition": "succeeds",
    "schedule": "@daily",
    "timeZone": "Europe/Berlin",
    "params": {"value": [1, {"a": None}]},
    "enabled": False,
    "paused": True,
    "pausedUntil": "2036-01-02T03:04:05.000Z",
    "startsAt": "2026-01-01T00:00:00.000Z",
    "endsAt": "2037-01-01T00:00:00.000Z",
    "jitterSeconds": 1.5,
    "calendar": "holidays",
    "misfireGraceSeconds": 60,
    "catchUp": "all",
    "overlap": "allow",
    "maxInstances": 3,
    "queue": "heavy",
    "priority": 5,
    "maxAttempts": 7,
    "initialDelaySeconds": 2,
    "maxDelaySeconds": 20,
    "backoffMultiplier": 1.25,
    "rerunLost": True,
    "rateLimit": "10/m",
    "executor": "process",
    "timeoutSeconds": 30,
    "memoryLimitBytes": 268435456,
    "cpuLimitSeconds": 10,
    "dependsOn": {"noop": "always"},
    "alertOn": ["failing", "lost"],
    "alertTo": [],
    "alertAfter": 3,
    "lateAfterSeconds": 60,
    "expectedDurationSeconds": 90.5,
    "noSuccessAfterSeconds": 86400,
    "pingUrl": "https://hc.example.com/***",
    "runbookUrl": "https://wiki.example.com/noop",
    "owner": "ann",
    "description": "Does it.",
}


def rows() -> list[Any]:
    """Return every job as the database has it."""
    return list(Job.objects.order_by("pk").values())


def entries() -> list[Any]:
    """Return what has been written down of changes: who, which kind, and of what; oldest first."""
    return list(LogEntry.objects.order_by("pk").values_list("user__username", "action_flag", "object_repr"))
