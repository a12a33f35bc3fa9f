"""What people may be told of, as data: the kinds of alerts, and the policy that says which, whom and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy

from cronjobs.exceptions import InvalidAlert
from cronjobs.language import gettext as _
from cronjobs.parsing import as_delay, did_you_mean

# Stands for an empty list where empty text would mean: inherit.
NOTHING: Final = "none"
# So many executions are looked at to tell whether a job is failing.
MOST_FAILURES: Final = 100
_NOTIFIER_MAX_LENGTH: Final = 50


class AlertKind(TextChoices):
    """What is wrong. Each kind is told once per subject when it begins, and some once more when it is over."""

    # The newest so many executions have failed or timed out; its end is called a recovery.
    FAILING = "failing", pgettext_lazy("alert", "Failing")
    # Due times passed while nobody was there to serve them.
    MISSED = "missed", pgettext_lazy("alert", "Missed")
    # An execution has waited for its start longer than its job tolerates.
    LATE = "late", pgettext_lazy("alert", "Late")
    # An execution runs longer than is expected of its job, or than its timeout in a thread.
    OVERRUNNING = "overrunning", pgettext_lazy("alert", "Overrunning")
    # Nothing of the job has succeeded for longer than it may.
    NO_SUCCESS = "no_success", pgettext_lazy("alert", "No success")
    # The worker of an execution vanished.
    LOST = "lost", pgettext_lazy("alert", "Lost")
    # A node fell silent without saying that it stops.
    NODE_GONE = "node_gone", pgettext_lazy("alert", "Node gone")
    # A Celery worker did.
    WORKER_GONE = "worker_gone", pgettext_lazy("alert", "Celery worker gone")
    # Executions of a queue are due, and none of them is started.
    QUEUE_STUCK = "queue_stuck", pgettext_lazy("alert", "Queue stuck")
    MONGODB_UNREACHABLE = "mongodb_unreachable", pgettext_lazy("alert", "MongoDB unreachable")


# About one job, whose own policy decides; the others are about the site.
JOB_KINDS = (
    AlertKind.FAILING,
    AlertKind.MISSED,
    AlertKind.LATE,
    AlertKind.OVERRUNNING,
    AlertKind.NO_SUCCESS,
    AlertKind.LOST,
)
# These end in silence: a thing that happened does not stop happening.
TOLD_ONCE = frozenset({AlertKind.MISSED, AlertKind.LOST, AlertKind.NODE_GONE, AlertKind.WORKER_GONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """Of what, whom and when people are told about a job; None leaves it to the settings.

    `on` are kinds of alerts and `to` names of notifiers, as a list or as text with commas;
    "none", or an empty list, stands for none of them. `after` is how many executions in a row
    have to fail. `late_after`, `expected_duration` and `no_success_after` are a ``timedelta`` or
    seconds; of what has no such limit, neither job nor settings, nobody is told.
    """

    on: tuple[AlertKind, ...] | None = None
    to: tuple[str, ...] | None = None
    after: int | None = None
    late_after: timedelta | None = None
    expected_duration: timedelta | None = None
    no_success_after: timedelta | None = None

    if TYPE_CHECKING:
        # What may be given; what it becomes is above.
        def __init__(
            self,
            *,
            on: str | Iterable[str] | None = None,
            to: str | Iterable[str] | None = None,
            after: int | None = None,
            late_after: timedelta | float | None = None,
            expected_duration: timedelta | float | None = None,
            no_success_after: timedelta | float | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        """Make values of text and seconds, and refuse a policy that could never have been meant."""
        if self.on is not None:
            object.__setattr__(self, "on", parse_job_kinds(self.on))
        if self.to is not None:
            object.__setattr__(self, "to", parse_notifiers(self.to))
        is_number = isinstance(self.after, int) and not isinstance(self.after, bool)
        if self.after is not None and not (is_number and 1 <= self.after <= MOST_FAILURES):
            message = _("after must be a whole number from 1 to %(most)d, not %(value)r.")
            raise InvalidAlert(message % {"most": MOST_FAILURES, "value": self.after})
        for name in ("late_after", "expected_duration", "no_success_after"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, _limit(value, name))


def parse_kinds(value: str | Iterable[str]) -> tuple[AlertKind, ...]:
    """Return the kinds that text with commas, or a list, names; raise `InvalidAlert` for what is none."""
    names = _parts(value)
    for name in names:
        if name not in AlertKind:
            message = _("There is no kind of alert %(name)r.") % {"name": name}
            raise InvalidAlert(message + did_you_mean(name, AlertKind.values))
    return tuple(AlertKind(name) for name in names)


def parse_job_kinds(value: str | Iterable[str]) -> tuple[AlertKind, ...]:
    """Return the kinds that text with commas, or a list, names; raise `InvalidAlert` for those that are about no job."""
    kinds = parse_kinds(value)
    for kind in kinds:
        if kind not in JOB_KINDS:
            message = _("%(kind)s is about the site and not about a job: CRONJOBS['ALERTS']['ON'] has it.")
            raise InvalidAlert(message % {"kind": kind.value})
    return kinds


def parse_notifiers(value: str | Iterable[str]) -> tuple[str, ...]:
    """Return the names of notifiers that text with commas, or a list, has; raise `InvalidAlert` for what is no name."""
    names = _parts(value)
    for name in names:
        if len(name) > _NOTIFIER_MAX_LENGTH or not name.isprintable():
            message = _("A notifier's name has up to %(most)d characters: %(name)r has not.")
            raise InvalidAlert(message % {"most": _NOTIFIER_MAX_LENGTH, "name": name[:60]})
    return names


def names_text(names: Iterable[str]) -> str:
    """Return names as the text that stands for them in a column."""
    return ", ".join(names) or NOTHING


def _parts(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    if not all(isinstance(each, str) for each in parts):
        message = _("It must be names with commas between them, or a list of them, not %(value)r.")
        raise InvalidAlert(message % {"value": value})
    names = [name for each in parts if (name := each.strip())]
    if names == [NOTHING]:
        return ()
    if NOTHING in names:
        raise InvalidAlert(_("%(word)r stands alone.") % {"word": NOTHING})
    for name in names:
        if names.count(name) > 1:
            raise InvalidAlert(_("%(name)s is named twice.") % {"name": name})
    return tuple(names)


def _limit(value: Any, name: str) -> timedelta:
    limit = as_delay(value, name)
    if limit <= timedelta(0):
        raise InvalidAlert(_("%(name)s must be more than nothing.") % {"name": name})
    return limit
