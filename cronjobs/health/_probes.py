"""What a probe is, and how looking becomes one: timed, and never raising."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from django.db import DatabaseError, InterfaceError, connections, transaction

from cronjobs.conf import get_settings, words_to_mask
from cronjobs.database import engine_alias
from cronjobs.exceptions import CronJobsError, InvalidSettings
from cronjobs.health._errors import explain_database_error
from cronjobs.models import JobExecution
from cronjobs.storable import storable_text


class Status(StrEnum):
    """How a part of the installation is."""

    # As it should be.
    OK = "ok"
    # As it is meant to be, which is not what everybody expects.
    NOTICE = "notice"
    # Works, but somebody should look at it.
    WARNING = "warning"
    # Does not work.
    FAILED = "failed"
    # There is nothing here to work; that is healthy.
    NOT_CONFIGURED = "not_configured"
    # Could not be looked at, for a reason that another probe gives.
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a look at one part of the installation showed.

    `message` is for people, and holds no secret; of several `problems` each is a sentence.
    `details` are JSON data with camelCase keys.
    """

    name: str = ""
    status: Status
    message: str
    problems: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    duration_ms: float = 0.0

    @property
    def is_healthy(self) -> bool:
        """Whether nothing has failed; a warning is healthy."""
        return self.status != Status.FAILED

    def as_json(self) -> dict[str, Any]:
        """Return the probe as JSON data, the details among the rest; what an error has said is masked."""
        return {
            "status": str(self.status),
            "message": storable_text(self.message, mask=words_to_mask()),
            "durationMs": self.duration_ms,
            **self.details,
        }


def fine(message: str, **details: Any) -> Probe:
    """Return a probe that found everything as it should be."""
    return Probe(status=Status.OK, message=message, details=details)


def notice(message: str, **details: Any) -> Probe:
    """Return a probe that found everything as it is meant to be, which is not what everybody expects."""
    return Probe(status=Status.NOTICE, message=message, details=details)


def nothing_there(message: str, **details: Any) -> Probe:
    """Return a probe that found nothing to look at."""
    return Probe(status=Status.NOT_CONFIGURED, message=message, details=details)


def warn(*problems: str, **details: Any) -> Probe:
    """Return a probe that found something somebody should look at."""
    return Probe(status=Status.WARNING, message=" ".join(problems), problems=problems, details=details)


def fail(*problems: str, **details: Any) -> Probe:
    """Return a probe that found something broken."""
    return Probe(status=Status.FAILED, message=" ".join(problems), problems=problems, details=details)


def probe(name: str) -> Callable[[Callable[[], Probe]], Callable[[], Probe]]:
    """Make of a function that looks one that also says its `name` and how long it took, and never raises."""

    def decorate(look: Callable[[], Probe]) -> Callable[[], Probe]:
        @functools.wraps(look)
        def measured() -> Probe:
            started = time.monotonic()
            found = _guarded(look)
            return replace(found, name=name, duration_ms=milliseconds(time.monotonic() - started))

        return measured

    return decorate


def milliseconds(seconds: float) -> float:
    """Return a duration as people read it in reports."""
    return round(seconds * 1000, 2)


def count(number: int, noun: str, plural: str = "") -> str:
    """Return "1 node" or "2 nodes"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def _guarded(look: Callable[[], Probe]) -> Probe:
    try:
        return _look_apart(look)
    except (DatabaseError, InterfaceError) as error:
        return fail(explain_database_error(error))
    except CronJobsError as error:
        # One sentence about settings is enough: that of `check_configuration`.
        return fail(str(error)) if _settings_are_understood() else _not_checked()
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what the probe is asked for
        return fail(f"This could not be checked: {type(error).__name__}: {error}")


def _settings_are_understood() -> bool:
    try:
        get_settings()
    except InvalidSettings:
        return False
    return True


def _not_checked() -> Probe:
    return Probe(status=Status.NOT_CHECKED, message="Not checked, since the settings cannot be understood.")


def _look_apart(look: Callable[[], Probe]) -> Probe:
    """Look so that a statement that fails does not spoil the caller's transaction, if there is one."""
    alias = engine_alias(JobExecution)
    with transaction.atomic(using=alias) if connections[alias].in_atomic_block else nullcontext():
        return look()
