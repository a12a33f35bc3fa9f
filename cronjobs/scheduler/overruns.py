"""Attempts that take longer than they may, in threads: nobody can stop them, so somebody has to say so."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import datetime

from cronjobs import events
from cronjobs.executors.process import belongs_in_process
from cronjobs.runner import Claim

logger = logging.getLogger(__name__)


class Overruns:
    """Reports each overrunning attempt once: in its log, in the process log, and to observers."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now, self._lock = now, threading.Lock()
        # Reported, or ended: of what an ended one took, its ending tells.
        self._settled: set[tuple[int, int]] = set()

    def ended(self, claim: Claim) -> None:
        """Take note that the attempt has ended, though its row may still say that it runs."""
        with self._lock:
            self._settled.add(_key(claim))

    def report(self, running: Iterable[Claim]) -> None:
        """Report those of the claims that run on this node, all of them, that are overdue and not reported yet."""
        now, claims = self._now(), list(running)
        with self._lock:
            self._settled &= {_key(each) for each in claims}
            overdue = [
                each for each in claims if each.execution.is_overrunning(now) and _key(each) not in self._settled
            ]
            self._settled |= {_key(each) for each in overdue}
        for each in overdue:
            # A process is being ended at this moment, and that is in its ending.
            if belongs_in_process(each) is None:
                _report(each)


def _key(claim: Claim) -> tuple[int, int]:
    return claim.execution.pk, claim.execution.attempt


def _report(claim: Claim) -> None:
    message = "It takes longer than its timeout; it runs in a thread, which cannot be stopped."
    claim.log.add(logging.WARNING, message)
    extra = {"job": claim.execution.job_name, "execution_id": claim.execution.pk}
    logger.warning("%s: %s", claim.execution, message, extra=extra)
    events.tell(events.execution_overrunning, claim.execution)
