"""Claims that a process holds beside a node: their leases renewed, their output shown, others' wishes passed on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from cronjobs.database import Backoff, engine_alias
from cronjobs.executors.attempts import attempt
from cronjobs.executors.leases import LeaseKeeper
from cronjobs.executors.live import LiveOutput
from cronjobs.executors.process import ForkServer, attempt_in_process, belongs_in_process
from cronjobs.executors.refusals import is_outage, record_apart
from cronjobs.executors.stops import pass_on_losses
from cronjobs.language import site_language
from cronjobs.logs import LogLine, output_captured
from cronjobs.models import JobExecution
from cronjobs.models.moves import Ending, record
from cronjobs.runner import Claim, announce

logger = logging.getLogger(__name__)


class Custody:
    """Performs claims from any thread of this process, one attempt each, and records how they end.

    Two threads look after everything that is held, however many that is; `start` starts them.
    Without them, which is for claims inside a transaction that nobody else can see, nothing is
    renewed and nothing is shown before the end. Once `is_stopping`, jobs know that this process
    waits for them in order to end. While the database is away, an ending is kept for as long as
    `patience` says (in seconds; None: until it is back).
    """

    def __init__(
        self,
        server: ForkServer | None,
        *,
        is_stopping: Callable[[], bool] = lambda: False,
        patience: float | None = None,
    ) -> None:
        self._server, self._is_stopping, self._patience = server, is_stopping, patience
        self._lock = threading.Lock()
        self._claims: dict[int, Claim] = {}
        self._keeper = LeaseKeeper(
            held=lambda: [each.execution for each in self._held()],
            lost=lambda executions: pass_on_losses(self._held(), executions),
        )
        self._live = LiveOutput(self._looked_after)

    def start(self) -> None:
        """Begin to renew leases and to show output."""
        self._keeper.start()
        self._live.start()

    @property
    def is_alive(self) -> bool:
        """Whether anybody looks after what is held."""
        return self._keeper.is_alive() and self._live.is_alive()

    def close(self) -> None:
        """Look after nothing any more."""
        self._keeper.close()
        self._live.close()

    # Whoever asked may do so in another language.
    @site_language()
    def perform(self, claim: Claim, *, now: Callable[[], datetime]) -> Ending:
        """Perform the attempt, in a process if the job asks for that or has limits, record how it ended and tell observers.

        What ended after its claim was lost is neither recorded nor told.
        """
        with self._lock:
            self._claims[claim.execution.pk] = claim
        try:
            with output_captured():
                ending = self._attempt(claim, now)
            # An execution is not final before its last lines are there.
            lost = self._record(self._live.lines_of(claim), ending)
        finally:
            with self._lock:
                # The same row may have been claimed again here, under another token.
                if self._claims.get(claim.execution.pk) is claim:
                    del self._claims[claim.execution.pk]
        if lost:
            logger.warning("%s ended here after its claim was lost; nothing was recorded.", claim.execution)
        else:
            announce(ending)
        return ending

    def _held(self) -> list[Claim]:
        with self._lock:
            return list(self._claims.values())

    def _looked_after(self) -> list[Claim]:
        claims = self._held()
        if self._is_stopping():
            for claim in claims:
                claim.node_stops.set()
        return claims

    def _record(self, lines: list[LogLine], ending: Ending) -> set[int]:
        """Write log and ending; while the database is away, try again."""
        backoff, since = Backoff(engine_alias(JobExecution), "Recording"), time.monotonic()
        while True:
            try:
                return record(lines, [ending])
            except (DatabaseError, InterfaceError) as error:
                if not is_outage(error):
                    return record_apart(lines, [ending], error)
                is_over = self._patience is not None and time.monotonic() - since > self._patience
                if is_over or is_in_transaction():
                    raise
                time.sleep(backoff.failed(error))

    def _attempt(self, claim: Claim, now: Callable[[], datetime]) -> Ending:
        resolved = belongs_in_process(claim)
        if resolved is None or self._server is None or not _is_visible_elsewhere():
            with _left_usable(connections[engine_alias(JobExecution)]):
                return attempt(claim, now=now)
        ending = attempt_in_process(claim, resolved, now=now, server=self._server)
        assert ending is not None  # noqa: S101 - nobody stops it but its job's limits
        return ending


def is_in_transaction() -> bool:
    """Return whether what this thread writes is nobody else's to see yet."""
    return connections[engine_alias(JobExecution)].in_atomic_block


def _is_visible_elsewhere() -> bool:
    """Return whether another process sees the database as this one does: no open transaction, no database in memory."""
    connection = connections[engine_alias(JobExecution)]
    is_in_memory = getattr(connection, "is_in_memory_db", lambda: False)
    return not connection.in_atomic_block and not is_in_memory()


@contextmanager
def _left_usable(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let the transaction that the caller is in, if it is in one, survive what a job does to it meanwhile.

    An error of the database's, which a job outside of a transaction need not mind, ends one on PostgreSQL; and
    nothing could be recorded. Then what was written meanwhile is undone, and what was to follow its commit forgotten.
    """
    if not connection.in_atomic_block:
        yield
        return
    point: Any = connection.savepoint()
    before = list(connection.savepoint_ids)
    to_follow = list(connection.run_on_commit)
    yield
    if connection.savepoint_ids == before and _is_usable(connection):
        connection.savepoint_commit(point)
        return
    logger.warning("A job has left the transaction unusable that it was in; what it wrote is undone.")
    connection.savepoint_ids, connection.needs_rollback = before, False
    connection.savepoint_rollback(point)
    # Django forgets only what was registered inside an `atomic` of this savepoint, and it is in none.
    connection.run_on_commit = to_follow


def _is_usable(connection: BaseDatabaseWrapper) -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True
