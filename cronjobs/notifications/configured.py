"""The notifiers that the settings name, made once for each process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from django.utils.module_loading import import_string

from cronjobs.conf import get_settings, words_to_mask
from cronjobs.exceptions import InvalidSettings
from cronjobs.notifications.base import Notifier
from cronjobs.parsing import did_you_mean
from cronjobs.storable import storable_text

SHORT_NAMES: Mapping[str, str] = {
    "email": "cronjobs.notifications.mail.EmailNotifier",
    "webhook": "cronjobs.notifications.webhook.WebhookNotifier",
}


class Problem(NamedTuple):
    """A notifier that cannot be used, and why, in a sentence."""

    name: str
    why: str


class _Made:
    """What NOTIFIERS was when one of it was made last, and what has been made; replaced as one, since threads ask."""

    last: ClassVar[tuple[object, dict[str, Notifier]]] = (None, {})


def notifier_names() -> list[str]:
    """Return the names of all notifiers that the settings have, usable or not, in order."""
    return sorted(get_settings().notifiers)


def get_notifier(name: str) -> Notifier:
    """Return the notifier `name`; raise `InvalidSettings` if there is none, or it cannot be used."""
    entries = get_settings().notifiers
    known, made = _Made.last
    if known is not entries:
        made = {}
        _Made.last = (entries, made)
    if name not in made:
        made[name] = _make(name, entries)
    return made[name]


def problems() -> Iterator[Problem]:
    """Yield each notifier that cannot be used."""
    for name in notifier_names():
        try:
            get_notifier(name)
        except InvalidSettings as error:
            yield Problem(name, storable_text(error, mask=words_to_mask()))


def _make(name: str, entries: Mapping[str, Mapping[str, Any]]) -> Notifier:
    if name not in entries:
        known = did_you_mean(name, entries) if entries else " There is none at all."
        raise InvalidSettings(f"CRONJOBS['NOTIFIERS'] has no notifier {name!r}.{known}")
    path = f"CRONJOBS['NOTIFIERS'][{name!r}]"
    options = {key: value for key, value in entries[name].items() if key != "CLASS"}
    made = _class(entries[name]["CLASS"], path)
    try:
        return made(name, options, path=path)
    except InvalidSettings:
        raise
    except Exception as error:
        # Somebody else's code; what it says might quote what it was given.
        raise InvalidSettings(f"{path} cannot be made: {type(error).__name__}.") from error


def _class(text: str, path: str) -> type[Notifier]:
    dotted = SHORT_NAMES.get(text, text)
    if "." not in dotted:
        raise InvalidSettings(f"{path}['CLASS'] is not known: {text!r}.{did_you_mean(text, SHORT_NAMES)}")
    try:
        found = import_string(dotted)
    except Exception as error:
        raise InvalidSettings(f"{path}['CLASS'] cannot be imported: {type(error).__name__}: {error}") from error
    if not isinstance(found, type) or not issubclass(found, Notifier):
        raise InvalidSettings(f"{path}['CLASS'] must be a subclass of cronjobs.notifications.Notifier, not {text!r}.")
    return found
