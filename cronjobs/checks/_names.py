"""Whether a name that is to stand for a class of errors is that of one, as far as this process knows without importing."""

from __future__ import annotations

import builtins
import sys
from typing import Any, Final

from cronjobs.checks._common import Mistake, advice

_OTHERWISE: Final = "Write module and class, as in builtins.ValueError or requests.exceptions.ConnectionError."
_ABSENT: Final = object()


def mistake_in_class_name(name: str) -> Mistake | None:
    """Return what keeps `name` from standing for a class of errors; None if it does, or nobody has imported its module."""
    if "." not in name:
        known = [each for each in vars(builtins) if _is_error(getattr(builtins, each))]
        hint = f"Did you mean 'builtins.{name}'?" if name in known else advice(name, known, _OTHERWISE)
        return Mistake("errors are known by module and class, and this is one word.", hint)
    found, known = _look_up(name)
    if found is None:
        return None
    if found is _ABSENT:
        return Mistake("there is no such class.", advice(name, known, _OTHERWISE))
    if not _is_error(found):
        return Mistake("that is no class of errors.", _OTHERWISE)
    own = f"{found.__module__}.{found.__qualname__}"
    # It can be imported from there as well, and is known by where it was made.
    return None if own == name else Mistake("its errors are known by another name.", f"Did you mean {own!r}?")


def _look_up(name: str) -> tuple[Any, list[str]]:
    """Return what `name` leads to, or `_ABSENT`, and the errors of its module; None where that is not imported."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        module = sys.modules.get(".".join(parts[:end]))
        if module is not None:
            break
    else:
        return None, []
    if hasattr(module, "__path__") and len(parts) - end > 1 and not hasattr(module, parts[end]):
        # A module of the package that nobody has imported yet.
        return None, []
    found: Any = module
    for part in parts[end:]:
        found = getattr(found, part, _ABSENT)
    prefix = ".".join(parts[:end])
    return found, [f"{prefix}.{each}" for each, value in list(vars(module).items()) if _is_error(value)]


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)
