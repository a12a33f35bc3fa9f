"""How a digest did, and how the site is on which it is sent."""

from __future__ import annotations

from cronjobs.api.openapi.examples.executions import NODE, NOW, Example

STATS: Example = {
    "success": True,
    "since": "2026-03-01T06:00:00.000Z",
    "until": "2026-03-02T06:00:00.000Z",
    "period": "day",
    "timeZone": "UTC",
    "jobs": [
        {
            "jobName": "send-digest",
            "periods": [
                {
                    "since": "2026-03-01T06:00:00.000Z",
                    "until": "2026-03-02T00:00:00.000Z",
                    "executions": 4,
                    "outcomes": {
                        "succeeded": 3,
                        "failed": 1,
                        "timedOut": 0,
                        "skipped": 0,
                        "cancelled": 0,
                        "lost": 0,
                        "missed": 0,
                    },
                    "successRate": 0.75,
                    "durationMs": {"p50": 812, "p95": 2104, "max": 2104, "mean": 1033.5},
                    "latenessMs": {"p50": 12, "p95": 31},
                    "percentilesEstimated": True,
                    "attempts": 6,
                    "retries": 2,
                    "missedDueTimes": 0,
                }
            ],
        }
    ],
    "next": None,
    "timestamp": NOW,
}
CONVERSATIONS: Example = {
    "success": True,
    "total": 3005,
    "active": 1877,
    "inactive": 1126,
    "oldActive": 1772,
    "oldInactive": 1051,
    "cutoff": "2026-03-02T05:50:07.120Z",
    "timestamp": NOW,
}
_NODES: Example = {
    "status": "ok",
    "message": "1 node is alive.",
    "durationMs": 1.2,
    "nodes": [NODE],
}
_TICKS: Example = {"status": "ok", "message": "The last tick was 0.1 s ago.", "durationMs": 0.8}
_THREADS: Example = {
    "status": "ok",
    "message": "No thread of a node is stuck.",
    "durationMs": 0.7,
    "stuck": {},
    "overrunning": [],
}
_LAG: Example = {
    "status": "ok",
    "message": "Due work starts at once, or within 0 s.",
    "durationMs": 1.1,
    "lagSeconds": 0.0,
    "undecidedSeconds": 0.0,
    "waitSeconds": 0.0,
}
_CHECKS: Example = {"nodes": _NODES, "ticks": _TICKS, "threads": _THREADS, "lag": _LAG}
HEALTH: Example = {
    "success": True,
    "healthy": True,
    "probes": {"live": True, "ready": True, "scheduling": True},
    "unhealthy": [],
    "warnings": [],
    "checks": _CHECKS,
    "timestamp": NOW,
}
SCHEDULING: Example = {
    "success": True,
    "paused": False,
    "pausedBecause": None,
    "checks": _CHECKS,
    "timestamp": NOW,
}
