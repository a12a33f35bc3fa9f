"""What nodes and workers do to rows that Celery is to perform, step by step."""

from __future__ import annotations

from cronjobs.database import read_clock
from cronjobs.models import CeleryWorker, JobExecution
from cronjobs.models.choices import WaitsFor
from cronjobs.models.moves import begin, claim, dispatch

APP = {"CELERY_APP": "tests.celery_app.app"}
CELERY = {**APP, "EXECUTOR": "celery"}


def request(name="noop", **options):
    return JobExecution.objects.request(name, **options)


def dispatched(limit=10, **options):
    return [each for each, _ in dispatch(limit=limit, now=read_clock("default"), **options).executions]


def claimed(limit=10):
    return [each for each, _ in claim(node="a", limit=limit, now=read_clock("default")).executions]


def begun(row, node="w1"):
    return begin(row.pk, row.claim_token, node=node)[0]


def hire(queue="default", **columns):
    """Make the row of a worker that lives and takes messages from `queue`."""
    now = read_clock("default")
    facts = {"name": f"w@{queue}", "hostname": "h", "pid": 1, "version": "1", "concurrency": 2, "queues": [queue]}
    return CeleryWorker.objects.create(**{**facts, "started_at": now, "heartbeat_at": now, **columns})


def state_of(row):
    row.refresh_from_db()
    return row.status, WaitsFor(row.waits_for), bool(row.claim_token), row.dispatched_at is not None


WAITING = ("queued", WaitsFor.DISPATCH, False, False)
WITH_BROKER = ("queued", WaitsFor.WORKER, True, True)
