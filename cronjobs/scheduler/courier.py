"""Hands what Celery is to perform to the broker, beside a dispatcher that never waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from datetime import datetime

from django.db.models import QuerySet

from cronjobs.conf import get_settings
from cronjobs.database import Backoff, SteadyClock, belongs_to_the_engine, drop_connection, engine_alias
from cronjobs.executors.celery import make_publisher, reach_broker
from cronjobs.executors.celery.outages import why_away
from cronjobs.models import JobExecution, Node
from cronjobs.models.moves import Claimed, dispatch, take_back
from cronjobs.scheduler.looks import Look
from cronjobs.vitals import Pulse

logger = logging.getLogger(__name__)

# So many become messages under one token.
_BATCH = 100
# In seconds: until the next look when more is due than queues and limits have room for; longer each time while they have none,
# but not twice as long: what is with the broker must not run out before somebody has seen that half of it has begun.
_SOON, _LONGER = 0.05, 1.5
# In seconds: the longest wait for a broker that does not answer.
_LONGEST_WAIT = 5.0
# In seconds: how long a node that stops waits for a message that is being sent.
_LAST_WORDS = 5.0


class BrokerAway(Exception):
    """The broker takes no messages. Says why in a sentence of our own: a driver's may hold an address."""


class Courier(threading.Thread):
    """A thread that dispatches when it is woken.

    What it cannot hand over waits for its dispatch again, so it is any node's to try. While the broker takes nothing,
    the row of its node says since when, and why.
    """

    def __init__(
        self,
        *,
        node: str,
        time: SteadyClock,
        queues: Collection[str] | None = None,
        on_death: Callable[[BaseException], None] = lambda error: None,
        pulse: Pulse | None = None,
    ) -> None:
        super().__init__(name="cronjobs-courier", daemon=True)
        self._node, self._time, self._queues, self._on_death = node, time, queues, on_death
        self._pulse = pulse or Pulse("courier")
        self._woken, self._closed = threading.Event(), threading.Event()
        self._poll = get_settings().poll_interval.total_seconds()
        self._alias = engine_alias(JobExecution)
        self._publisher = make_publisher()
        self._is_apart = self._is_draining = self._is_more = False
        self._wait, self._failures = self._poll, 0
        # As the node's row says; None: the broker takes what it is given.
        self._away_since: datetime | None = None
        self._dispatched = 0
        self._backoff = Backoff(self._alias, "Dispatching")

    def heed(self, seen: Look) -> None:
        """Take note of what the clock saw: while the node drains, others dispatch."""
        self._is_apart, self._is_draining = seen.is_any_queue_paused, seen.is_draining
        if seen.is_dispatchable and not seen.is_everything_paused:
            self._woken.set()

    @property
    def dispatched(self) -> int:
        """How many executions it has handed over so far."""
        return self._dispatched

    def close(self) -> None:
        """Dispatch nothing more; when this returns, everything dispatched is with the broker or waits again.

        Unless the broker stands still, which nobody waits for: what it has not taken is recalled by another node.
        """
        self._closed.set()
        self._woken.set()
        if self.is_alive():
            self.join(_LAST_WORDS)
        else:
            self._publisher.close()

    def dispatch_once(self, *, least_room: int = 1) -> Claimed:
        """Hand a batch over, of queues with `least_room`, and return what that was. Raises `BrokerAway` if it takes none."""
        self._pulse.beat()
        if self._is_draining or get_settings().paused:
            return Claimed([], is_more=False)
        claimed = dispatch(
            limit=_BATCH, now=self._time.now(), queues=self._queues, is_apart=self._is_apart, least_room=least_room
        )
        waiting = {each.pk: each for each, _ in claimed.executions}
        try:
            for sent in self._publisher.publish(list(waiting.values())):
                del waiting[sent.pk]
                self._pulse.beat()
        except Exception as error:
            raise BrokerAway(why_away(error)) from error
        finally:
            self._tell_of(len(claimed.executions) - len(waiting))
            if waiting:
                take_back(waiting.values())
        return claimed

    def _tell_of(self, sent: int) -> None:
        self._dispatched += sent
        if sent:
            logger.info("Handed %s to the broker.", "1 execution" if sent == 1 else f"{sent} executions")

    def dispatch_everything(self) -> None:
        """Hand over all that is due and has a place, on the caller's thread; a broker that is away is told in the log."""
        if self._failures:
            # It would take seconds each time to find that out anew.
            return
        try:
            while self.dispatch_once().executions:
                pass
        except BrokerAway as error:
            # The rest may be performed all the same.
            self._failed(error)

    def run(self) -> None:
        belongs_to_the_engine(get_settings().lease / 2)
        try:
            with self._pulse.watched():
                while not self._closed.is_set():
                    self._pulse.beat(rest=self._wait)
                    # What comes to be due does not bring the broker back.
                    is_woken = (self._closed if self._failures else self._woken).wait(self._wait)
                    self._woken.clear()
                    if not self._closed.is_set() and (is_woken or self._is_more):
                        # Between two looks of the clock, what is with the broker is topped up only once half of it
                        # has been begun: a few executions cost as many statements as many.
                        self._round(least_room=1 if is_woken else max(1, get_settings().dispatch_limit // 2))
        except BaseException as error:
            logger.critical("The courier has stopped: %r", error)
            self._on_death(error)
            raise
        finally:
            drop_connection(self._alias)
            self._publisher.close()

    def _round(self, *, least_room: int) -> None:
        """Dispatch what is due, and settle when to look again."""
        try:
            dispatched = self.dispatch_once(least_room=least_room)
            if self._failures and not dispatched.executions:
                # It was not tried: others have handed over what was due, or that is paused, or the node drains.
                _try_broker()
            self._note_that_it_is_back()
        except BrokerAway as error:
            self._failed(error)
            return
        except Exception as error:  # noqa: BLE001 - the loop cannot die of a database
            self._is_more, self._wait = True, max(_SOON, self._backoff.failed(error))
            return
        self._backoff.succeeded()
        if self._failures:
            logger.info("The broker answers again.")
        self._failures, self._is_more = 0, dispatched.is_more
        if not dispatched.is_more:
            self._wait = self._poll
        elif dispatched.executions:
            self._wait = 0.0 if len(dispatched.executions) == _BATCH else _SOON
        else:
            self._wait = min(self._poll, max(_SOON, self._wait * _LONGER))

    def _failed(self, error: BrokerAway) -> None:
        level = logging.WARNING if not self._failures else logging.DEBUG
        logger.log(level, "Nothing can be handed to the broker. %s", error)
        self._failures += 1
        self._is_more, self._wait = True, min(_LONGEST_WAIT, 0.1 * 2.0 ** min(self._failures, 10))
        self._note_that_it_is_away(str(error))

    def _note_that_it_is_away(self, because: str) -> None:
        self._away_since = self._away_since or self._time.now()
        try:
            # With every try: somebody may have deleted the row of a node that lives.
            self._row().update(broker_away_since=self._away_since, broker_away_because=because)
        except Exception as error:  # noqa: BLE001 - the next try may come through; the log has it already
            self._wait = max(self._wait, self._backoff.failed(error))

    def _note_that_it_is_back(self) -> None:
        if self._away_since is not None:
            self._row().update(broker_away_since=None, broker_away_because="")
            self._away_since = None

    def _row(self) -> QuerySet[Node]:
        return Node.objects.filter(name=self._node)


def _try_broker() -> None:
    """Raise `BrokerAway` if there is no connection to be had."""
    try:
        reach_broker()
    except Exception as error:
        raise BrokerAway(why_away(error)) from error
