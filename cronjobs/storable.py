"""Turns whatever a job says or returns into text and JSON that every database accepts."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

MASKED = "***"
_DEEPEST = 32
_CUT = "… [cut]"
# PostgreSQL refuses NUL in text; no database encodes half of a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable_text(value: object, *, max_bytes: int | None = None) -> str:
    """Return `value` as text without NUL and lone surrogates, cut to `max_bytes` of UTF-8.

    An object whose ``__str__`` raises is described instead.
    """
    text = value if type(value) is str else _to_text(value)
    text = _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    if max_bytes is None or len(text) * 4 <= max_bytes:
        return text
    encoded = text.encode()
    if len(encoded) <= max_bytes:
        return text
    return encoded[: max(0, max_bytes - len(_CUT.encode()))].decode(errors="ignore") + _CUT


def rfc3339(moment: datetime) -> str:
    """Return `moment` as text in UTC with milliseconds, as JavaScript writes it: 2026-01-15T10:30:00.000Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def storable_json(value: object, *, mask: Iterable[str] = ()) -> Any:
    """Return `value` as JSON data: what JSON cannot say becomes text, never an error.

    ``NaN`` and infinities become ``"NaN"``, ``"Infinity"``, ``"-Infinity"``; times ISO 8601;
    durations seconds; decimals and UUIDs their text; bytes a size; sets sorted lists; anything
    else its ``str``. A container inside itself, or nested deeper than 32 levels, becomes ``"…"``.
    Values under keys that contain a word of `mask` become ``"***"``.
    """
    return _Converter(tuple(word.lower() for word in mask)).convert(value)


class _Converter:
    def __init__(self, mask: tuple[str, ...]) -> None:
        self._mask = mask
        self._above: list[int] = []

    def convert(self, value: Any) -> Any:
        # `type` and not `isinstance`: a str subclass may override what the encoder calls.
        if value is None or type(value) is bool:
            return value
        if type(value) is int:
            # A number that no database's JSON and no JavaScript client can hold is text.
            return value if abs(value) < 2**63 else str(value) if value.bit_length() < 4096 else "(huge number)"
        if type(value) is float:
            return value if math.isfinite(value) else _NOT_FINITE[str(value)]
        if isinstance(value, Mapping | list | tuple | set | frozenset) or dataclasses.is_dataclass(value):
            return self._container(value)
        return _scalar(value)

    def _container(self, value: Any) -> Any:
        if id(value) in self._above or len(self._above) >= _DEEPEST:
            return "…"
        self._above.append(id(value))
        try:
            return self._children(value)
        finally:
            self._above.pop()

    def _children(self, value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
        if isinstance(value, Mapping):
            return {key: self._entry(key, each) for key, each in _text_keys(value)}
        if isinstance(value, set | frozenset):
            return sorted((self.convert(each) for each in value), key=repr)
        if isinstance(value, list | tuple):
            return [self.convert(each) for each in value]
        return storable_text(value)

    def _entry(self, key: str, value: Any) -> Any:
        lowered = key.lower()
        return MASKED if any(word in lowered for word in self._mask) else self.convert(value)


_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _text_keys(value: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    return [(storable_text(key), each) for key, each in list(value.items())]


# First match wins. A subclass of a JSON type may override what an encoder calls, hence the plain copies.
_SCALARS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (Enum, lambda value: storable_json(value.value)),
    ((datetime, date, time), lambda value: value.isoformat()),
    (timedelta, lambda value: value.total_seconds()),
    ((Decimal, UUID), str),
    ((bytes, bytearray, memoryview), lambda value: f"({len(bytes(value))} bytes)"),
    (int, lambda value: storable_json(int(value))),
    (float, lambda value: storable_json(float(value))),
)


def _scalar(value: Any) -> Any:
    for kinds, convert in _SCALARS:
        if isinstance(value, kinds):
            return convert(value)
    return storable_text(value)


def _to_text(value: object) -> str:
    try:
        text = str(value)
    except Exception as error:  # noqa: BLE001 - a job's own __str__ may raise anything
        return f"<{type(value).__name__}, whose text cannot be made: {type(error).__name__}>"
    # A str subclass may misbehave later; a plain copy cannot.
    return "".join(text)
