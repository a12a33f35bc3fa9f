"""Rows as a site has them after a while: of every kind, in every state, some with long and odd texts.

What people or jobs would have written is in Esperanto: so it is known from what the app says.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings as django_settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import override_settings

from cronjobs import job
from cronjobs.database import read_clock
from cronjobs.models import (
    Alert,
    AlertDelivery,
    AlertState,
    ApiKey,
    AuditEntry,
    Calendar,
    CeleryWorker,
    ExecutionAttempt,
    ExecutionLog,
    Job,
    JobExecution,
    Node,
    Queue,
)
from cronjobs.models.choices import WaitsFor
from cronjobs.permissions import KEY_ACTIONS
from cronjobs.registry import registry
from cronjobs.scheduler.plans import sync
from cronjobs.states import ExecutionStatus

SUPERUSER, VIEWER = "x-superuser", "x-viewer"
WORKER = "x-1:5150"
ASKING = "x-demandanta"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ERROR = "Servilo ĉe mongo-1:27017 ne respondas:\n" + "konekto rifuzita " * 12 + "<b>fino</b>"
TRACEBACK = 'Spuro:\n  "/srv/x-app/taskoj.py", 48:\n    ' + "x = f(" * 60


class AskedForm(forms.Form):
    """Parameters of a job; how they are called is its author's to say."""

    days = forms.IntegerField(min_value=1, label="Tagoj", help_text="Kiom da.")
    since = forms.DateField(label="Ekde", required=False)
    loud = forms.BooleanField(label="Laŭte", required=False)


@contextmanager
def filled_site() -> Iterator[dict[str, Any]]:
    """Make the rows; yield their ids by the names that the table of pages uses, and the users by theirs."""
    job(ASKING, params_form=AskedForm)(lambda context, **params: None)
    # So that pages tell of Celery as well; nobody here imports that app.
    with_celery = override_settings(CRONJOBS={**django_settings.CRONJOBS, "CELERY_APP": "project.celery.app"})
    with_celery.enable()
    try:
        now = read_clock("default")
        # As few as are read at a glance: only those made here.
        Job.objects.all().delete()
        ids = {**_users(), **_jobs(now), **_queues(), **_nodes(now), **_workers(now)}
        ids |= _executions(Job.objects.get(pk=ids["job"]), now)
        ids |= _keys(ids, now) | _audit_entries(now) | _alerts(ids, now)
        _histories(ids)
        yield ids
    finally:
        with_celery.disable()
        registry.remove(ASKING)


def _users() -> dict[str, Any]:
    users: Any = get_user_model().objects
    viewer = users.create_user(VIEWER, is_staff=True)
    viewer.user_permissions.set(
        Permission.objects.filter(content_type__app_label="cronjobs", codename__startswith="view")
    )
    return {SUPERUSER: users.create_superuser(SUPERUSER), VIEWER: viewer}


def _jobs(now: datetime) -> dict[str, Any]:
    calendar = Calendar.objects.create(name="festotagoj", dates=["2026-12-25", f"{now + DAY:%Y-%m-%d}"])
    columns: dict[str, dict[str, Any]] = {
        "job": {"definition": "succeeds", "schedule": "*/5 * * * *", "params": {"value": 1, "api_token": "s3cr3t"}},
        "paused": {"definition": "noop", "schedule": "0 2 * * *", "paused": True, "paused_until": now + DAY},
        "disabled": {"definition": "noop", "schedule": "@every 90s", "enabled": False},
        "broken": {"definition": "x-gone", "schedule": "0 1 * * *"},
        "ended": {"definition": "noop", "schedule": "@hourly", "ends_at": now - DAY},
        "dependent": {"definition": "noop", "schedule": "", "depends_on": "x-job, x-broken:failure, x-gone:always"},
        "circular": {"definition": "noop", "depends_on": "x-circular-too"},
        "circular-too": {"definition": "noop", "depends_on": "x-circular"},
        "with-calendar": {"definition": "noop", "schedule": "@daily", "calendar": calendar, "starts_at": now + DAY},
        "asking": {"definition": ASKING, "schedule": "", "queue": "x-peza", "priority": 5, "timeout": MINUTE},
    }
    texts = {"owner": "babilejo", "description": "Finas kion neniu finis. " * 5}
    rows = {name: Job.objects.create(name=f"x-{name}", **texts, **row) for name, row in columns.items()}
    sync(now)
    return {**{name: row.pk for name, row in rows.items()}, "calendar": calendar.pk}


def _queues() -> dict[str, Any]:
    Queue.objects.ensure(["*"])
    made = Queue.objects.create(name="x-peza", limit=2, description="Kio bezonas multe da memoro. " * 3)
    mail = Queue.objects.create(name="x-poŝto", paused=True)
    return {"queue": made.pk, "mail": mail.pk, "everything": Queue.objects.get(name="*").pk}


