"""A database router as sites with a replica have it."""

from __future__ import annotations

from typing import Any


class ReadFromReplica:
    """Reads go to a replica, which may lag."""

    def db_for_read(self, model: type, **hints: Any) -> str:
        return "replica"

    def db_for_write(self, model: type, **hints: Any) -> str:
        return "default"
