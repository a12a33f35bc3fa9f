"""Which indexes would help, and how to make them. Nothing here creates or changes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cronjobs.documents.connection import database, errors_reported
from cronjobs.documents.conversations import CONVERSATIONS
from cronjobs.documents.quotes import QUOTES
from cronjobs.language import gettext as _
from cronjobs.language import listed, pgettext

# What this app's queries need in order not to read whole collections.
USEFUL_INDEXES: Mapping[str, Sequence[tuple[str, ...]]] = {
    CONVERSATIONS: [("isActive", "createdAt")],
    QUOTES: [("status", "validUntil"), ("createdAt",)],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingIndex:
    """An index that would spare MongoDB from reading a whole collection, and how to get it."""

    collection: str
    keys: tuple[str, ...]
    # An index on the same keys that does not help, if there is one, and why.
    present: str = ""

    @property
    def command(self) -> str:
        """What to type into mongosh."""
        keys = ", ".join(f"{key}: 1" for key in self.keys)
        return f"db.{self.collection}.createIndex({{{keys}}})"

    def __str__(self) -> str:
        facts = {"collection": self.collection, "keys": ", ".join(self.keys), "command": self.command}
        if not self.present:
            return _("%(collection)s has no index on %(keys)s; in mongosh: %(command)s") % facts
        text = _("%(collection)s has no index on %(keys)s (%(present)s); in mongosh: %(command)s")
        return text % {**facts, "present": self.present}


@errors_reported()
def missing_indexes() -> list[MissingIndex]:
    """Return the useful indexes that are missing. None is ever created or changed by this app."""
    found = []
    for collection, wanted in USEFUL_INDEXES.items():
        existing = [dict(each) for each in database()[collection].list_indexes()]
        found += [
            MissingIndex(collection=collection, keys=keys, present=_useless(existing, keys))
            for keys in wanted
            if not any(index_serves(each, keys) for each in existing)
        ]
    return found


def index_serves(index: Mapping[str, Any], keys: Sequence[str]) -> bool:
    """Return whether a query on `keys` can use `index`, described as MongoDB lists it."""
    return _starts_with(index, keys) and not _limits(index)


def _starts_with(index: Mapping[str, Any], keys: Sequence[str]) -> bool:
    # Either direction will do; "text" or "hashed" in its place will not.
    first = list(index["key"].items())[: len(keys)]
    return [name for name, kind in first if isinstance(kind, int | float)] == list(keys)


def _limits(index: Mapping[str, Any]) -> list[str]:
    options = {
        "hidden": pgettext("an index", "hidden"),
        "partialFilterExpression": pgettext("an index", "partial"),
        "collation": pgettext("an index", "of another collation"),
    }
    return [text for option, text in options.items() if index.get(option)]


def _useless(existing: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str:
    for index in existing:
        if _starts_with(index, keys):
            return _("%(index)s is %(what)s") % {"index": index["name"], "what": listed(_limits(index))}
    return ""
