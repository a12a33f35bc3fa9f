"""What a look at the site has found, as plain values: all that decisions are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from cronjobs.alerts import AlertKind, AlertPolicy


class State(NamedTuple):
    """An `AlertState` as it was read; `version` None: there is no row yet.

    `judged_at` is when the execution started that was judged last.
    """

    firing: bool = False
    since: datetime | None = None
    version: int | None = None
    execution_id: int | None = None
    judged_at: datetime | None = None


class Notice(NamedTuple):
    """What has ended badly: an `AlertNotice`; `what` is a `NoticeOf`."""

    pk: int
    execution_id: int | None
    job_id: int | None
    what: str
    at: datetime


class Judged(NamedTuple):
    """An execution that has succeeded, failed or timed out."""

    started_at: datetime
    pk: int
    is_success: bool
    finished_at: datetime


class Waiting(NamedTuple):
    """An execution whose time has come and that has not been started, or is to be started again."""

    pk: int
    job_id: int | None
    queue: str
    run_after: datetime
    has_started: bool
    trigger: str


class Running(NamedTuple):
    """An execution that a worker holds."""

    pk: int
    job_id: int | None
    queue: str
    started_at: datetime
    deadline_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedJob:
    """A job as far as alerts are about it. `counts_from`: a success is waited for since then at the earliest."""

    pk: int
    name: str
    policy: AlertPolicy
    is_enabled: bool = True
    is_in_force: bool = True
    is_in_thread: bool = True
    is_rate_limited: bool = False
    counts_from: datetime
    owner: str = ""
    description: str = ""
    runbook_url: str = ""

    def is_told_of(self, kind: AlertKind) -> bool:
        """Return whether anybody is to be told when this happens to the job."""
        return self.is_enabled and kind in (self.policy.on or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What there was when somebody looked. Jobs, and what is told of them, go by their keys."""

    now: datetime
    states: Mapping[tuple[str, str], State] = field(default_factory=dict)
    jobs: Mapping[int, WatchedJob] = field(default_factory=dict)
    notices: Sequence[Notice] = ()
    # Oldest first; as many of the newest of each job as it takes to tell whether it is failing, and some more.
    histories: Mapping[int, Sequence[Judged]] = field(default_factory=dict)
    waiting: Sequence[Waiting] = ()
    # More than these may wait.
    is_waiting_cut: bool = False
    running: Sequence[Running] = ()
    # More than these may run.
    is_running_cut: bool = False
    # When the latest success ended, of jobs that must not be long without one; None: there was none lately.
    successes: Mapping[int, datetime | None] = field(default_factory=dict)
    # With their last heartbeats. None: after an outage nobody can tell who is gone.
    silent_nodes: Mapping[str, datetime] | None = field(default_factory=dict)
    # The same of Celery workers.
    silent_workers: Mapping[str, datetime] | None = field(default_factory=dict)
    paused_queues: frozenset[str] = frozenset()
    is_everything_paused: bool = False
    # None: there is no MongoDB, or nobody wants to know.
    is_mongodb_reached: bool | None = None
    site_kinds: frozenset[str] = frozenset()
    queue_stuck_after: timedelta = timedelta(minutes=5)

    def state(self, kind: AlertKind, subject: str) -> State:
        """Return the state of one kind for one subject."""
        return self.states.get((kind, subject), State())
