"""What the columns of a job, and of a queue, are called in JSON, and what a value there may be.

Null where a column may be inherited means that it is. What a value may be is checked here as
far as its type goes; what it may mean, the model says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cronjobs.addresses import hidden_address
from cronjobs.alerts import names_text, parse_job_kinds, parse_notifiers
from cronjobs.api.errors import InvalidValues
from cronjobs.conf import get_settings
from cronjobs.dependencies import dependencies_text, parse_dependencies
from cronjobs.exceptions import InvalidAlert, InvalidDependency
from cronjobs.jobs._values import as_instant
from cronjobs.models import Calendar
from cronjobs.storable import rfc3339, storable_json, storable_text

# Beyond any duration that a model accepts, and within what Python can count.
_MOST_SECONDS = 1e11
# The largest whole numbers that small, usual and large columns hold on every database.
SMALL, MEDIUM, LARGE = 2**15 - 1, 2**31 - 1, 2**63 - 1
_UNSTORABLE = "NUL characters and halves of surrogate pairs cannot be stored."


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of the JSON object, and its column; `read` raises `ValueError` with a sentence for a wrong type."""

    column: str
    read: Callable[[Any], Any]
    # Of text, where SQL may have written bytes.
    write: Callable[[Any], Any] = storable_text
    takes_null: bool = True


Keys = Mapping[str, Key]


def read_values(document: Mapping[str, Any], keys: Keys, *, required: Collection[str] = ()) -> dict[str, Any]:
    """Return the values that `document` gives, by column; raise `InvalidValues` with all that is wrong with them."""
    values: dict[str, Any] = {}
    errors = {name: "This key is required." for name in required if name not in document}
    for name, given in document.items():
        if name not in keys:
            errors[storable_text(name)] = "There is no such key."
            continue
        try:
            values[keys[name].column] = _read(keys[name], given)
        except ValueError as error:
            errors[name] = str(error)
    if errors:
        raise InvalidValues({name: [message] for name, message in errors.items()})
    return values


def write_values(row: Any, keys: Keys) -> dict[str, Any]:
    """Return the columns of `row` as they are set, as JSON data."""
    found = {name: (key, getattr(row, key.column)) for name, key in keys.items()}
    return {name: None if value is None else key.write(value) for name, (key, value) in found.items()}


def by_key(errors: Mapping[str, list[str]], keys: Keys) -> dict[str, list[str]]:
    """Return what a model says of its columns, by their names in JSON."""
    names = {key.column: name for name, key in keys.items()}
    return {names.get(column, column): messages for column, messages in errors.items()}


def masked(value: Any) -> Any:
    """Return stored data with the values masked that the settings say nobody is to see."""
    return storable_json(value, mask=get_settings().mask)


def seconds(span: timedelta | None) -> float | None:
    """Return a span, if there is one, as a number: a whole one if it can be."""
    if span is None:
        return None
    number = span.total_seconds()
    return int(number) if number.is_integer() else number


def moment(at: datetime | None) -> str | None:
    """Return a time as text, if there is one."""
    return None if at is None else rfc3339(at)


def _read(key: Key, given: Any) -> Any:
    if given is None:
        if key.takes_null:
            return None
        raise ValueError("Must not be null.")
    return key.read(given)


def _require(is_right: bool, sentence: str) -> None:  # noqa: FBT001 - reads as a condition and what it is about
    if not is_right:
        raise ValueError(sentence)


def _text(value: Any) -> str:
    _require(isinstance(value, str), "Must be text.")
    _require(storable_text(value) == value, _UNSTORABLE)
    return str(value)


def _some_text(value: Any) -> str:
    text = _text(value)
    _require(bool(text), "Must not be empty; null inherits.")
    return text


def _flag(value: Any) -> bool:
    _require(isinstance(value, bool), "Must be true or false.")
    return bool(value)


def _whole_number(most: int) -> Callable[[Any], int]:
    """Return a reader of whole numbers that are no larger than every database can hold in that column."""

    def read(value: Any) -> int:
        # To JSON, 2.0 is one as well.
        is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        _require(is_whole and not isinstance(value, bool), "Must be a whole number.")
        _require(value <= most, f"Must not be greater than {most}.")
        return int(value)

    return read


def _number(value: Any) -> float:
    # Whole numbers of JSON may be too large for a float, and 1e999 is infinite.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    _require(is_number and -_MOST_SECONDS < value < _MOST_SECONDS, "Must be a number, and not a huge one.")
    return float(value)


def _seconds(value: Any) -> timedelta:
    return timedelta(seconds=_number(value))


def _instant(value: Any) -> datetime:
    try:
        return as_instant(_text(value))
    except ValueError as error:
        sentence = str(error)
        raise ValueError(sentence[0].upper() + sentence[1:]) from None


def _calendar(value: Any) -> Calendar:
    name = _text(value)
    found = Calendar.objects.filter(name=name).first()
    if found is None:
        raise ValueError(f"There is no calendar named {name!r}.")
    return found


def _parameters(value: Any) -> dict[str, Any]:
    _require(isinstance(value, dict), "Must be an object.")
    is_storable = value == storable_json(value)
    _require(is_storable, "NUL characters, very large numbers and very deep objects cannot be stored.")
    return dict(value)


