"""People who look at the admin, and what there is for them to see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from cronjobs import RetryPolicy
from cronjobs.database import database_now_plus, read_clock
from cronjobs.models import Alert, AlertDelivery, AuditEntry, CeleryWorker, Job, JobExecution, Node
from cronjobs.testing._definitions import Declare

OWN_JOB = "of-the-test"
AT = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)

MakeExecution = Callable[..., JobExecution]

_VIEW = (
    *("view_job", "view_jobexecution", "view_node", "view_celeryworker", "view_calendar", "view_queue"),
    *("view_auditentry", "view_alert"),
)
# All that makes something happen, but for what is made, edited for good or deleted, and for keys.
_ACT = (
    *("run_job", "pause_job", "resume_job", "enable_job", "disable_job"),
    *("cancel_jobexecution", "retry_jobexecution", "drain_node"),
)
ROLES = {
    "anonymous": None,
    "staff": (),
    "viewer": _VIEW,
    "operator": (*_VIEW, *_ACT, "change_job", "change_queue"),
    "superuser": (),
}


def client_of(role: str, users: Any) -> Client:
    """Return a browser in which somebody of that role has logged in."""
    client = Client()
    granted = ROLES[role]
    if granted is None:
        return client
    user = users.objects.create_user(role, is_staff=True, is_superuser=role == "superuser")
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="cronjobs", codename__in=granted))
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def in_berlin(settings: Any) -> None:
    """The people are not in UTC, so that a mistaken zone shows."""
    settings.TIME_ZONE = "Europe/Berlin"


@pytest.fixture
def superuser(db: None, django_user_model: Any) -> Client:
    return client_of("superuser", django_user_model)


@pytest.fixture
def operator(db: None, django_user_model: Any) -> Client:
    return client_of("operator", django_user_model)


@pytest.fixture
def viewer(db: None, django_user_model: Any) -> Client:
    return client_of("viewer", django_user_model)


@pytest.fixture
def make_execution(db: None) -> MakeExecution:
    """Record an execution of a job that is there; by default one that succeeded."""

    def make(name: str = "succeeds", **columns: Any) -> JobExecution:
        started = AT + timedelta(milliseconds=34)
        values: dict[str, Any] = {
            "job": Job.objects.filter(name=name).first(),
            "job_name": name,
            "status": "succeeded",
            "trigger": "schedule",
            "scheduled_for": AT,
            "due_at": AT,
            "run_after": AT,
            "claim_at": AT,
            "queued_at": AT,
            "first_started_at": started,
            "started_at": started,
            "finished_at": started + timedelta(milliseconds=1500),
            "duration_ms": 1500,
            "attempt": 1,
            "max_attempts": 3,
            "node": "web-1:4711",
            **columns,
        }
        return JobExecution.objects.create(**values)

    return make


@pytest.fixture
def no_other_jobs(db: None) -> None:
    """Only what a test makes is there."""
    Job.objects.all().delete()


@pytest.fixture
def now(db: None) -> datetime:
    """The database's own time."""
    return read_clock("default")


@pytest.fixture
def ended(make_execution: MakeExecution, now: datetime) -> MakeExecution:
    """Record an execution that ended so long ago."""

    def make(
        name: str = "noop",
        ago: timedelta = timedelta(minutes=5),
        took: timedelta = timedelta(seconds=1),
        **columns: Any,
    ) -> JobExecution:
        end = now - ago
        start = None if columns.get("status") in ("skipped", "missed") else end - took
        times = dict.fromkeys(("scheduled_for", "due_at", "run_after", "claim_at", "queued_at"), end - took)
        values = {
            "started_at": start,
            "first_started_at": start,
            "finished_at": end,
            "duration_ms": start and round(took / timedelta(milliseconds=1)),
            **times,
            **columns,
        }
        return make_execution(name, **values)

    return make


