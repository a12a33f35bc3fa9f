"""What else stands in the database of a site with a long history: attempts, logs, nodes, queues, keys, an audit."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bench import _bench as bench

# Of so many executions one has a log of a few lines.
_LOGGED = 100
_LINE = "Looked at part {number:>6} of many, and found nothing in it that anybody would want to know about."
_BATCH = 5_000


def make_surroundings(*, lines: int) -> Mapping[str, Any]:
    """Make them, one execution with a log of `lines` lines among them; return ids, and a user, by name."""
    from django.contrib.auth.models import User

    from cronjobs.models import JobExecution

    now = bench.database_now()
    user = User.objects.create_superuser("bench")
    newest = JobExecution.objects.latest("id").pk
    ids = {"job": JobExecution.objects.get(pk=newest).job_id, "newest": newest, "old": newest // 2}
    ids["failed"] = JobExecution.objects.filter(status="failed").latest("id").pk
    _make_attempts(now)
    _make_logs(newest, now)
    ids["logged"] = _make_long_log(newest - 1, lines, now)
    ids["running"] = _make_open(newest - 1, now)
    return {**ids, **_make_others(user, now), "user": user}


def _make_attempts(now: datetime) -> None:
    from cronjobs.models import ExecutionAttempt, JobExecution

    failed = JobExecution.objects.filter(status="failed").values_list("pk", flat=True)
    facts: dict[str, Any] = {"status": "failed", "started_at": now, "duration_ms": 500, "error_type": "RuntimeError"}
    rows = (
        ExecutionAttempt(execution_id=pk, attempt=attempt, error_message="boom", traceback="…" * 500, **facts)
        for pk in list(failed)
        for attempt in (1, 2, 3)
    )
    ExecutionAttempt.objects.bulk_create(rows, batch_size=_BATCH)


def _make_logs(newest: int, now: datetime) -> None:
    from cronjobs.models import ExecutionLog

    rows = (_line(pk, number, now) for pk in range(1, newest, _LOGGED) for number in (1, 2, 3))
    ExecutionLog.objects.bulk_create(rows, batch_size=_BATCH)


def _make_long_log(execution: int, lines: int, now: datetime) -> int:
    from cronjobs.models import ExecutionLog

    ExecutionLog.objects.filter(execution_id=execution).delete()
    ExecutionLog.objects.bulk_create(
        (_line(execution, number, now) for number in range(1, lines + 1)), batch_size=_BATCH
    )
    return execution


def _line(execution: int, number: int, now: datetime) -> Any:
    from cronjobs.models import ExecutionLog

    text = _LINE.format(number=number)
    return ExecutionLog(
        execution_id=execution, attempt=1, number=number, level=logging.INFO, message=text, logged_at=now
    )


def _make_open(newest: int, now: datetime) -> int:
    """Let the last few that succeeded run or wait, the newest ones left alone; return the id of one that runs."""
    from cronjobs.models import JobExecution

    rows = JobExecution.objects.filter(status="succeeded", pk__lt=newest).order_by("-pk")
    ids = list(rows.values_list("pk", flat=True)[:220])
    runs = {"status": "running", "finished_at": None, "duration_ms": None, "started_at": now, "node": "node-01"}
    JobExecution.objects.filter(pk__in=ids[:20]).update(**runs)
    waits = {"status": "queued", "finished_at": None, "started_at": None, "first_started_at": None, "attempt": 0}
    JobExecution.objects.filter(pk__in=ids[20:]).update(**waits, run_after=now, claim_at=now)
    return ids[0]


def _make_others(user: Any, now: datetime) -> dict[str, Any]:
    from cronjobs.models import ApiKey, AuditEntry, Calendar, Node, Queue

    facts: dict[str, Any] = {"hostname": "node", "pid": 1, "version": "1.0", "workers": 8, "started_at": now}
    # A little ahead, so that they are alive for as long as this takes.
    facts["heartbeat_at"] = facts["last_tick_at"] = now + timedelta(hours=2)
    nodes = [Node.objects.create(name=f"node-{number:02}", rss_bytes=2**26, **facts) for number in range(50)]
    queues = [Queue.objects.create(name=f"queue-{number:02}", limit=number + 1) for number in range(100)]
    days = [f"{now + timedelta(days=number):%Y-%m-%d}" for number in range(300)]
    calendars = [Calendar.objects.create(name=f"calendar-{number:02}", dates=days) for number in range(100)]
    keys = [ApiKey.objects.issue(user=user, name=f"key-{n}", actions=["view_job"])[0] for n in range(200)]
    entry: dict[str, Any] = {"outcome": "accepted", "who": "olive", "credential": "session", "method": "POST"}
    AuditEntry.objects.bulk_create(
        (
            AuditEntry(
                route="job-pause", target=f"calm-{n % 1000:04}", address=f"203.0.113.{n % 200}", status=200, **entry
            )
            for n in range(200_000)
        ),
        batch_size=_BATCH,
    )
    rows = {"node": nodes[0], "queue": queues[0], "calendar": calendars[0], "key": keys[0]}
    return {name: row.pk for name, row in rows.items()} | {"entry": AuditEntry.objects.latest("pk").pk}
