"""Connections that outlive a task: Celery closes what it finds around each one, whatever CONN_MAX_AGE says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from cronjobs.executors.attempts import let_go_of_old_connections


class _Kept(threading.local):
    """What this thread keeps, where nobody looks for it between two tasks."""

    def __init__(self) -> None:
        self.connections: list[BaseDatabaseWrapper] = []


_kept = _Kept()


@contextmanager
def connections_kept() -> Iterator[None]:
    """Work with the connections that this thread had the last time, as far as CONN_MAX_AGE lets them live.

    Opening one takes longer than all that an execution else asks of a database.
    """
    for each in _kept.connections:
        connections[each.alias] = each
    _kept.connections = []
    # Many hours may have passed since, and the server may have dropped them.
    let_go_of_old_connections()
    try:
        yield
    finally:
        let_go_of_old_connections()
        _kept.connections = [each for each in connections.all(initialized_only=True) if each.connection is not None]
        for each in _kept.connections:
            del connections[each.alias]
