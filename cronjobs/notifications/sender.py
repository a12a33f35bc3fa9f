"""The thread that sends what is due. It holds no transaction meanwhile, and nobody waits for it."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connections

from cronjobs.conf import get_settings, words_to_mask
from cronjobs.database import Backoff, belongs_to_the_engine, drop_connection, engine_alias
from cronjobs.exceptions import InvalidSettings, SendingFailed
from cronjobs.models import AlertDelivery
from cronjobs.notifications.configured import get_notifier
from cronjobs.notifications.deliveries import (
    claim,
    due_notifiers,
    is_too_old,
    message_of,
    record_failure,
    record_sent,
)
from cronjobs.notifications.messages import Message, header_text
from cronjobs.storable import storable_text
from cronjobs.vitals import Pulse

logger = logging.getLogger(__name__)

# Between two looks at what is due, in seconds.
POLL = 5.0
# A send that takes longer counts as failed, before its lease ends; what the notifier sets itself is shorter.
LONGEST_SEND = 45.0
_ERROR_MAX_BYTES = 1_000


@dataclass(eq=False, slots=True)
class _Sending:
    """A delivery in the hands of its notifier; `failure` is None where that has taken it."""

    delivery: AlertDelivery
    started: float = field(default_factory=time.monotonic)
    failure: SendingFailed | None = None
    is_given_up: bool = False

    @property
    def notifier(self) -> str:
        return self.delivery.notifier


class Sender(threading.Thread):
    """Claims deliveries that are due, hands each to its notifier, and records what became of it.

    Every notifier sends on a thread of its own, one message at a time, so one that hangs holds
    nobody else up. `now` is the engine's clock; `on_death` is called if the thread ends other than
    by `close`.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        on_death: Callable[[BaseException], None] = lambda error: None,
        longest_send: float = LONGEST_SEND,
        pulse: Pulse | None = None,
    ) -> None:
        super().__init__(name="cronjobs-sender", daemon=True)
        self._now, self._on_death, self._longest_send = now, on_death, longest_send
        self._pulse = pulse or Pulse("sender")
        self._alias = engine_alias(AlertDelivery)
        self._backoff = Backoff(self._alias, "Sending alerts")
        # What has ended; None: look now.
        self._events: queue.SimpleQueue[_Sending | None] = queue.SimpleQueue()
        self._busy: dict[str, _Sending] = {}
        self._unrecorded: list[_Sending] = []
        self._closed_at: float | None = None

    def wake(self) -> None:
        """Look now for what is due."""
        self._events.put(None)

    def close(self, *, timeout: float) -> None:
        """Send nothing more; wait at most `timeout` seconds for what is being sent.

        What has not ended by then is sent again when its lease has run out, by whoever comes, and marked.
        """
        self._closed_at = time.monotonic() + timeout
        self.wake()
        if self.is_alive():
            self.join(timeout)

    def run(self) -> None:
        belongs_to_the_engine(get_settings().lease / 2)
        wait = 0.0
        try:
            with self._pulse.watched():
                while not self._is_over():
                    self._pulse.beat(rest=wait)
                    self._listen(wait)
                    self._pulse.beat()
                    wait = self._round()
        except BaseException as error:
            logger.critical("The sender of alerts has stopped: %r", error)
            self._on_death(error)
            raise
        finally:
            drop_connection(self._alias)

    def send_what_is_due(self, *, timeout: float) -> None:
        """Send on this thread's behalf until nothing is due any more, or `timeout` seconds have passed."""
        deadline = time.monotonic() + timeout
        is_more = True
        while time.monotonic() < deadline and (is_more or self._busy or self._unrecorded):
            is_more = self._step() > 0
            if self._busy:
                self._listen(0.1)

    def _is_over(self) -> bool:
        if self._closed_at is None:
            return False
        return not (self._busy or self._unrecorded) or time.monotonic() >= self._closed_at

    def _listen(self, wait: float) -> None:
        """Take what has ended, after at most `wait` seconds without any."""
        try:
            item = self._events.get(timeout=wait) if wait > 0 else self._events.get_nowait()
            while True:
                if item is not None:
                    self._ended(item)
                item = self._events.get_nowait()
        except queue.Empty:
            return

    def _round(self) -> float:
        """Record and send, and return the seconds until the next look."""
        try:
            self._step()
        except Exception as error:  # noqa: BLE001 - the loop cannot die of a database
            return self._backoff.failed(error)
        self._backoff.succeeded()
        return min(POLL, self._longest_send)

    def _step(self) -> int:
        """Record what has ended and begin to send what is due; return how many of these there were."""
        self._give_up()
        while self._unrecorded:
            self._record(self._unrecorded[0])
            self._unrecorded.pop(0)
        return 0 if self._closed_at is not None else self._begin()

    def _begin(self) -> int:
        begun = 0
        for name in sorted(due_notifiers(self._now())):
            in_hand = self._busy.get(name)
            if in_hand is not None and not in_hand.is_given_up:
                continue
            if (delivery := claim(name, self._now())) is not None:
                begun += 1
                self._hand_over(_Sending(delivery), is_stuck=in_hand is not None)
        return begun

    def _hand_over(self, sending: _Sending, *, is_stuck: bool) -> None:
        """Start to send, unless it is known already that this cannot be."""
        name, delivery = sending.notifier, sending.delivery
        if is_too_old(delivery, self._now()):
            sending.failure = SendingFailed(delivery.last_error or "No attempt to send it has come to an end.")
        elif is_stuck:
            sending.failure = SendingFailed("The notifier still hangs in an earlier message.")
        if sending.failure is not None:
            self._unrecorded.append(sending)
            self.wake()
            return
        message = message_of(delivery)
        worker = threading.Thread(
            target=self._send, args=(sending, message), name=f"cronjobs-notifier-{name}", daemon=True
        )
        # Where there can be no more threads it raises, and the notifier is not busy.
        worker.start()
        self._busy[name] = sending

    def _send(self, sending: _Sending, message: Message) -> None:
        try:
            sending.failure = send_through(sending.notifier, message)
            # What the notifier did with databases was on this thread.
            connections.close_all()
        except BaseException as error:  # noqa: BLE001 - asyncio's CancelledError, for one; nobody else wants it here
            sending.failure = SendingFailed(f"The notifier was ended by {type(error).__name__}.", may_have_arrived=True)
        finally:
            self._events.put(sending)

    def _ended(self, sending: _Sending) -> None:
        if self._busy.get(sending.notifier) is sending:
            del self._busy[sending.notifier]
        if sending.is_given_up:
            logger.warning("The notifier %s has come back from a message that had been given up.", sending.notifier)
        else:
            self._unrecorded.append(sending)

    def _give_up(self) -> None:
        for sending in self._busy.values():
            if not sending.is_given_up and time.monotonic() - sending.started > self._longest_send:
                what = f"The notifier did not come back within {self._longest_send:g} s."
                given_up = _Sending(sending.delivery, failure=SendingFailed(what, may_have_arrived=True))
                sending.is_given_up = True
                self._unrecorded.append(given_up)

    def _record(self, sending: _Sending) -> None:
        failure = sending.failure
        if failure is None:
            is_recorded = record_sent(sending.delivery, self._now())
        else:
            is_recorded = record_failure(sending.delivery, failure, self._now())
        if not is_recorded:
            logger.warning("Alert %s to %s: somebody else sends it now.", sending.delivery.alert, sending.notifier)


def send_through(name: str, message: Message) -> SendingFailed | None:
    """Send `message` through the notifier `name`; return None if it was taken, else why not, without secrets."""
    try:
        get_notifier(name).send(message)
    except SendingFailed as error:
        return SendingFailed(_said(str(error)), may_have_arrived=error.may_have_arrived)
    except InvalidSettings as error:
        return SendingFailed(_said(str(error)))
    except (Exception, SystemExit) as error:
        # Its text may be secret, so where it was raised is told to those only who ask for it.
        logger.debug("The notifier %s has failed.", name, exc_info=True)
        return SendingFailed(_said(f"{type(error).__name__}: {storable_text(error)}"))
    return None


def _said(text: str) -> str:
    return header_text(storable_text(text, max_bytes=_ERROR_MAX_BYTES, mask=words_to_mask()))
