"""The closed sets of values that columns take, and what follows from them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from cronjobs.schedules import CatchUp

# Which of the due times that came too late are still run, as people read it.
CATCH_UP_CHOICES = (
    (CatchUp.SKIP.value, _("None of them")),
    (CatchUp.LATEST.value, _("Only the newest")),
    (CatchUp.ALL.value, _("Each of them")),
)


class Overlap(models.TextChoices):
    """What happens to a due time while an earlier execution of the job is still open."""

    # It is recorded as skipped; runs asked for by hand wait for their turn.
    FORBID = "forbid", _("Skip while another is open")
    # Up to max_instances run side by side; beyond that it is skipped too.
    ALLOW = "allow", _("Run side by side")
    # One may wait for the one that runs; further ones are skipped.
    QUEUE = "queue", _("Let one wait")
    # The older one is asked to stop, and the new one starts when it has.
    REPLACE = "replace", _("Replace the older one")


class Priority(models.IntegerChoices):
    """Which of two waiting executions goes first; waiting makes up for a lower one."""

    BACKGROUND = 1, _("Background")
    LOW = 2, _("Low")
    MEDIUM = 3, _("Medium")
    HIGH = 4, _("High")
    CRITICAL = 5, _("Critical")


class ExecutorName(models.TextChoices):
    """Where the attempts of a job run."""

    # Cannot be killed, only asked to stop.
    THREAD = "thread", _("A thread of the node")
    # Can be limited, and killed.
    PROCESS = "process", _("A process of its own")
    # On any machine; there, in a process of its own if the job has limits.
    CELERY = "celery", _("A Celery worker")


class WaitsFor(models.IntegerChoices):
    """Who has to act next, so that an execution that is queued may start once it is due."""

    # Any node, which claims it and performs it itself.
    NODE = 0, _("A node")
    # Any node, which hands it to the broker.
    DISPATCH = 1, _("Its dispatch to Celery")
    # A message with its id and token is with the broker: whoever receives that.
    WORKER = 2, _("A Celery worker")


class Staleness(models.IntegerChoices):
    """What the database itself says about a job's plan; nodes look for everything but zero."""

    CURRENT = 0
    # A planning column was changed, by whatever means.
    EDITED = 1
    # It could not be planned; what is wrong may lie in any column, so it is tried again and again.
    BROKEN = 2


class Trigger(models.TextChoices):
    """Why an execution exists."""

    SCHEDULE = "schedule", _("Schedule")
    CATCH_UP = "catch_up", _("Catch-up")
    BACKFILL = "backfill", _("Backfill")
    MANUAL = "manual", _("Manual")
    API = "api", _("API")
    # Everything it waits for has ended as it should.
    DEPENDENCY = "dependency", _("Dependency")
    # Somebody wants to have it done again.
    RETRY = "retry", _("Retry")


class NodeStatus(models.TextChoices):
    """Whether a node is there and, if so, whether it takes work."""

    ALIVE = "alive", _("Alive")
    # Somebody has asked it to: it claims nothing more, and ends when what it runs has ended.
    DRAINING = "draining", _("Draining")
    # It has not said that it stops, and its last heartbeat is older than a lease.
    SILENT = "silent", _("Dead")
    STOPPED = "stopped", _("Stopped")


class KeyState(models.TextChoices):
    """Whether a key of the API lets its user in and, if not, why."""

    GOOD = "good", _("Good")
    REVOKED = "revoked", _("Revoked")
    EXPIRED = "expired", _("Expired")
    USER_INACTIVE = "user_inactive", _("User not active")
