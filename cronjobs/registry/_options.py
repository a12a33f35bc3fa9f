"""What a declaration may say, checked at the door."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from cronjobs.addresses import parse_address
from cronjobs.alerts import AlertPolicy
from cronjobs.conf import EXECUTORS
from cronjobs.exceptions import InvalidAddress, InvalidDefinition
from cronjobs.registry._names import OVERLAPS, is_valid_name, is_valid_queue
from cronjobs.retries import RetryPolicy
from cronjobs.schedules import Schedule, parse_schedule, parse_time_zone


def checked_name(name: object) -> str:
    """Return `name` if it may name a job."""
    if not isinstance(name, str) or not is_valid_name(name):
        raise InvalidDefinition(
            "a name is up to 100 lower-case letters, digits, hyphens and underscores, "
            "beginning and ending with a letter or digit."
        )
    return name


def checked_function(func: Any) -> Callable[..., Any]:
    """Return `func` if it is a function that takes a context."""
    if not callable(func) or inspect.isclass(func):
        raise InvalidDefinition(f"{func!r} is not a function.")
    first = next(iter(inspect.signature(func).parameters.values()), None)
    if first is None or first.kind in (first.KEYWORD_ONLY, first.VAR_KEYWORD):
        raise InvalidDefinition("the function needs a first parameter for the context, which is passed by position.")
    checked: Callable[..., Any] = func
    return checked


def checked_text(value: Any, name: str) -> str:
    """Return `value` if it is text."""
    if not isinstance(value, str):
        raise InvalidDefinition(f"{name} must be text, not {value!r}.")
    return value


def checked_address(value: Any, name: str) -> str:
    """Return `value` if it is a web address, or empty; raise `InvalidDefinition` otherwise."""
    try:
        return parse_address(checked_text(value, name))
    except InvalidAddress as error:
        raise InvalidDefinition(f"{name}: {error}") from None


def first_line(func: Callable[..., Any]) -> str:
    """Return the first line of what the function says of itself."""
    return (inspect.getdoc(func) or "").strip().partition("\n")[0]


def checked_schedule(schedule: Any, time_zone: str | None) -> Schedule | None:
    """Return the schedule in its zone."""
    if time_zone is not None:
        parse_time_zone(time_zone)
    parsed = parse_schedule(schedule) if isinstance(schedule, str) else schedule
    if not isinstance(parsed, Schedule | None):
        raise InvalidDefinition(f"schedule must be text or a Schedule, not {parsed!r}.")
    if parsed is None or time_zone is None:
        return parsed
    return parsed.in_zone(time_zone)


# What each further option must be, and how to say so.
_OPTIONS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "params": (lambda value: isinstance(value, Mapping), "a dict"),
    "params_form": (lambda value: inspect.isclass(value) and hasattr(value, "base_fields"), "a Django form class"),
    "retry": (lambda value: isinstance(value, RetryPolicy), "a RetryPolicy"),
    "alerts": (lambda value: isinstance(value, AlertPolicy), "an AlertPolicy"),
    "queue": (
        lambda value: isinstance(value, str) and is_valid_queue(value),
        "a name of up to 50 characters without commas, other than *",
    ),
    "overlap": (lambda value: value in OVERLAPS, f"one of {', '.join(map(repr, OVERLAPS))}"),
    "max_instances": (lambda value: type(value) is int and value >= 1, "a whole number of at least 1"),
    "rerun_lost": (lambda value: isinstance(value, bool), "True or False"),
    "executor": (lambda value: value in EXECUTORS, f"one of {', '.join(map(repr, EXECUTORS))}"),
    "only_if": (callable, "a function without parameters"),
}


def checked_options(options: dict[str, Any], *, known: Iterable[str]) -> dict[str, Any]:
    """Return the further options that are set; `known` names the others, for a hint at what was meant."""
    for name, value in options.items():
        if name not in _OPTIONS:
            close = difflib.get_close_matches(name, [*_OPTIONS, *known], n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise InvalidDefinition(f"there is no option {name!r}.{hint}")
        fits, meaning = _OPTIONS[name]
        if value is not None and not fits(value):
            raise InvalidDefinition(f"{name} must be {meaning}, not {value!r}.")
    return {name: value for name, value in options.items() if value is not None}


def as_duration(value: Any, name: str) -> timedelta | None:
    """Return a duration that is not negative, from a ``timedelta`` or seconds."""
    duration = value if value is None or isinstance(value, timedelta) else _seconds(value, name)
    if duration is not None and duration < timedelta(0):
        raise InvalidDefinition(f"{name} must not be negative.")
    return duration


def as_limit(value: Any, name: str) -> timedelta | None:
    """Return a duration that is more than nothing, from a ``timedelta`` or seconds."""
    limit = as_duration(value, name)
    if limit == timedelta(0):
        raise InvalidDefinition(f"{name} must be more than nothing.")
    return limit


def _seconds(value: Any, name: str) -> timedelta:
    # bool is an int to Python, not to the person who wrote the definition.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidDefinition(f"{name} must be a timedelta or a number of seconds, not {value!r}.")
    try:
        return timedelta(seconds=value)
    except (OverflowError, ValueError):
        raise InvalidDefinition(f"{name} is not a usable number of seconds: {value!r}.") from None
