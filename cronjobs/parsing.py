"""What people write, as values.

What they write in settings: each parser takes it and its place, and raises `InvalidSettings`.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, NewType

from cronjobs.addresses import parse_address
from cronjobs.exceptions import InvalidAddress, InvalidLimit, InvalidSettings
from cronjobs.language import gettext as _
from cronjobs.limits import RateLimit, parse_bytes, parse_rate_limit

Parser = Callable[[Any, str], Any]

# A number of bytes, which may be written as text such as "1M".
Bytes = NewType("Bytes", int)
# The address of a server, or nothing; and what nobody is to read. Neither is quoted in a complaint.
Address = NewType("Address", str)
Secret = NewType("Secret", str)

ID_DIGITS: Final = 18


def row_id(text: str) -> int | None:
    """Return the id of a row that `text` writes in digits; None if it is no id."""
    # More digits than these are no primary key of any database.
    is_id = text.isascii() and text.isdigit() and len(text) <= ID_DIGITS
    return int(text) if is_id else None


def as_delay(value: Any, name: str) -> timedelta:
    """Return a duration from a ``timedelta`` or seconds; raise `TypeError` or `ValueError`, with `name`, for anything else."""
    if isinstance(value, timedelta):
        return value
    # bool is an int to Python, not to the person who wrote the policy.
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = _("%(name)s must be a timedelta or a number of seconds, not %(value)r.")
        raise TypeError(text % {"name": name, "value": value})
    try:
        return timedelta(seconds=value)
    except (OverflowError, ValueError):
        text = _("%(name)s is not a usable number of seconds: %(value)r.")
        raise ValueError(text % {"name": name, "value": value}) from None


def did_you_mean(key: str, known: Iterable[str]) -> str:
    """Return the end of a sentence about a key that is not known: the one that was meant, or all there are."""
    by_capitals = {each.upper(): each for each in known}
    close = difflib.get_close_matches(key.upper(), by_capitals, n=1)
    if close:
        advice = _("Did you mean %(key)r?") % {"key": by_capitals[close[0]]}
    else:
        advice = _("Known keys: %(keys)s.") % {"keys": ", ".join(sorted(known))}
    return f" {advice}"


def exceeded(value: Any, low: float | None, high: float | None) -> str:
    """Return the limit that `value` is beyond, in words; empty if there is none."""
    if value is None:
        return ""
    number, unit = (value.total_seconds(), " seconds") if isinstance(value, timedelta) else (value, "")
    if low is not None and number < low:
        return f"at least {low:g}{unit}"
    if high is not None and number > high:
        return f"at most {high:g}{unit}"
    return ""


def rates(value: Any, path: str, *, defaults: Mapping[str, RateLimit | None]) -> Mapping[str, RateLimit | None]:
    """Return `defaults` with what `value` says instead; it has no other keys, and None turns a limit off."""
    if not isinstance(value, Mapping):
        raise InvalidSettings(f"{path} must be a dict of scope to rate, not {value!r}.")
    for key in value:
        if key not in defaults:
            raise InvalidSettings(f"{path} has no key {key!r}.{did_you_mean(str(key), defaults)}")
    return types.MappingProxyType({**defaults, **{key: _rate(each, f"{path}[{key!r}]") for key, each in value.items()}})


def _rate(value: Any, path: str) -> RateLimit | None:
    if value is None:
        return None
    try:
        return parse_rate_limit(value)
    except InvalidLimit:
        raise InvalidSettings(f"{path} must be requests per period, such as 600/min, or None, not {value!r}.") from None


def _instance_of(kind: type, name: str) -> Parser:
    def parse(value: Any, path: str) -> Any:
        # bool is an int to Python, not to the person who wrote the setting.
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise InvalidSettings(f"{path} must be {name}, not {value!r}.")
        return value

    return parse


_int = _instance_of(int, "a whole number")


def _bytes(value: Any, path: str) -> Bytes:
    try:
        return Bytes(parse_bytes(value))
    except InvalidLimit:
        raise InvalidSettings(f"{path} must be a number of bytes, or text such as 1M, not {value!r}.") from None


def _duration(value: Any, path: str) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidSettings(f"{path} must be a timedelta or a number of seconds, not {value!r}.")
    try:
        return timedelta(seconds=value)
    except (OverflowError, ValueError):
        raise InvalidSettings(f"{path} is not a usable number of seconds: {value!r}.") from None


def _duration_or_none(value: Any, path: str) -> timedelta | None:
    return None if value is None else _duration(value, path)


def _int_or_none(value: Any, path: str) -> int | None:
    return None if value is None else _int(value, path)


def _float(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value < float("inf"):
        raise InvalidSettings(f"{path} must be a number, not {value!r}.")
    return float(value)


def _strings(value: Any, path: str) -> tuple[str, ...]:
    is_list = isinstance(value, list | tuple | set | frozenset)
    if not is_list or not all(isinstance(each, str) for each in value):
        raise InvalidSettings(f"{path} must be a list of strings, not {value!r}.")
    return tuple(value)


def _address(value: Any, path: str) -> Address:
    try:
        return Address(parse_address(value))
    except InvalidAddress as error:
        raise InvalidSettings(f"{path} is not usable. {error}") from None


def _secret(value: Any, path: str) -> Secret:
    if not isinstance(value, str):
        raise InvalidSettings(f"{path} must be a string, not {type(value).__name__}.")
    return Secret(value)


PARSERS: Mapping[Any, Parser] = {
    bool: _instance_of(bool, "True or False"),
    int: _int,
    int | None: _int_or_none,
    str: _instance_of(str, "a string"),
    Bytes: _bytes,
    Address: _address,
    Secret: _secret,
    float: _float,
    timedelta: _duration,
    timedelta | None: _duration_or_none,
    tuple[str, ...]: _strings,
}
