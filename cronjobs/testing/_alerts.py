"""Alerts, messages and pings that would have gone out, kept in memory instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings
from django.test.utils import override_settings

from cronjobs.alerting.looks import look_around
from cronjobs.conf import get_settings
from cronjobs.database import engine_alias, read_clock
from cronjobs.models import Alert
from cronjobs.notifications import Message, Notifier
from cronjobs.notifications.pinger import Ping, pings_kept
from cronjobs.notifications.sender import Sender
from cronjobs.testing._given import Instant, as_instant

# In seconds. Nothing in memory takes so long.
_PATIENCE: Final = 30.0
# For a project whose settings for tests have no notifiers.
_ONLY: Final = "test"


class MemoryNotifier(Notifier):
    """Keeps messages in the list that its entry in the settings holds."""

    def send(self, message: Message) -> None:
        self.options["INTO"].append((self.name, message))


class CapturedAlerts:
    """What people have been told of, and monitors.

    `alerts` are the rows, oldest first: one for each thing that began or was over. `messages` are what each notifier
    would have sent of them, and `pings` what monitors would have received.
    """

    def __init__(self, pings: list[Ping]) -> None:
        self.alerts: list[Alert] = []
        self.pings = pings
        self._sent: list[tuple[str, Message]] = []
        self._newest = Alert.objects.order_by("pk").values_list("pk", flat=True).last() or 0

    @property
    def messages(self) -> list[Message]:
        """The messages to everybody."""
        return [message for _, message in self._sent]

    def sent_to(self, notifier: str) -> list[Message]:
        """Return the messages that the notifier of that name would have sent."""
        return [message for name, message in self._sent if name == notifier]

    def look(self, at: Instant | None = None) -> list[Alert]:
        """Look, as a node does every few seconds, and return the alerts that made.

        `at` is aware, or ISO text; None: now, by the database's clock.
        """
        now = read_clock(engine_alias(Alert)) if at is None else as_instant(at)
        with override_settings(CRONJOBS=self._with_memory()):
            # Whether other nodes are silent says nothing here.
            look_around(now, is_calm=False)
            Sender(now=lambda: now).send_what_is_due(timeout=_PATIENCE)
        made = list(Alert.objects.filter(pk__gt=self._newest).order_by("pk"))
        self.alerts += made
        self._newest = max((each.pk for each in made), default=self._newest)
        return made

    def _with_memory(self) -> dict[str, Any]:
        """Return CRONJOBS with the same names of notifiers, which jobs may choose from, and others behind them."""
        entry = {"CLASS": f"{__name__}.{MemoryNotifier.__name__}", "INTO": self._sent}
        names = get_settings().notifiers or (_ONLY,)
        return {**getattr(settings, "CRONJOBS", {}), "NOTIFIERS": dict.fromkeys(names, entry)}


@contextmanager
def capture_alerts() -> Iterator[CapturedAlerts]:
    """Keep what people and monitors would be told; yield it. At the end, and whenever it is asked to, it looks.

    Alerts are weighed as ever, and their rows and deliveries written; only the notifiers are others.
    """
    with captured_alerts() as captured:
        yield captured
        captured.look()


@contextmanager
def captured_alerts() -> Iterator[CapturedAlerts]:
    """Do the same, but look only when asked to."""
    with pings_kept() as pings:
        yield CapturedAlerts(pings)
