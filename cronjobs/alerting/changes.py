"""What a look leads to: states that change, and what is told of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from cronjobs.alerting.evidence import Evidence, State, WatchedJob
from cronjobs.alerts import AlertKind


class Told(NamedTuple):
    """One message: that it has begun, or that it is over; `execution_id`: what shows it."""

    is_resolution: bool
    execution_id: int | None = None
    # Of what has begun, since when; of what is over, since when it had been.
    since: datetime | None = None
    # Failed executions in a row.
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a state becomes, and what people are told of that, in order."""

    kind: AlertKind
    subject: str
    job_id: int | None = None
    before: State
    after: State
    told: tuple[Told, ...] = ()


def ended(kind: AlertKind, subject: str, state: State, job: WatchedJob | None, told: tuple[Told, ...] = ()) -> Change:
    """Return the end of a state that fires; `told`: nothing, if it ends in silence."""
    after = state._replace(firing=False, since=None)
    return Change(
        kind=kind, subject=subject, job_id=None if job is None else job.pk, before=state, after=after, told=told
    )


def firing_of(found: Evidence, kind: AlertKind) -> list[tuple[str, State]]:
    """Return the subjects with which a kind fires, and their states."""
    return [(subject, state) for (of, subject), state in found.states.items() if of == kind and state.firing]


def job_named(found: Evidence, name: str) -> WatchedJob | None:
    """Return the job of that name, if it was looked at."""
    return next((job for job in found.jobs.values() if job.name == name), None)
