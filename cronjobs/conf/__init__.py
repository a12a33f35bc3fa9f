"""What an operator may change: the ``CRONJOBS`` setting, parsed once into one frozen object."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.conf import settings as django_settings

from cronjobs.alerts import parse_notifiers
from cronjobs.conf._parsed import Parsed
from cronjobs.conf._settings import AlertSettings, RetrySettings, Settings
from cronjobs.conf._values import DEFAULT_SCHEDULES, DEFAULT_THROTTLES, EXECUTORS
from cronjobs.exceptions import InvalidAlert, InvalidSettings
from cronjobs.parsing import did_you_mean

__all__ = [
    "DEFAULT_SCHEDULES",
    "DEFAULT_THROTTLES",
    "EXECUTORS",
    "AlertSettings",
    "Parsed",
    "RetrySettings",
    "Settings",
    "configured_notifiers",
    "get_settings",
    "settings_or_defaults",
    "words_to_mask",
]

# The same one each time: what was parsed is known by it.
_NO_SETTINGS: Mapping[str, Any] = types.MappingProxyType({})


class _Known:
    """What CRONJOBS was when it was read last, and what it came to; replaced as one, since threads read settings."""

    last: ClassVar[tuple[object, Settings]] = ({}, Settings())


def get_settings() -> Settings:
    """Return the current settings; raise `InvalidSettings` if they cannot be understood."""
    raw = getattr(django_settings, "CRONJOBS", _NO_SETTINGS)
    known, parsed = _Known.last
    # By identity: a setting is replaced, not changed in place.
    if raw is not known:
        parsed = Settings.from_mapping(raw, path="CRONJOBS")
        _Known.last = (raw, parsed)
    return parsed


def configured_notifiers(value: str | Iterable[str]) -> tuple[str, ...]:
    """Return the names that text with commas, or a list, has; raise `InvalidAlert` for one that NOTIFIERS does not have."""
    names, known = parse_notifiers(value), get_settings().notifiers
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) if known else " There are none."
            raise InvalidAlert(f"CRONJOBS['NOTIFIERS'] has no {name!r}.{hint}")
    return names


def settings_or_defaults() -> Settings:
    """Return the current settings; the defaults where they cannot be understood and life must go on all the same."""
    try:
        return get_settings()
    except InvalidSettings:
        return Settings()


def words_to_mask() -> tuple[str, ...]:
    """Return MASK, whatever is wrong with the rest of the settings."""
    return settings_or_defaults().mask
