"""Waits, inside a request, for an execution to end; performs it here if no node is there to do it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from cronjobs.conf import get_settings
from cronjobs.database import SteadyClock, engine_alias, read_clock
from cronjobs.exceptions import AtLimit, ClaimLost, ExecutionNotFound
from cronjobs.executors.inline import perform_inline
from cronjobs.models import JobExecution, Node
from cronjobs.models.pausing import with_pauses
from cronjobs.states import ExecutionStatus

_FIRST_PAUSE: Final = 0.025
_LONGEST_PAUSE: Final = 0.25

NOT_ASKED_TO_WAIT = "It was not to be waited for."
TOO_MANY = "Too many requests are waiting for a result already; ask for this one later."
PAUSED = "All jobs are paused: it will be performed once they are resumed."
QUEUE_PAUSED = "Its queue is paused: it will be performed once that is resumed."
NO_NODE = "No node is alive: it will be performed as soon as one is."
ALL_DRAINING = "Every node that is alive is draining: it will be performed as soon as another one is there."
NOT_YET = "It has not ended yet; ask for its result later."


class _Seats:
    """Counts who waits in this process, so that waiting requests never take all of its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0

    @contextmanager
    def one(self) -> Iterator[bool]:
        """Take a seat meanwhile; yields False if there is none."""
        with self._lock:
            is_seated = self._taken < get_settings().execute_max_waiting
            self._taken += is_seated
        try:
            yield is_seated
        finally:
            with self._lock:
                self._taken -= is_seated


_seats = _Seats()


def bring_to_end(execution: JobExecution) -> tuple[JobExecution, str]:
    """Wait for an execution through all its attempts; return it, and why it has not ended if it has not.

    Bounded by EXECUTE_TIMEOUT, but for an attempt that this very request performs: that one
    is never cut off.
    """
    with _seats.one() as is_seated:
        note = _Vigil(execution).keep() if is_seated else TOO_MANY
    found = JobExecution.objects.filter(pk=execution.pk).first()
    if found is None:
        raise ExecutionNotFound(execution.pk)
    return found, "" if found.is_final else note


class _Vigil:
    """The waiting for one execution. Looks at its row often at first, then four times a second."""

    def __init__(self, execution: JobExecution) -> None:
        self._row = with_pauses(JobExecution.objects.filter(pk=execution.pk)).only("status", "run_after")
        self._clock = SteadyClock()
        self._clock.set(read_clock(engine_alias(JobExecution)))
        self._note = NOT_YET
        self._deadline = time.monotonic() + get_settings().execute_timeout.total_seconds()

    def keep(self) -> str:
        """Return when the execution has ended or there is no point in waiting; say which."""
        pause = _FIRST_PAUSE
        while (execution := self._row.first()) is not None and not execution.is_final:
            is_queued = execution.status == ExecutionStatus.QUEUED
            if is_queued and (note := _why_held(execution)):
                return note
            if is_queued and not (staff := Node.objects.staff()).at_work:
                if not self._may_perform(execution):
                    return ALL_DRAINING if staff.draining else NO_NODE
                if self._is_due(execution) and self._perform(execution):
                    continue
            left = self._deadline - time.monotonic()
            if left <= 0:
                return self._note
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        return ""

    def _may_perform(self, execution: JobExecution) -> bool:
        if get_settings().execute_inline == "never":
            return False
        left = timedelta(seconds=max(0.0, self._deadline - time.monotonic()))
        return execution.run_after <= self._clock.now() + left

    def _is_due(self, execution: JobExecution) -> bool:
        return execution.run_after <= self._clock.now()

    def _perform(self, execution: JobExecution) -> bool:
        """Make one attempt here; return False if that was another's to do, or must wait for its turn."""
        try:
            perform_inline(execution, within_limits=True)
        except ClaimLost:
            return False
        except AtLimit as error:
            self._note = f"It has to wait: {error.reason}"
            return False
        return True


def _why_held(execution: JobExecution) -> str:
    if get_settings().paused or execution.is_everything_paused:  # type: ignore[attr-defined]  # annotated
        return PAUSED
    return QUEUE_PAUSED if execution.is_queue_paused else ""  # type: ignore[attr-defined]  # annotated
