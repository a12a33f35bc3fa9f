"""One attempt in this thread, whatever the job does to the thread, its connections or the process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from django.db import close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from cronjobs.models.moves import Ending
from cronjobs.runner import Claim, announce_start, internal_failure, perform

logger = logging.getLogger(__name__)


def attempt(claim: Claim, *, now: Callable[[], datetime]) -> Ending:
    """Perform `claim` and return how that ended; never raises, and leaves usable connections behind."""
    announce_start(claim)
    return attempt_silently(claim, now=now)


def attempt_silently(claim: Claim, *, now: Callable[[], datetime]) -> Ending:
    """Do what `attempt` does, in a process whose observers are not to be told that it starts."""
    process, before = os.getpid(), _transactions()
    try:
        ending = perform(claim, now=now)
    except BaseException as error:  # noqa: BLE001 - a claim that never ends would be renewed for ever
        ending = internal_failure(claim, error, now())
    if os.getpid() != process:
        # The job forked, and this is the child: there must not be a second node.
        os._exit(0)
    _restore_connections(before)
    return ending


def _transactions() -> dict[str, tuple[bool, int, bool]]:
    return {each.alias: _transaction_of(each) for each in connections.all(initialized_only=True)}


def _transaction_of(connection: BaseDatabaseWrapper) -> tuple[bool, int, bool]:
    # Asking for autocommit by its method would open a connection that nobody needs.
    return connection.in_atomic_block, len(connection.savepoint_ids), connection.autocommit or not connection.connection


def _restore_connections(before: dict[str, tuple[bool, int, bool]]) -> None:
    """Let go of connections that the job left in another transaction than it found them in."""
    for connection in connections.all(initialized_only=True):
        was = before.get(connection.alias, (False, 0, True))
        if _transaction_of(connection) != was and not was[0]:
            logger.warning("A job left a transaction open on %r; it is rolled back.", connection.alias)
            discard(connection)


def discard(connection: BaseDatabaseWrapper) -> None:
    """Close the connection below Django's bookkeeping, which forbids it inside a transaction.

    The next statement connects again, and connecting resets the rest of the bookkeeping.
    """
    with suppress(Exception):
        connection.connection.close()
    connection.connection, connection.in_atomic_block = None, False


def let_go_of_old_connections() -> Sequence[BaseDatabaseWrapper]:
    """Close what this thread has had for longer than CONN_MAX_AGE, and what is broken; the others are tried before use.

    Returns the thread's connections, open or closed.
    """
    used = connections.all(initialized_only=True)
    if not used:
        return used
    try:
        close_old_connections()
        # A site that keeps connections may have left Django's own check of them off, which is meant for requests.
        for connection in used:
            connection.health_check_enabled = True  # type: ignore[attr-defined]  # the stubs do not know it
    except Exception:
        logger.exception("A connection could not be closed; it is forgotten.")
        for connection in used:
            discard(connection)
    return used
