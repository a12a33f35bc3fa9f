"""The security log: who did what to jobs, queues, nodes and keys, and who was refused, as records of one logger.

Each record has the same fields (`FIELDS`), whatever it tells of, so that a program can read them.
What is changed is told once it is committed; a refusal at once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from django.db import transaction

from cronjobs.conf import words_to_mask
from cronjobs.storable import bounded_json, storable_text

logger = logging.getLogger("cronjobs.security")

FIELDS: Final = ("event", "outcome", "actor", "actor_kind", "key_prefix", "address", "action", "target", "details")

# Of one text, and of all details together, in bytes.
_LONGEST: Final = 300
_MOST_DETAILS: Final = 8_000


class ActorKind(StrEnum):
    """By what somebody was let in."""

    # Logged in, in the admin or the API.
    SESSION = "session"
    # A token of REST framework's.
    TOKEN = "token"  # noqa: S105 - no secret
    # A key of the API.
    KEY = "key"
    # A command, on the machine itself.
    SHELL = "shell"
    # Nobody was let in.
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something: the name of a user, by what he was let in, from where, and with which action.

    `action` names the address of the API or the admin, or the command. `key_prefix` is the part of a
    key that is no secret. `user_id` is None where no user of Django's is known.
    """

    name: str = ""
    kind: ActorKind = ActorKind.NOBODY
    key_prefix: str = ""
    address: str = ""
    action: str = ""
    user_id: Any = None


class Event(StrEnum):
    """What the log tells of. Events are added, never changed. `details` says what a record has in that field."""

    meaning: str
    details: str

    def __new__(cls, event: str, meaning: str, details: str = "") -> Self:
        self = str.__new__(cls, event)
        self._value_, self.meaning, self.details = event, meaning, details
        return self

    @property
    def is_refusal(self) -> bool:
        """Whether somebody wanted what he was not given: a WARNING."""
        return self.value.startswith("request.")

    REQUEST_REFUSED = (
        "request.refused",
        "The API answered 401, 403 or 429, or a page of the admin 403.",
        "`status`, `code`",
    )
    REFUSED_REPEATEDLY = (
        "request.refused_repeatedly",
        "An address, or a user, was refused `SUSPICIOUS_REFUSALS` times within `SUSPICIOUS_WINDOW`; told once in that time.",
        "`count`, `since`",
    )
    JOB_CREATED = "job.created", "A job was made."
    JOB_RESCHEDULED = (
        "job.rescheduled",
        "What decides when a job is due was changed, perhaps beside other columns.",
        "`changes`",
    )
    JOB_CHANGED = "job.changed", "Other columns of a job were changed.", "`changes`"
    JOB_PAUSED = "job.paused", "A job was paused, or its pause was given another end.", "`changes`"
    JOB_RESUMED = "job.resumed", "A job was resumed.", "`changes`"
    JOB_ENABLED = "job.enabled", "A job was enabled.", "`changes`"
    JOB_DISABLED = "job.disabled", "A job was disabled.", "`changes`"
    JOB_DELETED = "job.deleted", "A job was deleted; its history stays."
    CALENDAR_CREATED = "calendar.created", "A calendar was made."
    CALENDAR_CHANGED = (
        "calendar.changed",
        "A calendar, and with it the due times of its jobs, was changed.",
        "`changes`",
    )
    CALENDAR_DELETED = "calendar.deleted", "A calendar was deleted."
    QUEUE_CREATED = "queue.created", "Something was decided about a queue for the first time."
    QUEUE_CHANGED = "queue.changed", "A queue's limit or description was changed.", "`changes`"
    QUEUE_PAUSED = "queue.paused", "A queue was paused.", "`changes`"
    QUEUE_RESUMED = "queue.resumed", "A queue was resumed.", "`changes`"
    QUEUE_DELETED = "queue.deleted", "What was decided about a queue was deleted."
    EVERYTHING_PAUSED = "everything.paused", "Everything was paused.", "`changes`"
    EVERYTHING_RESUMED = "everything.resumed", "Everything was resumed.", "`changes`"
    EXECUTION_REQUESTED = "execution.requested", "A job was run by hand.", "`execution`"
    EXECUTION_RETRIED = (
        "execution.retried",
        "An execution was run again; `target` is that one.",
        "`execution`: the new one",
    )
    EXECUTION_CANCELLED = "execution.cancelled", "An execution was cancelled, or asked to stop."
    NODE_DRAINED = "node.drained", "A node was asked to drain."
    NODE_UNDRAINED = "node.undrained", "A node that drained was asked to keep working."
    KEY_CREATED = "key.created", "A key was made.", "`user`, `actions`, `jobs`, `expires`"
    KEY_CHANGED = "key.changed", "A key's name, limits or end were changed.", "`fields`"
    KEY_REVOKED = "key.revoked", "A key was revoked."
    KEY_ROTATED = (
        "key.rotated",
        "A key was replaced; `target` is the old one.",
        "`by`: the new one; its `user`, `actions`, `jobs`, `expires`",
    )
    KEY_DELETED = "key.deleted", "A key's row was deleted."
    KEY_USED = "key.used", "A key let somebody in, for the first time from this address in an hour."


def tell(
    event: Event,
    actor: Actor,
    *,
    target: object = "",
    details: Mapping[str, Any] | None = None,
    using: str | None = None,
) -> None:
    """Log what `actor` did to `target`, or was refused.

    `details` are JSON data; secrets in them are masked. `using` is the alias of the database that has
    the change: then it is told as soon as the transaction there is committed, and not if it is rolled back.
    """
    facts = _facts(event, actor, target, details or {})
    level = logging.WARNING if event.is_refusal else logging.INFO
    if using is None:
        _log(level, facts)
    else:
        transaction.on_commit(lambda: _log(level, facts), using=using, robust=True)


def escaped_line(value: object) -> str:
    """Return `value` as text in which nothing begins another line, or looks as if it did: masked, and cut where it is long."""
    text = storable_text(value, max_bytes=_LONGEST, mask=words_to_mask())
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def _facts(event: Event, actor: Actor, target: object, details: Mapping[str, Any]) -> dict[str, Any]:
    shown, _ = bounded_json(dict(details), max_bytes=_MOST_DETAILS, mask=words_to_mask())
    return {
        "event": str(event),
        "outcome": "refused" if event.is_refusal else "done",
        "actor": escaped_line(actor.name),
        "actor_kind": str(actor.kind),
        "key_prefix": escaped_line(actor.key_prefix),
        "address": escaped_line(actor.address),
        "action": escaped_line(actor.action),
        "target": escaped_line(target),
        "details": shown,
    }


def _log(level: int, facts: dict[str, Any]) -> None:
    # Quoted, so that a name with spaces in it cannot pass for the rest of the sentence.
    names = ("event", "outcome", "target", "actor", "actor_kind", "key_prefix", "address", "action", "details")
    sentence = "%s (%s): %r, by %r (%s %s) from %r with %r: %r"
    logger.log(level, sentence, *(facts[each] for each in names), extra=facts)