def _dependencies(value: Any) -> str:
    _require(isinstance(value, dict), "Must be an object of success, failure or always by job name.")
    return _text(dependencies_text(parse_dependencies(value)))


def _if_of(*kinds: type) -> Callable[[Any], Any]:
    """Return a writer of values of these types; what SQL wrote instead, where it may, is null."""
    return lambda value: value if isinstance(value, kinds) else None


def _parameters_object(value: Any) -> Any:
    return masked(value) if isinstance(value, dict) else None


def _dependencies_object(text: str) -> Any:
    try:
        return dict(parse_dependencies(text))
    except InvalidDependency:
        # Written past every door; whoever looks must see what it is that is wrong.
        return text


def _names(parse: Callable[[Any], Iterable[str]]) -> Callable[[Any], str]:
    """Return a reader of lists of names, for the text that a column has."""

    def read(value: Any) -> str:
        _require(isinstance(value, list), "Must be a list of names.")
        return _text(names_text(parse(value)))

    return read


def _names_list(parse: Callable[[Any], Iterable[str]]) -> Callable[[Any], Any]:
    def write(text: str) -> Any:
        try:
            return list(parse(text))
        except InvalidAlert:
            # As for dependencies.
            return text

    return write


def _names_key(column: str, parse: Callable[[Any], Iterable[str]]) -> Key:
    return Key(column=column, read=_names(parse), write=_names_list(parse))


def _hidden(text: str) -> str:
    return hidden_address(storable_text(text))


def _duration_key(column: str) -> Key:
    return Key(column=column, read=_seconds, write=seconds)


def _time_key(column: str) -> Key:
    return Key(column=column, read=_instant, write=rfc3339)


# What decides how a job runs, and may be left to its definition and the settings.
_POLICIES: Keys = {
    # Empty text: on demand only.
    "schedule": Key(column="schedule", read=_text),
    "timeZone": Key(column="time_zone", read=_some_text),
    "jitterSeconds": _duration_key("jitter"),
    "misfireGraceSeconds": _duration_key("misfire_grace"),
    "catchUp": Key(column="catch_up", read=_some_text),
    "overlap": Key(column="overlap", read=_some_text),
    "maxInstances": Key(column="max_instances", read=_whole_number(SMALL), write=_if_of(int)),
    "queue": Key(column="queue", read=_some_text),
    "priority": Key(column="priority", read=_whole_number(SMALL), write=_if_of(int)),
    "maxAttempts": Key(column="max_attempts", read=_whole_number(SMALL), write=_if_of(int)),
    "initialDelaySeconds": _duration_key("initial_delay"),
    "maxDelaySeconds": _duration_key("max_delay"),
    "backoffMultiplier": Key(column="backoff_multiplier", read=_number, write=_if_of(float, int)),
    "rerunLost": Key(column="rerun_lost", read=_flag, write=_if_of(bool)),
    "rateLimit": Key(column="rate_limit", read=_some_text),
    "executor": Key(column="executor", read=_some_text),
    "timeoutSeconds": _duration_key("timeout"),
    "memoryLimitBytes": Key(column="memory_limit", read=_whole_number(LARGE), write=_if_of(int)),
    "cpuLimitSeconds": _duration_key("cpu_limit"),
    "dependsOn": Key(column="depends_on", read=_dependencies, write=_dependencies_object),
    "alertOn": _names_key("alert_on", parse_job_kinds),
    "alertTo": _names_key("alert_to", parse_notifiers),
    "alertAfter": Key(column="alert_after", read=_whole_number(SMALL), write=_if_of(int)),
    "lateAfterSeconds": _duration_key("late_after"),
    "expectedDurationSeconds": _duration_key("expected_duration"),
    "noSuccessAfterSeconds": _duration_key("no_success_after"),
    # Empty text: none, whatever the definition says.
    "pingUrl": Key(column="ping_url", read=_text, write=_hidden),
    "runbookUrl": Key(column="runbook_url", read=_text),
}
# What may be changed of a job. Its name never: settings, addresses and history know it by that.
JOB_KEYS: Keys = {
    "definition": Key(column="definition", read=_text, takes_null=False),
    "params": Key(column="params", read=_parameters, write=_parameters_object, takes_null=False),
    "enabled": Key(column="enabled", read=_flag, write=bool, takes_null=False),
    "paused": Key(column="paused", read=_flag, write=bool, takes_null=False),
    "pausedUntil": _time_key("paused_until"),
    "startsAt": _time_key("starts_at"),
    "endsAt": _time_key("ends_at"),
    "calendar": Key(column="calendar", read=_calendar, write=str),
    "owner": Key(column="owner", read=_text, takes_null=False),
    "description": Key(column="description", read=_text, takes_null=False),
    **_POLICIES,
}
NEW_JOB_KEYS: Keys = {"name": Key(column="name", read=_text, takes_null=False), **JOB_KEYS}
PAUSE_KEYS: Keys = {"until": _time_key("paused_until")}
QUEUE_KEYS: Keys = {
    "limit": Key(column="limit", read=_whole_number(MEDIUM), write=_if_of(int)),
    "description": Key(column="description", read=_text, takes_null=False),
}
