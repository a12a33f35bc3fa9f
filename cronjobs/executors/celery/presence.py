"""A worker's row: that it lives, how much it can do at once, and which queues it serves."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Collection
from datetime import timedelta
from typing import Any, ClassVar

from celery.signals import (
    celeryd_after_setup,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)

from cronjobs.conf import get_settings
from cronjobs.database import DatabaseNow, database_now_plus, drop_connection, engine_alias
from cronjobs.executors.celery.worker import Identity, Process
from cronjobs.models import CeleryWorker
from cronjobs.processes import installed_version, resident_bytes_of_all

logger = logging.getLogger(__name__)

# Rows of workers that ended longer ago than this are removed; nothing hangs on them.
_REMEMBERED = timedelta(days=1)


class Presence(threading.Thread):
    """Keeps the worker's row up to date, several times a lease, until closed.

    Connects anew for every beat: the worker forks, and a connection is nothing to be shared.
    """

    current: ClassVar[Presence | None] = None

    def __init__(self, *, name: str, concurrency: int, queues: Collection[str]) -> None:
        super().__init__(name="cronjobs-presence", daemon=True)
        self._name = name
        self._facts = {
            "hostname": socket.gethostname()[:100],
            "pid": os.getpid(),
            "version": installed_version(),
            "concurrency": concurrency,
            "queues": sorted(queues),
        }
        self._closed = threading.Event()
        self._is_known = False

    def close(self) -> None:
        """Mark the worker as stopped, and end."""
        self._closed.set()
        if self.is_alive():
            self.join(5.0)

    def run(self) -> None:
        wait = 0.0
        while not self._closed.wait(wait):
            wait = get_settings().lease.total_seconds() / 6
            self._beat()
        self._beat(stopped_at=DatabaseNow())

    def _beat(self, **changes: Any) -> None:
        alias = engine_alias(CeleryWorker)
        changes |= {
            "heartbeat_at": DatabaseNow(),
            "draining": Identity.is_stopping(),
            "rss_bytes": resident_bytes_of_all(),
        }
        try:
            rows = CeleryWorker.objects.using(alias)
            if not self._is_known:
                rows.filter(heartbeat_at__lt=database_now_plus(-_REMEMBERED)).delete()
            # Somebody may have deleted the row of a worker that lives.
            if not rows.filter(name=self._name).update(**changes):
                rows.create(name=self._name, started_at=DatabaseNow(), **self._facts, **changes)
            self._is_known = True
        except Exception as error:  # noqa: BLE001 - the missing heartbeat says it, and the next may come through
            logger.warning("Worker %s could not say that it lives: %s", self._name, type(error).__name__)
        finally:
            drop_connection(alias)


@celeryd_after_setup.connect(dispatch_uid="cronjobs.identity")
def _assume_identity(sender: str, **_: Any) -> None:
    Identity.assume(sender)


@worker_ready.connect(dispatch_uid="cronjobs.presence")
def _appear(sender: Any, **_: Any) -> None:
    queues = sender.app.amqp.queues.consume_from
    Presence.current = Presence(name=Identity.name, concurrency=sender.controller.concurrency, queues=queues)
    Presence.current.start()


@worker_shutting_down.connect(dispatch_uid="cronjobs.stopping")
def _say_that_we_stop(**_: Any) -> None:
    Identity.stop()


@worker_process_shutdown.connect(dispatch_uid="cronjobs.process")
def _leave(**_: Any) -> None:
    Process.leave()


@worker_shutdown.connect(dispatch_uid="cronjobs.presence")
def _disappear(**_: Any) -> None:
    # Of a pool without processes; others have left before.
    Process.leave()
    if Presence.current is not None:
        Presence.current.close()
