"""One thing that another scheduler runs, as every source tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cronjobs.exceptions import CronJobsError


class Unreadable(CronJobsError, ValueError):
    """A source cannot be read at all; the sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that another scheduler runs.

    `columns` are those of a job of which the source speaks, as a job has them; what it does not speak of is
    missing, also the schedule.
    """

    # Where it was found, such as "line 7".
    place: str
    # What it is called there.
    name: str
    # What it runs, by which a definition of the same name is found; empty if that cannot be told.
    runs: str
    # The texts that a pattern may match: `name`, `runs`, and more.
    handles: tuple[str, ...] = ()
    columns: Mapping[str, Any] = field(default_factory=dict)
    # What a job will not do in the same way.
    notes: tuple[str, ...] = ()
    # Why no job can do it, whatever is defined.
    problem: str = ""
    # Why a job does not do all of it: arguments without names, further commands. Who names a definition by hand
    # does without them.
    only_by_rule: str = ""
    # The parameters whose value was a word of its own: behind a flag it is no value, but an argument.
    apart: tuple[str, ...] = ()
    # Whether `runs` is a management command.
    is_management: bool = False
    # It is not known what was meant: nothing is written while there is such an entry.
    is_unreadable: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """The entries of a source in its order, and what there is to say of it as a whole."""

    entries: tuple[Entry, ...]
    remarks: tuple[str, ...] = ()
