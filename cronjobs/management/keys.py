"""What a command is given that concerns keys of the API, and what it says of them."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.utils import timezone

from cronjobs.management.arguments import instant, said
from cronjobs.management.outcomes import for_terminal
from cronjobs.management.output import from_now
from cronjobs.models import ApiKey
from cronjobs.models.api_key import MARK
from cronjobs.scheduler.requests import in_utc
from cronjobs.storable import rfc3339

_UNITS = {"d": "days", "h": "hours", "min": "minutes"}
_SPAN = re.compile(r"([1-9]\d{0,4}) ?(d|h|min)", re.ASCII)
_PREFIX = re.compile(r"[0-9a-z]{1,20}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ARGUMENTS = {"name": "NAME", "user": "--user", "actions": "--action", "jobs": "--job", "expires_at": "--expires"}
HEADER = ("KEY", "NAME", "USER", "STATE", "ACTIONS", "JOBS", "EXPIRES", "USED")


def key_prefix(text: str) -> str:
    """Return the prefix of the key that an argument names, by its first part or all of it."""
    # What was given is not repeated: it may be a whole key.
    found = text.removeprefix(f"{MARK}_").partition("_")[0].lower()
    if not _PREFIX.fullmatch(found):
        raise ArgumentTypeError(f"A key is named by its first part, such as {MARK}_0123456789; cronkey list has it.")
    return found


def span(text: str) -> timedelta:
    """Return the span of time that an argument says."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is no span of time, such as 90d, 12h or 30min.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def expiry(text: str) -> datetime | None:
    """Return when a key is to expire that is made now; None: never."""
    if text == "never":
        return None
    try:
        if _SPAN.fullmatch(text):
            return timezone.now() + span(text)
        return instant(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text)
    except ArgumentTypeError:
        pass
    examples = "90d, 12h, 2027-01-01 (its beginning in UTC), 2027-01-01T06:00:00Z or never"
    raise ArgumentTypeError(f"{text!r} does not say when the key expires; write {examples}.")


@contextmanager
def refused_values_explained() -> Iterator[None]:
    """Turn what cannot be meant into one line that names the argument, and exit code 2."""
    try:
        yield
    except ValidationError as error:
        by_field = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        sentences = [_sentence(field, each) for field, messages in by_field.items() for each in messages]
        raise CommandError(said(" ".join(sentences)), returncode=2) from error


def key_row(key: ApiKey, now: datetime) -> tuple[str, ...]:
    """Return what the columns of `HEADER` say of a key."""
    return (
        key.label,
        for_terminal(key.name),
        for_terminal(key.user.get_username()),
        key.state(now).replace("_", " "),
        ", ".join(sorted(key.allowed)) or "none",
        _jobs(key),
        "never" if key.expires_at is None else from_now(key.expires_at, now),
        "never" if key.last_used_at is None else from_now(key.last_used_at, now),
    )


def ending(key: ApiKey) -> str:
    """Return until when a key is good, as the rest of a sentence."""
    if key.revoked_at is not None:
        return "is revoked"
    return "never expires" if key.expires_at is None else f"expires at {in_utc(key.expires_at)}"


def key_sentence(key: ApiKey) -> str:
    """Return what a key is good for, in one line."""
    actions = ", ".join(sorted(key.allowed))
    return f"{key} acts for {key.user.get_username()}: {actions}; jobs: {_jobs(key)}. It {ending(key)}."


def key_document(key: ApiKey, now: datetime) -> dict[str, Any]:
    """Return a key as JSON data; `jobs` is None if it reaches all."""
    return {
        "key": key.label,
        "name": key.name,
        "user": key.user.get_username(),
        "state": str(key.state(now)),
        "actions": sorted(key.allowed),
        "jobs": None if key.reach is None else sorted(key.reach),
        "createdAt": rfc3339(key.created_at),
        "expiresAt": _moment(key.expires_at),
        "revokedAt": _moment(key.revoked_at),
        "lastUsedAt": _moment(key.last_used_at),
    }


def _sentence(field: str, message: str) -> str:
    argument = _ARGUMENTS.get(field)
    return f"{argument}: {message}" if argument else message


def _jobs(key: ApiKey) -> str:
    return "all" if key.reach is None else ", ".join(sorted(key.reach)) or "none"


def _moment(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