def _nodes(now: datetime) -> dict[str, Any]:
    def make(name: str, silent_for: timedelta, **columns: Any) -> int:
        facts = {"hostname": "web-1", "pid": 4711, "version": "1.0", "workers": 8, "rss_bytes": 81_500_000}
        heard = now - silent_for
        times = {"started_at": now - DAY, "heartbeat_at": heard, "last_tick_at": heard}
        return Node.objects.create(name=name, **facts, **times, **columns).pk

    # A little ahead, so that it is alive for as long as the tests take.
    away = {"broker_away_since": now - MINUTE, "broker_away_because": "La peranto ne respondas."}
    alive = make("web-1:4711:7f3a", -10 * MINUTE, running=2, clock_skew_ms=3, stuck="recorder, leases", **away)
    dead = make("web-2:4711:0000", HOUR)
    make("web-3:4711:0000", HOUR, stopped_at=now - HOUR)
    return {"node": alive, "dead": dead}


def _workers(now: datetime) -> dict[str, Any]:
    def make(name: str, silent_for: timedelta, **columns: Any) -> int:
        facts = {"hostname": "x-1", "pid": 5150, "version": "1.0", "concurrency": 4, "rss_bytes": 381_500_000}
        times = {"started_at": now - DAY, "heartbeat_at": now - silent_for}
        return CeleryWorker.objects.create(name=name, queues=["x-peza", "x-poŝto"], **facts, **times, **columns).pk

    # As the node.
    alive = make(WORKER, -10 * MINUTE)
    make("x-2:5150", -10 * MINUTE, draining=True)
    dead = make("x-3:5150", HOUR / 2)
    make("x-4:5150", HOUR, stopped_at=now - HOUR)
    return {"worker": alive, "dead_worker": dead}


def _executions(job: Job, now: datetime) -> dict[str, Any]:
    failure = {"error_type": "pymongo.errors.ServerSelectionTimeoutError", "error_message": ERROR, "attempt": 3}
    failed = _execution(job, now - 3 * HOUR, status="failed", traceback=TRACEBACK, **failure)
    for attempt in (1, 2, 3):
        facts = {
            "node": "web-1:4711:7f3a",
            "started_at": now,
            "duration_ms": 3001,
            "peak_rss_bytes": 2**26,
            "cpu_ms": 9,
        }
        errors = {"error_type": "TimeoutError", "error_message": ERROR, "traceback": TRACEBACK}
        ExecutionAttempt.objects.create(execution=failed, attempt=attempt, status="failed", **facts, **errors)
    span = {"missed_from": now - DAY, "missed_until": now - HOUR, "missed_count": 2}
    missed = _execution(job, now - HOUR, status="missed", attempt=0, reason="Du tempoj pasis.", **span)
    _flow(job, failed, now)
    for status in ("succeeded", "timed_out", "cancelled", "lost", "skipped", "nekonata"):
        _execution(job, now - HOUR, status=status, reason="Pli frua ankoraŭ daŭris.", trigger="api")
    gone = _execution(
        job, now - HOUR, result={"forigitaj": 41}, peak_rss_bytes=2**27, cpu_ms=812, requested_by="x-olive"
    )
    JobExecution.objects.filter(pk=gone.pk).update(job=None, job_name="x-malaperis")
    progress = {"done": 1200, "total": 4800, "message": "Rigardas partojn", "at": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
    runs = {"status": "running", "finished_at": None, "deadline_at": now - MINUTE, "lease_expires_at": now + MINUTE}
    running = _execution(job, now - 10 * MINUTE, progress=progress, **runs)
    asked = {"cancel_requested_at": now, "cancel_requested_by": "x-olive", "cancel_reason": "Malĝusta dosiero."}
    stopping = _execution(job, now - 10 * MINUTE, **runs, **asked)
    queued = _execution(job, now, status="queued", attempt=0, node="", first_started_at=None, started_at=None)
    _execution(job, now - 10 * MINUTE, node=WORKER, dispatched_at=now - 10 * MINUTE, **runs)
    waits = {"status": "queued", "attempt": 0, "node": "", "first_started_at": None, "started_at": None}
    late = {"queue": "x-neservata", "waits_for": WaitsFor.WORKER, "dispatched_at": now - 5 * MINUTE}
    dispatched = _execution(job, now - 5 * MINUTE, **waits, **late)
    _log(running, 40)
    _log(gone, 510)
    _log(failed, 20)
    member = JobExecution.objects.get(job_name="ŝargi-mendojn", trigger="retry")
    found = {"failed": failed, "gone": gone, "missed": missed, "running": running, "stopping": stopping}
    found["dispatched"] = dispatched
    return {name: each.pk for name, each in found.items()} | {"queued": queued.pk, "member": member.pk}


def _execution(job: Job | None, at: datetime, **columns: Any) -> JobExecution:
    started = at + 2 * MINUTE
    values = {
        "job": job,
        "job_name": job.name if job else "",
        "trigger": "schedule",
        "status": ExecutionStatus.SUCCEEDED,
        "first_started_at": started,
        "started_at": started,
        "finished_at": started + MINUTE,
        "duration_ms": 60_000,
        "attempt": 1,
        "max_attempts": 3,
        "node": "web-1:4711:7f3a",
        "params": {"minutoj": 30, "api_token": "s3cr3t", "noto": "<i>" + "longa " * 30},
        **dict.fromkeys(("scheduled_for", "due_at", "run_after", "claim_at", "queued_at"), at),
        **columns,
    }
    return JobExecution.objects.create(**values)


def _flow(job: Job, failed: JobExecution, now: datetime) -> None:
    """Record a flow of which one member failed and was run again."""
    root = _execution(job, now - DAY, job_name="eltiri-mendojn")
    below = {"flow": root.pk, "upstream": root, "trigger": "dependency"}
    first = _execution(job, now - DAY, job_name="ŝargi-mendojn", status="failed", error_message=ERROR, **below)
    _execution(
        job, now - DAY, job_name="raporto", status="skipped", **{**below, "upstream": first}, reason="Ĝi malsukcesis."
    )
    _execution(job, now - DAY, job_name="ŝargi-mendojn", **{**below, "trigger": "retry", "retry_of": first})
    _execution(job, now - HOUR, trigger="retry", retry_of=failed, flow=failed.pk)


def _log(execution: JobExecution, count: int) -> None:
    levels = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, 35)
    ExecutionLog.objects.bulk_create(
        ExecutionLog(
            execution=execution,
            attempt=1,
            number=number,
            level=levels[number % len(levels)],
            message=f"Rigardis parton {number}: " + "tiom-longa-ke-oni-devas-rompi-ĝin-ie-" * (number % 5),
            data={"parto": number, "el": "multaj", "nomoj": ["a" * 30] * 5} if number % 7 == 0 else None,
            logged_at=execution.queued_at,
        )
        for number in range(1, count + 1)
    )


