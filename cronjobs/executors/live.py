"""Shows what an attempt says while it runs, and tells it what others want of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db import DatabaseError, InterfaceError

from cronjobs.conf import get_settings
from cronjobs.database import Backoff, belongs_to_the_engine, drop_connection, engine_alias
from cronjobs.executors.refusals import is_outage, said
from cronjobs.executors.stops import pass_on_stops
from cronjobs.logs import LogLine
from cronjobs.models import JobExecution
from cronjobs.models.moves import record, record_progress
from cronjobs.runner import Claim

logger = logging.getLogger(__name__)

# Seconds between two looks at what has been said.
LIVE_INTERVAL = 0.5


def show_progress(claims: Iterable[Claim]) -> None:
    """Write the progress of the claims whose progress has changed, in one statement.

    During an outage it raises, and what could not be written comes with the next call. What the
    database refuses is left out, and holds up no other's.
    """
    taken = [(claim, progress) for claim in claims if (progress := claim.progress.take()) is not None]
    if taken:
        _show(taken)


def _show(taken: Sequence[tuple[Claim, dict[str, Any]]]) -> None:
    try:
        record_progress([(claim.execution, progress) for claim, progress in taken])
    except (DatabaseError, InterfaceError) as error:
        if is_outage(error):
            for claim, _ in taken:
                claim.progress.give_back()
            raise
        if len(taken) == 1:
            logger.debug("The progress of %s was refused: %s", taken[0][0].execution, said(error))
            return
        for each in taken:
            _show([each])


class LiveOutput(threading.Thread):
    """Writes the lines and the progress of the claims that are held twice a second, until it is closed.

    As often it looks whether somebody wants a job to stop: beside a node no clock does that.
    """

    def __init__(self, held: Callable[[], Sequence[Claim]]) -> None:
        super().__init__(name="cronjobs-live", daemon=True)
        self._held = held
        # Held while lines are written: whoever takes them over waits for that.
        self._lock = threading.Lock()
        self._lines: list[LogLine] = []
        self._closed = threading.Event()
        self._alias = engine_alias(JobExecution)
        self._backoff = Backoff(self._alias, "Writing the log")

    def lines_of(self, claim: Claim) -> list[LogLine]:
        """Hand over the lines of `claim` that have not been written yet: they are to be written with its ending."""
        with self._lock:
            own = [line for line in self._lines if line.execution_id == claim.execution.pk]
            self._lines = [line for line in self._lines if line.execution_id != claim.execution.pk]
            return [*own, *claim.log.take()]

    def close(self) -> None:
        """Write nothing more."""
        self._closed.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        belongs_to_the_engine(get_settings().lease / 2)
        wait = LIVE_INTERVAL
        try:
            while not self._closed.wait(wait):
                wait = max(LIVE_INTERVAL, self._write())
        finally:
            drop_connection(self._alias)

    def _write(self) -> float:
        """Write what there is, and return how many seconds to wait before the next try after a failure."""
        claims = self._held()
        try:
            with self._lock:
                self._lines += [line for claim in claims for line in claim.log.take()]
                if self._lines:
                    record(self._lines, [])
                    self._lines = []
            if claims:
                show_progress(claims)
                pass_on_stops(claims)
        except Exception as error:  # noqa: BLE001 - it is all written with the ending as well
            return self._backoff.failed(error)
        self._backoff.succeeded()
        return 0.0
