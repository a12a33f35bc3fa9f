"""What several checks need: settings that may make no sense, and hints at what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from cronjobs.conf import Settings, get_settings
from cronjobs.exceptions import InvalidSettings


class Mistake(NamedTuple):
    """What is wrong with something, in a sentence, and what to do."""

    why: str
    hint: str


def sound_settings() -> Settings | None:
    """Return the settings; None if they cannot be understood, of which `check_settings` tells."""
    try:
        return get_settings()
    except InvalidSettings:
        return None


def advice(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return a hint at which of the `known` names was meant by `name`; `otherwise`, if none is near."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {close[0]!r}?" if close else otherwise


def span(length: timedelta) -> str:
    """Return a length of time for a sentence."""
    if length >= timedelta(days=1) and length % timedelta(days=1) == timedelta(0):
        return f"{length.days} day{'s' * (length.days != 1)}"
    return f"{length.total_seconds():g} s"
