"""What tests on a real MongoDB server look at: raw documents, exported data, the commands that were sent."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from bson import json_util
from bson.raw_bson import DEFAULT_RAW_BSON_OPTIONS
from pymongo import monitoring
from pymongo.collection import Collection
from pymongo.database import Database

DATA = Path(__file__).resolve().parents[2] / "data"
SAMPLE = DATA.parents[1] / "sample"

# The reference time of the exported data, and what the old program's own library counts at it.
NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
NOW_TEXT = "2026-01-15T10:30:00Z"

_OPTIONS = json_util.JSONOptions(tz_aware=True, tzinfo=UTC)

# Nobody listens on the discard port; "s3cret" must never be seen.
UNREACHABLE = "mongodb://reader:s3cret@127.0.0.1:9/chat"


@cache
def exported(collection: str) -> list[dict[str, Any]]:
    """Return the exported documents of `collection`; nobody may change them."""
    with gzip.open(DATA / f"{collection}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json_util.loads(line, json_options=_OPTIONS) for line in lines]


def fill(database: Database[dict[str, Any]], *collections: str) -> None:
    """Insert the exported documents as they are."""
    for name in collections:
        database[name].insert_many(exported(name), ordered=False)


def raw(collection: Collection[dict[str, Any]]) -> dict[Any, bytes]:
    """Return the stored bytes of every document, by its id."""
    stored = collection.with_options(codec_options=DEFAULT_RAW_BSON_OPTIONS).find()
    return {document["_id"]: bytes(document.raw) for document in stored}


class SentCommands(monitoring.CommandListener):
    """Records the commands that the driver sends, except its own housekeeping."""

    _HOUSEKEEPING = frozenset({"hello", "isMaster", "ismaster", "endSessions", "ping"})

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name not in self._HOUSEKEEPING:
            self.commands.append({"name": event.command_name, **event.command})

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


@contextmanager
def sent_commands() -> Iterator[list[dict[str, Any]]]:
    """Yield the commands that clients made meanwhile send."""
    listener = SentCommands()
    monitoring.register(listener)
    try:
        yield listener.commands
    finally:
        # The driver offers no way to unregister.
        monitoring._LISTENERS.command_listeners.remove(listener)


def without(document: dict[str, Any], *keys: str) -> list[tuple[str, Any]]:
    """Return the fields of `document`, in their order, except those under `keys`."""
    return [(key, value) for key, value in document.items() if key not in keys]
