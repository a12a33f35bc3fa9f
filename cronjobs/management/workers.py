"""What commands say of Celery workers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cronjobs.conf import get_settings
from cronjobs.health import Probe
from cronjobs.management.output import distance, mebibytes
from cronjobs.models import CeleryWorker

WORKER_HEADER = ("CELERY WORKER", "STATE", "BUSY", "QUEUES", "MEMORY", "UP")


def living_workers() -> list[Any]:
    """Return those that are alive, with what each is `running`; none where Celery performs nothing."""
    if not get_settings().celery_app:
        return []
    return list(CeleryWorker.objects.alive().with_state().with_running().order_by("name"))


def worker_row(worker: Any, now: datetime) -> tuple[str, ...]:
    """Return what the columns of `WORKER_HEADER` say of one of `living_workers`."""
    state, busy = "draining" if worker.draining else "alive", f"{worker.running}/{worker.concurrency}"
    queues, up = ", ".join(worker.queue_names), distance(now - worker.started_at)
    return worker.name, state, busy, queues, mebibytes(worker.rss_bytes), up


def celery_line(celery: Probe) -> str:
    """Return what there is to say of Celery, as `check_celery` found it, in a line."""
    dispatched = celery.details.get("dispatched", 0)
    waits = f" {dispatched} waiting with the broker." if dispatched else ""
    return f"Celery: {celery.message}{waits}"
