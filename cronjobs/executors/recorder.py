"""Writes what attempts log and how they end, in batches, from one thread: commits are shared."""

from __future__ import annotations

import dataclasses
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from django.db import DatabaseError, InterfaceError, OperationalError

from cronjobs.database import Backoff, drop_connection, engine_alias
from cronjobs.logs import LogLine
from cronjobs.models import JobExecution
from cronjobs.models.moves import Ending, record
from cronjobs.runner import Claim, announce

logger = logging.getLogger(__name__)

_LARGEST_BATCH = 500
_LIVE_LOG_INTERVAL = 0.5


class Recorder(threading.Thread):
    """Takes endings from any thread and makes them durable, then announces them.

    Endings that arrive while a batch is being written form the next batch, so nothing waits
    for company. While the database is away everything is kept and tried again.
    """

    def __init__(
        self,
        *,
        recorded: Callable[[Claim, Ending], None],
        live: Callable[[], Sequence[Claim]],
        on_death: Callable[[BaseException], None] = lambda error: None,
    ) -> None:
        super().__init__(name="cronjobs-recorder", daemon=True)
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
        is_open = True
        try:
            while is_open:
                batch, is_open = self._gather()
                self._write(batch)
        except BaseException as error:
            logger.critical("The recorder has stopped: %r", error)
            self._on_death(error)
            raise
        finally:
            drop_connection(self._alias)

    def _gather(self) -> tuple[list[tuple[Claim, Ending]], bool]:
        batch: list[tuple[Claim, Ending]] = []
        try:
            item = self._queue.get(timeout=_LIVE_LOG_INTERVAL)
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
        if time.monotonic() - self._last_live >= _LIVE_LOG_INTERVAL:
            self._last_live = time.monotonic()
            lines += [line for claim in self._live() for line in claim.log.take()]
        if not lines and not batch:
            return
        lost = self._persist(lines, [ending for _, ending in batch])
        for claim, ending in batch:
            self._recorded(claim, ending)
            if ending.execution.pk in lost:
                logger.warning("%s ended here after its claim was lost; nothing was recorded.", ending.execution)
            else:
                announce(ending)

    def _persist(self, lines: Sequence[LogLine], endings: Sequence[Ending]) -> set[int]:
        """Write until it is written; return the ids whose claim was lost."""
        while True:
            try:
                lost = record(lines, endings)
            except (OperationalError, InterfaceError) as error:
                wait = self._backoff.failed(error)
            except DatabaseError as error:
                # Not an outage: something in the batch is refused. Find it alone, and store what can be.
                return self._persist_apart(lines, endings, error)
            else:
                self._backoff.succeeded()
                return lost
            if self._gave_up.wait(wait):
                return set()

    def _persist_apart(self, lines: Sequence[LogLine], endings: Sequence[Ending], error: Exception) -> set[int]:
        logger.error("A batch was refused (%s); writing it row by row.", error)
        for line in lines:
            try:
                record([line], [])
            except DatabaseError:
                logger.exception("A log line of execution %d cannot be stored.", line.execution_id)
        return {pk for ending in endings for pk in self._persist_one(ending)}

    def _persist_one(self, ending: Ending) -> set[int]:
        try:
            return record([], [ending])
        except (OperationalError, InterfaceError):
            return self._persist([], [ending])
        except DatabaseError as error:
            logger.exception("The ending of %s cannot be stored as it is.", ending.execution)
            reason = f"Result and error could not be stored: {type(error).__name__}."
            bare = dataclasses.replace(ending, result=None, error_message="", traceback="", reason=reason)
            return self._persist([], [bare])
