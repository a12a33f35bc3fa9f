"""Writes what attempts log and how they end, in batches, from one thread: commits are shared."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from django.db import DatabaseError, InterfaceError

from cronjobs.conf import get_settings
from cronjobs.database import Backoff, belongs_to_the_engine, drop_connection, engine_alias, is_conflict
from cronjobs.executors.live import LIVE_INTERVAL, show_progress
from cronjobs.executors.refusals import describe, is_outage, said, versions
from cronjobs.logs import LogLine
from cronjobs.models import JobExecution
from cronjobs.models.moves import Ending, record
from cronjobs.runner import Claim, announce
from cronjobs.vitals import Pulse

logger = logging.getLogger(__name__)

_LARGEST_BATCH = 500
# After a batch of so many the next one waits a moment, in seconds, for company: each costs as much as some ten endings.
_MANY, _COMPANY = 8, 0.005
# So many in a row may be a connection that the server had dropped, and the next one.
_MOST_FAILURES = 3


class Recorder(threading.Thread):
    """Takes endings from any thread and makes them durable, then announces them.

    Endings that arrive while a batch is being written form the next batch, so nothing waits
    for company unless much ends. While the database is away everything is kept and tried again.
    """

    def __init__(
        self,
        *,
        recorded: Callable[[Sequence[tuple[Claim, Ending]]], None],
        live: Callable[[], Sequence[Claim]],
        on_death: Callable[[BaseException], None] = lambda error: None,
        pulse: Pulse | None = None,
    ) -> None:
        super().__init__(name="cronjobs-recorder", daemon=True)
        self._pulse = pulse or Pulse("recorder")
        self._recorded, self._live, self._on_death = recorded, live, on_death
        self._queue: queue.SimpleQueue[tuple[Claim, Ending] | None] = queue.SimpleQueue()
        self._last_live = 0.0
        self._alias = engine_alias(JobExecution)
        self._gave_up = threading.Event()
        self._backoff = Backoff(self._alias, "Recording")

    def end(self, claim: Claim, ending: Ending) -> None:
        """Take over an ending; it is announced once the database has it."""
        self._queue.put((claim, ending))

    def close(self, *, timeout: float) -> bool:
        """Write what is left and stop; return False if that was not possible within `timeout` seconds."""
        self._queue.put(None)
        self.join(timeout)
        self._gave_up.set()
        return not self.is_alive()

    def run(self) -> None:
        belongs_to_the_engine(get_settings().lease / 2)
        is_open = True
        try:
            with self._pulse.watched():
                while is_open:
                    self._pulse.beat(rest=LIVE_INTERVAL)
                    batch, is_open = self._gather()
                    self._write(batch)
                    if len(batch) >= _MANY:
                        self._gave_up.wait(_COMPANY)
        except BaseException as error:
            logger.critical("The recorder has stopped: %r", error)
            self._on_death(error)
            raise
        finally:
            drop_connection(self._alias)

    def _gather(self) -> tuple[list[tuple[Claim, Ending]], bool]:
        batch: list[tuple[Claim, Ending]] = []
        try:
            item = self._queue.get(timeout=LIVE_INTERVAL)
            while item is not None:
                batch.append(item)
                if len(batch) >= _LARGEST_BATCH:
                    return batch, True
                item = self._queue.get_nowait()
        except queue.Empty:
            return batch, True
        return batch, False

    def _write(self, batch: list[tuple[Claim, Ending]]) -> None:
        lines = [line for claim, _ in batch for line in claim.log.take()]
        if time.monotonic() - self._last_live >= LIVE_INTERVAL:
            self._last_live = time.monotonic()
            live = self._live()
            lines += [line for claim in live for line in claim.log.take()]
            self._show_progress(live)
        if not lines and not batch:
            return
        unrecorded = self._persist(lines, [ending for _, ending in batch])
        self._recorded(batch)
        for _, ending in batch:
            # Whoever listens may take his time.
            self._pulse.beat()
            if ending.execution.pk in unrecorded:
                message = (
                    "%s ended here, and nothing was recorded: its claim was lost, or the database did not take it."
                )
                logger.warning(message, ending.execution)
            else:
                announce(ending)

    def _show_progress(self, claims: Sequence[Claim]) -> None:
        try:
            show_progress(claims)
        except (DatabaseError, InterfaceError) as error:
            # The last of it is written with the ending; that is what the waiting is for.
            self._backoff.failed(error)

    def _persist(self, lines: Sequence[LogLine], endings: Sequence[Ending]) -> set[int]:
        """Write until it is written, or there is no more time; return the ids of what the database does not have."""
        failures = 0
        while True:
            self._pulse.beat()
            try:
                lost = record(lines, endings)
            except (DatabaseError, InterfaceError) as error:
                if not is_outage(error):
                    # Something in the batch is refused. Find it alone, and store what can be.
                    return self._persist_apart(lines, endings, error)
                failures, wait = failures + 1, self._backoff.failed(error)
                if failures >= _MOST_FAILURES and self._is_refused(error):
                    return self._persist_apart(lines, endings, error)
            else:
                self._backoff.succeeded()
                return lost
            self._pulse.beat(rest=wait)
            if self._gave_up.wait(wait):
                return _ids(endings)

    def _is_refused(self, error: Exception) -> bool:
        """Return whether the database is there, and nobody is in the way: then it is the batch that it does not take.

        MariaDB reports a packet that is too large like a lost connection.
        """
        if is_conflict(error):
            return False
        try:
            # Changes nothing, and shows that the database takes changes: a standby answers, but does not.
            JobExecution.objects.using(self._alias).filter(pk=0).update(reason="")
        except (DatabaseError, InterfaceError):
            return False
        return True

    def _persist_apart(self, lines: Sequence[LogLine], endings: Sequence[Ending], error: Exception) -> set[int]:
        if len(lines) + len(endings) == 1:
            return self._persist_bare(lines, endings, error)
        logger.error("A batch was refused (%s); writing it row by row.", said(error))
        for line in lines:
            self._persist([line], [])
        return {pk for ending in endings for pk in self._persist([], [ending])}

    def _persist_bare(self, lines: Sequence[LogLine], endings: Sequence[Ending], refusal: Exception) -> set[int]:
        """Write one row without what is refused of it; but as it is, as soon as the database takes it after all."""
        what, candidates = describe(lines, endings), versions(lines, endings, refusal)
        for version in itertools.cycle(candidates):
            self._pulse.beat()
            try:
                lost = record(*version)
            except (DatabaseError, InterfaceError) as error:
                # If every version fails, it is the database's fault, and time may mend it.
                wait = self._backoff.failed(error) if is_outage(error) else 0.0
                if not is_outage(error) and version is candidates[-1]:
                    logger.exception("%s cannot be stored at all.", what)
                    return _ids(endings)
            else:
                self._backoff.succeeded()
                if version is not candidates[0]:
                    logger.error("%s cannot be stored as it is: %s: %s", what, type(refusal).__name__, said(refusal))
                return lost
            self._pulse.beat(rest=wait)
            if self._gave_up.wait(wait):
                break
        return _ids(endings)


def _ids(endings: Sequence[Ending]) -> set[int]:
    return {each.execution.pk for each in endings}