def _keys(users: dict[str, Any], now: datetime) -> dict[str, Any]:
    def make(name: str, user: Any, actions: Any, jobs: Any = (), **columns: Any) -> int:
        key, _ = ApiKey.objects.issue(user=user, name=name, actions=actions, jobs=jobs)
        ApiKey.objects.filter(pk=key.pk).update(**columns)
        return key.pk

    gone = get_user_model().objects.create_user("x-gone", is_active=False)
    names = list(Job.objects.values_list("name", flat=True))
    make("x-ĉio", users[SUPERUSER], KEY_ACTIONS, last_used_at=now)
    make("x-malnova", users[SUPERUSER], ("view_job",), expires_at=now - DAY)
    make("x-nenies", gone, ("view_job",))
    revoked = make("x-komputilo", users[SUPERUSER], ("view_job", "run_job"), revoked_at=now)
    # Its user has no permission for all of it.
    key = make("x-gardisto", users[VIEWER], ("view_job", "run_job"), names, expires_at=now + DAY)
    return {"key": key, "revoked": revoked}


def _audit_entries(now: datetime) -> dict[str, Any]:
    facts: dict[str, Any] = {"method": "POST", "route": "job-pause", "target": "noop", "address": "203.0.113.9"}
    AuditEntry.objects.create(outcome="accepted", who="x-olive", credential="session", status=200, at=now, **facts)
    refusal = {"outcome": "refused", "who": "", "credential": "cron_0123456789", "status": 403, "count": 12}
    entry = AuditEntry.objects.create(code="permission_denied", at=now, **refusal, **facts)
    AuditEntry.objects.create(outcome="failed", who="x-olive", credential="token", status=500, code="error", **facts)
    return {"entry": entry.pk}


def _alerts(ids: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Make alerts: one on its way, one that failed to arrive, one that is over; and what fires now."""
    facts = {
        "details": "x-detaloj",
        "error_type": "x.Eraro",
        "error_message": ERROR,
        "owner": "x-olive",
        "log_lines": [{"time": now.isoformat(), "level": "ERROR", "message": "x-linio"}],
    }
    about = {"kind": "failing", "subject": "x-job", "job_name": "x-job", "execution_id": ids["failed"], "facts": facts}
    alert = Alert.objects.create(created_at=now - HOUR, **about)
    Alert.objects.create(created_at=now, is_resolution=True, **about)
    node_alert = Alert.objects.create(kind="node_gone", subject="x-nodo", created_at=now)
    for notifier, columns in (("x-poŝto", {}), ("x-hoko", {"status": "failed", "last_error": "x-rifuzo"})):
        AlertDelivery.objects.create(alert=alert, notifier=notifier, **columns)
    AlertDelivery.objects.create(alert=node_alert, notifier="x-hoko", status="sent", sent_at=now)
    for kind, subject in (("failing", "x-job"), ("late", "x-mem"), ("queue_stuck", "x-vico")):
        AlertState.objects.create(kind=kind, subject=subject, firing=True, since=now)
    return {"alert": alert.pk, "node_alert": node_alert.pk}


def _histories(ids: dict[str, Any]) -> None:
    """Let somebody have changed one row of each kind."""
    kinds = {"job": Job, "queue": Queue, "calendar": Calendar, "key": ApiKey, "failed": JobExecution, "node": Node}
    kinds["worker"] = CeleryWorker
    for name, model in kinds.items():
        rows = model._default_manager.filter(pk=ids[name])
        message = [{"changed": {"fields": ["name"]}}]
        LogEntry.objects.log_actions(ids[SUPERUSER].pk, rows, CHANGE, message)
