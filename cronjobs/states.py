"""The lifecycle of an execution, as data: which state may follow which."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy

from cronjobs.exceptions import IllegalMove


class ExecutionStatus(TextChoices):
    """Where an execution stands."""

    # Waiting for its time or for a worker; also between two attempts.
    QUEUED = "queued", pgettext_lazy("execution", "Queued")
    # A worker holds the claim and renews its lease.
    RUNNING = "running", pgettext_lazy("execution", "Running")
    # The job returned.
    SUCCEEDED = "succeeded", pgettext_lazy("execution", "Succeeded")
    # The job raised, and no attempt is left or the error is never retried.
    FAILED = "failed", pgettext_lazy("execution", "Failed")
    # The last attempt took longer than the job's timeout.
    TIMED_OUT = "timed_out", pgettext_lazy("execution", "Timed out")
    # A person or a program called it off, and the code has really stopped.
    CANCELLED = "cancelled", pgettext_lazy("execution", "Cancelled")
    # Its worker vanished; whether the work was done is not known.
    LOST = "lost", pgettext_lazy("execution", "Lost")
    # Deliberately not performed; the reason is recorded.
    SKIPPED = "skipped", pgettext_lazy("execution", "Skipped")
    # Due times that nobody was there to serve; the row names the span.
    MISSED = "missed", pgettext_lazy("execution", "Missed")


_S = ExecutionStatus

MOVES: dict[ExecutionStatus, frozenset[ExecutionStatus]] = {
    _S.QUEUED: frozenset({_S.RUNNING, _S.CANCELLED, _S.SKIPPED}),
    _S.RUNNING: frozenset({_S.SUCCEEDED, _S.FAILED, _S.QUEUED, _S.TIMED_OUT, _S.CANCELLED, _S.LOST, _S.SKIPPED}),
    _S.SUCCEEDED: frozenset(),
    _S.FAILED: frozenset(),
    # With attempts left, and with `rerun_lost`, the same row goes back to the queue.
    _S.TIMED_OUT: frozenset({_S.QUEUED}),
    _S.CANCELLED: frozenset(),
    _S.LOST: frozenset({_S.QUEUED}),
    # A back-fill may revive what overlap had skipped.
    _S.SKIPPED: frozenset({_S.QUEUED}),
    _S.MISSED: frozenset(),
}

OPEN = frozenset({_S.QUEUED, _S.RUNNING})
FINAL = frozenset(_S) - OPEN
# What counts against a job when its success rate is shown.
UNSUCCESSFUL = frozenset({_S.FAILED, _S.TIMED_OUT, _S.LOST})


def ensure_move(current: str, target: str) -> None:
    """Return if `target` may follow `current`; raise `IllegalMove` otherwise."""
    if ExecutionStatus(target) not in MOVES[ExecutionStatus(current)]:
        raise IllegalMove(current, target)
