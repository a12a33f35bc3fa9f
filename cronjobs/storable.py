"""Turns whatever a job says or returns into text and JSON that every database accepts."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import Any
from uuid import UUID

from cronjobs.masking import MASKED, is_secret, mask_text

_DEEPEST = 32
# In all: a container may have no end, or hold another one many times, which holds a third many times, and so on.
_MOST_PARTS = 1_000_000
_CUT = "… [cut]"
# In characters. What begins before a cut is read so far beyond it; what stands at the very end may be half of something.
_LONGEST_SECRET, _UNSURE = 65_536, 2_048
# PostgreSQL refuses NUL in text; no database encodes half of a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable_text(value: object, *, max_bytes: int | None = None, mask: Iterable[str] = ()) -> str:
    """Return `value` as text without NUL and lone surrogates, cut to `max_bytes` of UTF-8.

    What `mask_text` knows for a secret by the words of `mask` is masked, before the cut: half of
    one would not be known for what it is. An object whose ``__str__`` raises is described instead.
    """
    text = value if type(value) is str else _to_text(value)
    # Of hundreds of megabytes only the beginning is read, and beyond the cut what may have begun before it.
    enough = None if max_bytes is None else max_bytes + _LONGEST_SECRET
    is_long = enough is not None and len(text) > enough
    text = _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text[:enough])
    if mask:
        text = mask_text(text, mask)
    if max_bytes is None:
        return text
    return _cut(text[:-_UNSURE], max_bytes) if is_long else _bounded(text, max_bytes)


def _bounded(text: str, max_bytes: int) -> str:
    is_short = len(text) * 4 <= max_bytes or len(text.encode()) <= max_bytes
    return text if is_short else _cut(text, max_bytes)


def _cut(text: str, max_bytes: int) -> str:
    return text.encode()[: max(0, max_bytes - len(_CUT.encode()))].decode(errors="ignore") + _CUT


def rfc3339(moment: datetime) -> str:
    """Return `moment` as text in UTC with milliseconds, as JavaScript writes it: 2026-01-15T10:30:00.000Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_text(value: Any) -> str:
    """Return JSON data as text that the strictest parser accepts; what JSON or UTF-8 cannot say becomes text."""
    try:
        text = _encode(value)
        text.encode()
    except (ValueError, TypeError):
        text = _encode(storable_json(value))
    # Two characters that JSON allows, and JavaScript for long did not.
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def storable_json(value: object, *, mask: Iterable[str] = ()) -> Any:
    """Return `value` as JSON data: what JSON cannot say becomes text, never an error.

    ``NaN`` and infinities become ``"NaN"``, ``"Infinity"``, ``"-Infinity"``; times ISO 8601;
    durations seconds; decimals and UUIDs their text; bytes a size; sets sorted lists; anything
    else its ``str``. A container inside itself, or nested deeper than 32 levels, becomes ``"…"``,
    and so does what follows a million parts. What raises when it is read is described instead.
    Values under keys that contain a word of `mask` become ``"***"``, and so do secrets in text.
    """
    return _Converter(tuple(mask), longest=None).convert(value)


def unmasked_json(given: Any, stored: Any, *, mask: Iterable[str]) -> Any:
    """Return `given` with what it has just as `storable_json` shows `stored`, masked, as it is in `stored`.

    So a secret that somebody was shown masked, and sent back with the rest, stays what it was.
    """
    words = tuple(mask)
    if given == MASKED or (isinstance(given, str) and given == storable_json(stored, mask=words)):
        return stored if stored is not None else given
    if isinstance(given, dict) and isinstance(stored, dict):
        return {key: unmasked_json(value, stored.get(key), mask=words) for key, value in given.items()}
    if isinstance(given, list) and isinstance(stored, list):
        padded = [*stored, *[None] * len(given)]
        return [unmasked_json(value, old, mask=words) for value, old in zip(given, padded, strict=False)]
    return given


