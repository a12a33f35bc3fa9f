"""What clean-ups get done: how many documents each run modifies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cronjobs.admin.dashboard.hours import Hour
from cronjobs.models.figures import ModifyingExecution

MOST_JOBS = 5
MOST_BARS = 40


@dataclass(frozen=True, slots=True)
class Cleanup:
    """The runs of one job that said how many documents they modified; `latest` are the last of them, oldest first."""

    name: str
    runs: int
    documents: int
    latest: tuple[ModifyingExecution, ...]

    @property
    def mean(self) -> float:
        """How many documents a run modified on average."""
        return self.documents / self.runs


def cleanups(hours: Iterable[Hour]) -> list[Cleanup]:
    """Return what jobs modified in `hours`, which are in the order of time; those that modified most first."""
    runs: dict[str, list[ModifyingExecution]] = {}
    for hour in hours:
        for each in reversed(hour.runs):
            runs.setdefault(each.job_name, []).append(each)
    found = [
        Cleanup(name, len(of), sum(each.documents for each in of), tuple(of[-MOST_BARS:])) for name, of in runs.items()
    ]
    return sorted(found, key=lambda each: (-each.documents, each.name))[:MOST_JOBS]
