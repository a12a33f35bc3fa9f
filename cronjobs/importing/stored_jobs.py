"""The rows of django-apscheduler, as entries; nothing is unpickled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any

from cronjobs.importing.entries import Entry, Reading

# Its rows for the jobs of this app begin like this.
_OURS = "cronjobs:"
_REMARK = (
    "What these jobs run, and when, is in pickles, which nobody opens here: so a definition, found by the same name, "
    "says both."
)


def read_stored_jobs(rows: Iterable[Mapping[str, Any]]) -> Reading:
    """Return an entry for each job of somebody else's; it has no schedule, which only its pickle knows."""
    entries = tuple(_entry(row) for row in rows if not str(row["id"]).startswith(_OURS))
    return Reading(entries, (_REMARK,) if entries else ())


def _entry(row: Mapping[str, Any]) -> Entry:
    name, at = str(row["id"]), row["next_run_time"]
    # Names of jobs are made of the function's path where nobody gave another one.
    runs = name.replace(":", ".").rpartition(".")[2]
    note = "It was paused there." if at is None else f"It was due there at {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC."
    return Entry(place="row", name=name, runs=runs, handles=(name,), notes=(note,))