@pytest.fixture
def waits(make_execution: MakeExecution, now: datetime) -> MakeExecution:
    """Record an execution that has been due for so long."""

    def make(name: str = "noop", ago: timedelta = timedelta(seconds=3), **columns: Any) -> JobExecution:
        times = dict.fromkeys(("scheduled_for", "due_at", "run_after", "claim_at", "queued_at"), now - ago)
        gone = dict.fromkeys(("started_at", "first_started_at", "finished_at", "duration_ms"))
        return make_execution(name, status="queued", attempt=0, **times, **gone, **columns)

    return make


@pytest.fixture
def runs(make_execution: MakeExecution, now: datetime) -> MakeExecution:
    """Record an execution that has been running for so long."""

    def make(name: str = "noop", ago: timedelta = timedelta(minutes=1), **columns: Any) -> JobExecution:
        start = now - ago
        times = dict.fromkeys(("scheduled_for", "due_at", "run_after", "claim_at", "queued_at"), start)
        values = {"started_at": start, "first_started_at": start, "finished_at": None, "duration_ms": None}
        return make_execution(name, status="running", **times, **values, **columns)

    return make


@pytest.fixture
def make_node(db: None) -> Callable[..., Node]:
    """Record a node; by default one that is alive."""

    def make(name: str = "web-1:4711", *, silent_for: timedelta = timedelta(0), **columns: Any) -> Node:
        now = read_clock("default")
        facts = {"hostname": "web-1", "pid": 4711, "version": "1.0", "workers": 8, "started_at": now, **columns}
        node = Node.objects.create(name=name, heartbeat_at=now, last_tick_at=now, **facts)
        Node.objects.filter(pk=node.pk).update(heartbeat_at=database_now_plus(-silent_for))
        return node

    return make


@pytest.fixture
def make_worker(db: None) -> Callable[..., CeleryWorker]:
    """Record a Celery worker; by default one that is alive and serves the default queue."""

    def make(name: str = "celery@box-1:5150", *, silent_for: timedelta = timedelta(0), **columns: Any) -> CeleryWorker:
        now = read_clock("default")
        facts = {"hostname": "box-1", "pid": 5150, "version": "1.0", "concurrency": 4, "queues": ["default"]}
        worker = CeleryWorker.objects.create(name=name, started_at=now, heartbeat_at=now, **{**facts, **columns})
        CeleryWorker.objects.filter(pk=worker.pk).update(heartbeat_at=database_now_plus(-silent_for))
        return worker

    return make


@pytest.fixture
def define(cronjobs_job: Declare) -> Callable[..., Job]:
    """Make a job of a function for one test."""

    def make(func: Callable[..., Any], **options: Any) -> Job:
        cronjobs_job(OWN_JOB, **{"retry": RetryPolicy(max_attempts=1), **options})(func)
        return Job.objects.named(OWN_JOB)

    return make


@pytest.fixture
def make_alert(db: None) -> Callable[..., Alert]:
    """Record an alert; by default that a job fails, which one notifier was told."""

    def make(**columns: Any) -> Alert:
        facts = {"details": "The last execution has failed.", "error_type": "RuntimeError", "error_message": "boom"}
        values: dict[str, Any] = {"kind": "failing", "subject": "noop", "job_name": "noop", "facts": facts, **columns}
        alert = Alert.objects.create(**{"created_at": AT, **values})
        AlertDelivery.objects.create(alert=alert, notifier="ops", status="sent", attempts=1, sent_at=AT)
        return alert

    return make


@pytest.fixture
def make_entry(db: None) -> Callable[..., AuditEntry]:
    """Record what somebody did over HTTP; by default something that was accepted."""

    def make(**columns: Any) -> AuditEntry:
        values: dict[str, Any] = {
            "at": AT,
            "last_at": AT,
            "outcome": "accepted",
            "who": "olive",
            "credential": "cron_0123456789",
            "method": "POST",
            "route": "job-pause",
            "target": "noop",
            "address": "203.0.113.9",
            "status": 200,
        }
        return AuditEntry.objects.create(**{**values, **columns})

    return make
