"""What people may be told of, as data: the kinds of alerts, and which of them have an end worth telling."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy


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
TOLD_ONCE = frozenset({AlertKind.MISSED, AlertKind.LOST, AlertKind.NODE_GONE})
