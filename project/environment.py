"""How a setting is read from the environment."""

from __future__ import annotations

import os

from django.core.exceptions import ImproperlyConfigured

_YES = {"1", "true", "yes", "on"}
_NO = {"0", "false", "no", "off", ""}


def flag(name: str, *, default: bool) -> bool:
    """Return the yes or no under `name`; refuse anything that is neither."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.strip().lower() not in _YES | _NO:
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")
    return value.strip().lower() in _YES


def number(name: str, *, default: int) -> int:
    """Return the whole number under `name`."""
    value = os.environ.get(name) or str(default)
    try:
        return int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None


def words(name: str) -> list[str]:
    """Return the comma-separated values under `name`."""
    return [word.strip() for word in os.environ.get(name, "").split(",") if word.strip()]
