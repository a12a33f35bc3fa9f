"""Dataclasses that are filled from a dict of settings, and say themselves what may be in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from typing import Any, Self, get_type_hints

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
        if not isinstance(raw, Mapping):
            raise InvalidSettings(f"{path} must be a dict, not {type(raw).__name__}.")
        known = {each.name.upper(): each for each in fields(cls)}  # type: ignore[arg-type]  # subclasses are dataclasses
        for key in raw:
            if key not in known:
                raise InvalidSettings(f"{path} has no key {key!r}.{did_you_mean(str(key), known)}")
        hints = get_type_hints(cls)
        values = {
            known[key].name: _parse(hints[known[key].name], value, known[key].metadata, f"{path}[{key!r}]")
            for key, value in raw.items()
        }
        return cls(**values)


def _parse(hint: Any, value: Any, metadata: Mapping[str, Any], path: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, Parsed):
        return hint.from_mapping(value, path=path)
    parsed = PARSER_OF[hint](value, path)
    one_of = metadata["one_of"]
    if one_of and parsed not in one_of:
        raise InvalidSettings(f"{path} must be one of {', '.join(map(repr, one_of))}, not {value!r}.")
    if limit := exceeded(parsed, metadata["low"], metadata["high"]):
        raise InvalidSettings(f"{path} must be {limit}, not {value!r}.")
    return parsed
