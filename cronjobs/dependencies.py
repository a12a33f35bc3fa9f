"""What a job waits for: the names of other jobs, each with how it must have ended. Pure values, no rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from cronjobs.exceptions import InvalidDependency


class Condition(StrEnum):
    """How an upstream must have ended for its dependent to run."""

    SUCCESS = "success"
    # Failed, timed out or lost.
    FAILURE = "failure"
    ALWAYS = "always"


_PART = re.compile(r"(?P<name>[a-z0-9_-]+)(?:\s*:\s*(?P<condition>\w+))?", re.ASCII)

Dependencies = Mapping[str, Condition]


def parse_dependencies(value: str | Mapping[str, str] | Iterable[str]) -> dict[str, Condition]:
    """Return the conditions by upstream job name.

    `value` is text such as ``"extract, load:always"``, a list of such parts, or a mapping of
    name to condition; a name alone means success. Raises `InvalidDependency` for anything else.
    """
    if isinstance(value, Mapping):
        parts: Iterable[object] = (f"{name}:{condition}" for name, condition in value.items())
    else:
        parts = value.split(",") if isinstance(value, str) else value
    parsed: dict[str, Condition] = {}
    for part in parts:
        text = part.strip() if isinstance(part, str) else part
        if text == "":
            continue
        name, condition = _parse_part(text)
        if name in parsed:
            raise InvalidDependency(f"{name} is named twice.")
        parsed[name] = condition
    return parsed


def dependencies_text(dependencies: Mapping[str, Condition]) -> str:
    """Return the text that `parse_dependencies` reads."""
    parts = (name if on is Condition.SUCCESS else f"{name}:{on}" for name, on in dependencies.items())
    return ", ".join(parts)


def _parse_part(part: object) -> tuple[str, Condition]:
    match = _PART.fullmatch(part) if isinstance(part, str) else None
    if match is None:
        raise InvalidDependency(
            f"A dependency is a job's name, or name:success, name:failure or name:always, not {part!r}."
        )
    try:
        return match["name"], Condition(match["condition"] or Condition.SUCCESS)
    except ValueError:
        conditions = ", ".join(Condition)
        raise InvalidDependency(
            f"{match['name']} can be waited for on {conditions}, not on {match['condition']!r}."
        ) from None
