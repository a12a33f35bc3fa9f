"""Dataclasses that are filled from a dict of settings, and say themselves what may be in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, fields
from functools import lru_cache, partial
from typing import Any, NamedTuple, Self, get_type_hints

from cronjobs.conf._values import PARSER_OF
from cronjobs.exceptions import InvalidSettings
from cronjobs.parsing import did_you_mean, exceeded


def setting(
    meaning: str, *, default: Any, low: float | None = None, high: float | None = None, one_of: tuple[str, ...] = ()
) -> Any:
    """Declare a field with what the documentation and the parser need to know about it."""
    metadata = {"meaning": meaning, "low": low, "high": high, "one_of": one_of}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


class Parsed:
    """A frozen dataclass that is filled from a mapping with upper-case keys. Fields know `low`, `high` and `one_of`."""

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any], *, path: str) -> Self:
        """Return the object that `raw` describes; raise `InvalidSettings` for what it does not know."""
        return cls(**_values(cls, raw, path))

    @classmethod
    def objections(cls, raw: Any, *, path: str) -> list[str]:
        """Return all that `from_mapping`, which stops at the first, objects to in `raw`: a sentence each."""
        known, found = _keys_of(cls), []  # type: ignore[arg-type]  # a class has a hash
        for key, value in raw.items() if isinstance(raw, Mapping) else ():
            inner = f"{path}[{key!r}]"
            if key in known and _is_parsed(known[key].hint):
                found += known[key].hint.objections(value, path=inner)
            else:
                found += _said(partial(_values, cls, {key: value}, path))
        # What does not go together is told only where each for itself is sound.
        return found or _said(partial(cls.from_mapping, raw, path=path))


class _Key(NamedTuple):
    """A key of a mapping: the field that it fills, what is known of that, and its type."""

    name: str
    metadata: Mapping[str, Any]
    hint: Any


@lru_cache
def _keys_of(cls: Any) -> Mapping[str, _Key]:
    hints = get_type_hints(cls)
    return {each.name.upper(): _Key(each.name, each.metadata, hints[each.name]) for each in fields(cls)}


def _values(cls: type[Parsed], raw: Any, path: str) -> dict[str, Any]:
    """Return what `raw` says, by field; raise `InvalidSettings` for what the fields do not know."""
    if not isinstance(raw, Mapping):
        raise InvalidSettings(f"{path} must be a dict, not {type(raw).__name__}.")
    known = _keys_of(cls)  # type: ignore[arg-type]  # as above
    for key in raw:
        if key not in known:
            raise InvalidSettings(f"{path} has no key {key!r}.{did_you_mean(str(key), known)}")
    return {known[key].name: _parse(known[key], value, f"{path}[{key!r}]") for key, value in raw.items()}


def _is_parsed(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Parsed)


def _said(read: Callable[[], object]) -> list[str]:
    """Return what `read` objects to; nothing if it does not."""
    try:
        read()
    except InvalidSettings as error:
        return [str(error)]
    return []


def _parse(key: _Key, value: Any, path: str) -> Any:
    if _is_parsed(key.hint):
        return key.hint.from_mapping(value, path=path)
    parsed = PARSER_OF[key.hint](value, path)
    one_of = key.metadata["one_of"]
    if one_of and parsed not in one_of:
        raise InvalidSettings(f"{path} must be one of {', '.join(map(repr, one_of))}, not {value!r}.")
    if limit := exceeded(parsed, key.metadata["low"], key.metadata["high"]):
        raise InvalidSettings(f"{path} must be {limit}, not {value!r}.")
    return parsed
