"""What single settings may be: a parser for each kind of value that is this app's own, and the defaults of mappings."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Any, Final

from cronjobs.alerts import AlertKind, parse_kinds, parse_notifiers
from cronjobs.exceptions import InvalidAlert, InvalidSettings
from cronjobs.limits import RateLimit, parse_rate_limit
from cronjobs.parsing import PARSERS, Parser, rates

EXECUTORS = ("thread", "process", "celery")
DEFAULT_SCHEDULES: Mapping[str, str | None] = types.MappingProxyType(
    {
        "cleanup-legacy-conversations": "*/5 * * * *",
        "cleanup-old-quotes": "0 2 * * *",
        "health-check": "*/10 * * * *",
        "roll-up-history": "6 * * * *",
    }
)
# Requests of one caller to the HTTP API; of `refused`, answers 401 and 403 to one address.
DEFAULT_THROTTLES: Mapping[str, RateLimit | None] = types.MappingProxyType(
    {
        scope: parse_rate_limit(rate)
        for scope, rate in (("read", "12000/min"), ("write", "1200/min"), ("execute", "600/min"), ("refused", "60/min"))
    }
)


def _schedules(value: Any, path: str) -> Mapping[str, str | None]:
    if not isinstance(value, Mapping):
        raise InvalidSettings(f"{path} must be a dict of job name to schedule, not {value!r}.")
    for name, schedule in value.items():
        if not isinstance(name, str) or not isinstance(schedule, str | None):
            raise InvalidSettings(f"{path}[{name!r}] must be a schedule as text, or None, not {schedule!r}.")
    return types.MappingProxyType({**DEFAULT_SCHEDULES, **value})


# They stand in comma lists, and in short columns.
_NOTIFIER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}", re.ASCII)


def _notifiers(value: Any, path: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the entries as they are, in a mapping that does not change. What they say may be secret: nothing is quoted."""
    if not isinstance(value, Mapping):
        raise InvalidSettings(f"{path} must be a dict of name to options, not {type(value).__name__}.")
    for name, options in value.items():
        if not isinstance(name, str) or not _NOTIFIER_NAME.fullmatch(name):
            raise InvalidSettings(
                f"{path} has a name that is none: {name!r}. Use up to 50 lower-case letters, digits, hyphens and underscores."
            )
        if not isinstance(options, Mapping) or not isinstance(options.get("CLASS"), str):
            raise InvalidSettings(f"{path}[{name!r}] must be a dict that has at least CLASS: email, webhook or a path.")
    return types.MappingProxyType(dict(value))


def _queue_executors(value: Any, path: str) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise InvalidSettings(f"{path} must be a dict of queue name to executor, not {value!r}.")
    for name, executor in value.items():
        if not isinstance(name, str) or executor not in EXECUTORS:
            raise InvalidSettings(
                f"{path}[{name!r}] must be one of {', '.join(map(repr, EXECUTORS))}, not {executor!r}."
            )
    return types.MappingProxyType(dict(value))


def _throttles(value: Any, path: str) -> Mapping[str, RateLimit | None]:
    return rates(value, path, defaults=DEFAULT_THROTTLES)


def _kinds(value: Any, path: str) -> tuple[AlertKind, ...]:
    try:
        return parse_kinds(value)
    except InvalidAlert as error:
        raise InvalidSettings(f"{path}: {error}") from None


def _notifiers_or_none(value: Any, path: str) -> tuple[str, ...] | None:
    try:
        return None if value is None else parse_notifiers(value)
    except InvalidAlert as error:
        raise InvalidSettings(f"{path}: {error}") from None


PARSER_OF: Final[Mapping[Any, Parser]] = {
    **PARSERS,
    tuple[AlertKind, ...]: _kinds,
    tuple[str, ...] | None: _notifiers_or_none,
    Mapping[str, str]: _queue_executors,
    Mapping[str, str | None]: _schedules,
    Mapping[str, RateLimit | None]: _throttles,
    Mapping[str, Mapping[str, Any]]: _notifiers,
}
