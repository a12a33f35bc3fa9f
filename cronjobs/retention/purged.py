"""What a purge came to, or what it would."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """How many rows of each kind were deleted, or would be."""

    executions: int = 0
    attempts: int = 0
    log_lines: int = 0
    audit_entries: int = 0
    suspects: int = 0
    alerts: int = 0
    rollups: int = 0

    def __add__(self, other: Purged) -> Purged:
        names = [each.name for each in fields(self)]
        return Purged(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def rows(self) -> int:
        """All of them together."""
        return sum(getattr(self, each.name) for each in fields(self))
