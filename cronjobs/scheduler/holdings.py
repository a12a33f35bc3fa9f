"""What a node holds: claims whose leases are renewed until they have ended, were handed back, or are given up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from cronjobs.executors.base import Done, Executor
from cronjobs.executors.stops import pass_on_losses, pass_on_stops
from cronjobs.language import gettext as _
from cronjobs.models import JobExecution
from cronjobs.models.moves import abandon, hand_back
from cronjobs.runner import Claim, never_begun

logger = logging.getLogger(__name__)

# Seconds. What is claimed, and has not begun after that, had better be some other node's.
LONGEST_AHEAD = 0.5


class Holdings:
    """The claims of the node `name`, at most `most`, whatever thread asks; `executor` performs them.

    `ended` is told of what has come to an end without having begun.
    """

    def __init__(self, name: str, executor: Executor, *, most: int, ended: Done, now: Callable[[], datetime]) -> None:
        self._name, self._executor, self._most = name, executor, most
        self._ended, self._now = ended, now
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._claims: dict[int, Claim] = {}
        # Withdrawn from the executor, and not known to be handed back, or who wants to stop them.
        self._undecided: list[Claim] = []

    def __len__(self) -> int:
        with self._lock:
            return len(self._claims)

    def room(self) -> int:
        """Return how many more may be held: what is held when a node is killed is lost, whether it has ended or not."""
        return self._most - len(self)

    def claims(self) -> list[Claim]:
        """Return all claims."""
        with self._lock:
            return list(self._claims.values())

    def executions(self) -> list[JobExecution]:
        """Return the executions of all claims."""
        return [each.execution for each in self.claims()]

    def take(self, claim: Claim) -> None:
        """Hold a claim, from before its attempt begins."""
        with self._lock:
            self._claims[claim.execution.pk] = claim

    def let_go(self, claims: Iterable[Claim]) -> None:
        """Hold them no more."""
        with self._changed:
            for each in claims:
                # The same row may have been claimed again here, under another token.
                if self._claims.get(each.execution.pk) is each:
                    del self._claims[each.execution.pk]
            self._changed.notify_all()

    def wait(self, timeout: float) -> None:
        """Wait until something is let go, at most so many seconds."""
        with self._changed:
            self._changed.wait(timeout=timeout)

    def lose(self, executions: Iterable[JobExecution]) -> None:
        """Tell the jobs to stop of those claims that are somebody else's now."""
        pass_on_losses(self.claims(), executions)

    def hand_back(self, *, older_than: float, queues: Collection[str] = ()) -> None:
        """Let other nodes have what was claimed, and has not begun for so many seconds: threads take longer than expected.

        Of `queues`, which are paused, all that has not begun.
        After an error, which may have come after the COMMIT, nothing is begun of it: the next call asks again.
        """
        with self._lock:
            waiting = [*self._undecided, *self._executor.withdraw(older_than=older_than, queues=queues)]
            self._undecided = []
        if not waiting:
            return
        try:
            kept = hand_back([each.execution for each in waiting])
        except Exception as error:  # noqa: BLE001 - the node has other work to do
            logger.warning("%d executions could not be handed back: %s", len(waiting), type(error).__name__)
            with self._lock:
                self._undecided += waiting
            return
        given = [each for each in waiting if each.execution.pk not in kept]
        self.let_go(given)
        if given:
            logger.info("Node %s has handed back %d executions that it had not begun.", self._name, len(given))
        self._end([each for each in waiting if each.execution.pk in kept])

    def _end(self, unwanted: Sequence[Claim]) -> None:
        """End before it begins what somebody wants to stop; who that is may have to be asked again."""
        try:
            pass_on_stops(unwanted)
        except Exception as error:  # noqa: BLE001 - as above
            logger.warning("Who wants to stop %d executions is not known: %s", len(unwanted), type(error).__name__)
        for each in unwanted:
            if each.stop_requested.is_set():
                self._ended(each, never_begun(each, self._now()))
        with self._lock:
            self._undecided += [each for each in unwanted if not each.stop_requested.is_set()]

    def give_up(self) -> None:
        """Record of everything that is still held that this node stopped before it ended."""
        held = self.executions()
        reason = _("Node %(node)s stopped before it ended.") % {"node": self._name}
        try:
            given_up: Sequence[JobExecution] = abandon(held, reason=reason)
        except Exception:
            logger.exception("%d executions could not be given up.", len(held))
            return
        for each in given_up:
            logger.warning("%s was given up: it is %s now.", each, each.status)
        # Threads cannot be ended; they can still learn that what they do counts for nothing from now on.
        ids = {each.pk for each in given_up}
        self.lose(each for each in held if each.pk in ids)
