"""What a notifier is, and how it reads its options."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from cronjobs.conf import Parsed
from cronjobs.exceptions import InvalidSettings
from cronjobs.notifications.messages import Message

_REQUIRED: Any = object()


def option(
    default: Any = _REQUIRED, *, low: float | None = None, high: float | None = None, one_of: tuple[str, ...] = ()
) -> Any:
    """Declare a field of `NotifierOptions`: what it is if the settings do not say, and what it may be."""
    metadata = {"low": low, "high": high, "one_of": one_of, "is_required": default is _REQUIRED}
    return field(default=None if default is _REQUIRED else default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierOptions(Parsed):
    """The options of a notifier: its fields, in upper case, are the keys of its entry in the settings.

    A field's type says how its value is read: those that other settings have, and `Address` and
    `Secret` of ``cronjobs.parsing``, which no complaint quotes.
    """

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any], *, path: str) -> Self:
        for each in fields(cls):
            if each.metadata["is_required"] and not raw.get(each.name.upper()):
                raise InvalidSettings(f"{path} needs {each.name.upper()!r}.")
        # Not super(): a dataclass with slots is another class than the one that was written.
        return Parsed.from_mapping.__func__(cls, raw, path=path)  # type: ignore[attr-defined, no-any-return]


class Notifier(ABC):
    """A channel for alerts. Settings name its class, and one object of it is made for each entry and process.

    ``self.options`` is of `options_class`; where that is None, it is the entry as it is, without CLASS.
    """

    options_class: ClassVar[type[NotifierOptions] | None] = None

    def __init__(self, name: str, options: Mapping[str, Any], *, path: str) -> None:
        """Keep `options`, the entry `name` of the settings, which is at `path`; raise `InvalidSettings` if it is of no use."""
        self.name = name
        self.options: Any = options
        if self.options_class is not None:
            self.options = self.options_class.from_mapping(options, path=path)

    @abstractmethod
    def send(self, message: Message) -> None:
        """Send `message`; return only if it was taken, and raise whatever else happens.

        It is called on a thread of its own, without a transaction, for one message at a time as a
        rule, and has about 45 seconds, after which the attempt counts as failed. `SendingFailed`
        says what happened in a sentence for people, without secrets, and whether the message may
        have arrived all the same. A message that comes again has the same `message_id`.
        """