def bounded_json(value: object, *, max_bytes: int, mask: Iterable[str] = ()) -> tuple[Any, int]:
    """Return `value` as `storable_json` does and the length of its text; what is longer than `max_bytes` is cut.

    Then it is ``{"truncated": true, "text": …}``, with as much of the JSON text as there is room for.
    """
    # A text that is too long by itself need not be read to its end.
    stored = _Converter(tuple(mask), longest=max_bytes).convert(value)
    text = json.dumps(stored, ensure_ascii=False)
    size = len(text.encode())
    if size <= max_bytes:
        return stored, size
    return {"truncated": True, "text": storable_text(text, max_bytes=max_bytes)}, max_bytes


class _Converter:
    def __init__(self, mask: tuple[str, ...], *, longest: int | None) -> None:
        self._mask, self._longest = mask, longest
        self._above: list[int] = []
        self._left = _MOST_PARTS

    def convert(self, value: Any) -> Any:
        # `type` and not `isinstance`: a str subclass may override what the encoder calls.
        if value is None or type(value) is bool:
            return value
        if type(value) is int:
            # A number that no database's JSON and no JavaScript client can hold is text.
            return value if abs(value) < 2**63 else str(value) if value.bit_length() < 4096 else "(huge number)"
        if type(value) is float:
            return value if math.isfinite(value) else _NOT_FINITE[str(value)]
        try:
            return self._container(value) if _is_container(value) else _scalar(value, self._mask, self._longest)
        except (MemoryError, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - a job's own classes may raise anything
            return _described(value, "which cannot be read", error)

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
            return dict(self._entry(key, each) for key, each in self._parts(value.items(), end=("…", "…")))
        if isinstance(value, set | frozenset):
            return sorted((self.convert(each) for each in self._parts(value, end="…")), key=repr)
        if isinstance(value, list | tuple):
            return [self.convert(each) for each in self._parts(value, end="…")]
        return self.convert(value.value) if isinstance(value, Enum) else self._text(value)

    def _parts(self, parts: Iterable[Any], *, end: Any) -> list[Any]:
        """Return what there is room for, and `end` if that is not all."""
        taken = list(islice(parts, self._left + 1))
        if len(taken) > self._left:
            taken[self._left :] = [end]
        self._left = max(0, self._left - len(taken))
        return taken

    def _text(self, value: object) -> str:
        return storable_text(value, max_bytes=self._longest, mask=self._mask)

    def _entry(self, key: object, value: Any) -> tuple[str, Any]:
        text = storable_text(key)
        shown = self._text(text)
        return shown, MASKED if is_secret(text, self._mask) else self.convert(value)


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _is_container(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple | set | frozenset | Enum) or dataclasses.is_dataclass(value)


# First match wins. A subclass of a JSON type may override what an encoder calls, hence the plain copies.
_SCALARS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    ((datetime, date, time), lambda value: storable_text(value.isoformat())),
    (timedelta, timedelta.total_seconds),
    ((Decimal, UUID), storable_text),
    ((bytes, bytearray, memoryview), lambda value: f"({len(bytes(value))} bytes)"),
    (int, lambda value: storable_json(int(value))),
    (float, lambda value: storable_json(float(value))),
)


def _scalar(value: Any, mask: tuple[str, ...], longest: int | None) -> Any:
    for kinds, convert in _SCALARS:
        if isinstance(value, kinds):
            return convert(value)
    return storable_text(value, max_bytes=longest, mask=mask)


def _to_text(value: object) -> str:
    try:
        text = str(value)
    except (MemoryError, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - a job's own __str__ may raise anything
        return _described(value, "whose text cannot be made", error)
    # A str subclass may misbehave later; a plain copy cannot.
    return str.__str__(text)


def _described(value: object, fault: str, error: BaseException) -> str:
    return f"<{type(value).__name__}, {fault}: {type(error).__name__}>"
