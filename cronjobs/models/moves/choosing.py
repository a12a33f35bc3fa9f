"""Which of the executions that wait are next: those that may start, in the order of their turn."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from cronjobs.database import DatabaseNow
from cronjobs.exceptions import CronJobsError
from cronjobs.language import gettext as _
from cronjobs.language import site_language
from cronjobs.models.announcements import announce_final
from cronjobs.models.choices import WaitsFor
from cronjobs.models.execution import JobExecution, waits_for
from cronjobs.models.job import Job
from cronjobs.models.moves.candidates import Candidates, Found
from cronjobs.models.moves.current import jobs_of
from cronjobs.models.moves.followups import ask_for_followup
from cronjobs.models.moves.places import Places
from cronjobs.registry import registry
from cronjobs.states import ExecutionStatus

logger = logging.getLogger(__name__)

# As many as the column can count.
_MOST_ATTEMPTS = 32_767

# Writes what has been chosen, and returns it: locked rows, their jobs by id, and when they were chosen.
Stamp = Callable[[list[JobExecution], dict[int, Job], datetime], list[JobExecution]]


class Claimed(NamedTuple):
    """What a claim brought: executions with their jobs, first come first.

    `is_more` says that others are due and wait for a free worker, or for a place.
    """

    executions: list[tuple[JobExecution, Job | None]]
    is_more: bool


@dataclass(slots=True)
class Room:
    """How many more executions of each queue may be chosen; of one that is not in `taken`, `limit`."""

    limit: int
    taken: Counter[str] = field(default_factory=Counter)

    def take(self, execution: JobExecution) -> bool:
        """Take a place in the execution's queue, and return whether there was one."""
        is_any = self.taken[execution.queue] < self.limit
        self.taken[execution.queue] += is_any
        return is_any


def choose(candidates: Candidates, limit: int, stamp: Stamp, *, room: Room | None = None) -> Claimed:
    """Choose up to `limit` of the candidates within all limits, and within `room`, and stamp them.

    To be called in a transaction: what is chosen is locked.
    """
    claimed: list[tuple[JobExecution, Job | None]] = []
    refused = True
    # Rows that have to wait may fill the head of the queue; they must not hold back the rest.
    while refused and (wanted := limit - len(claimed)) > 0:
        rows, unreadable = _startable(candidates.next(wanted))
        _skip_unreadable(unreadable, candidates.alias)
        jobs, broken = jobs_of(rows, candidates.alias)
        ours = _not_for_others(rows, jobs, candidates)
        # A definition that only other nodes have is theirs to run: this code may be older, or newer.
        foreign = {each.job_id for each in ours if each.job_id in broken or _is_foreign(jobs.get(each.job_id or 0))}
        candidates.full_jobs |= {pk for pk in foreign if pk is not None}
        known = [each for each in ours if each.job_id not in foreign]
        chosen, now = _with_places(known, jobs, candidates, room, begun=len(claimed))
        claimed += [(each, jobs.get(each.job_id or 0)) for each in stamp(chosen, jobs, now)]
        refused = len(chosen) < len(rows) == wanted
    return Claimed(claimed, is_more=candidates.is_any_full or len(claimed) >= limit)


def _startable(found: Found) -> Found:
    """Move what no claim can start to what cannot be read: it would take the others with it."""
    rows, unreadable = found
    bad = {each.pk: error for each in rows if (error := _why_not_startable(each)) is not None}
    return ([each for each in rows if each.pk not in bad], unreadable | bad) if bad else found


def _why_not_startable(execution: JobExecution) -> Exception | None:
    # Of SQLite, a column of numbers may hold anything.
    if not all(type(getattr(execution, name)) is int for name in ("attempt", "max_attempts", "priority")):
        return TypeError("its attempts or its priority are no numbers")
    if not 0 <= execution.attempt < _MOST_ATTEMPTS:
        return ValueError(f"{execution.attempt} attempts are too many")
    return None


def _not_for_others(rows: list[JobExecution], jobs: Mapping[int, Job], candidates: Candidates) -> list[JobExecution]:
    """Return those that are still for whoever chooses; the others, whose job runs elsewhere since, are passed on."""
    ours = candidates.waits_for
    elsewhere = [each.pk for each in rows if who_performs(jobs.get(each.job_id or 0), ours) != ours]
    if not elsewhere:
        return rows
    other = WaitsFor.NODE if ours == WaitsFor.DISPATCH else WaitsFor.DISPATCH
    JobExecution.objects.using(candidates.alias).waiting().filter(pk__in=elsewhere).update(waits_for=other)
    return [each for each in rows if each.pk not in elsewhere]


def who_performs(job: Job | None, default: WaitsFor) -> WaitsFor:
    """Return who has to act on executions of the job that are queued; `default` if it is gone, or broken."""
    try:
        return default if job is None else waits_for(job.resolve())
    except CronJobsError:
        # A broken job fails wherever it runs.
        return default


def _with_places(
    rows: Sequence[JobExecution], jobs: dict[int, Job], candidates: Candidates, room: Room | None, *, begun: int
) -> tuple[list[JobExecution], datetime]:
    """Return those that may start now, and when that is; note what is full."""
    places = Places(rows, jobs, candidates.alias)
    chosen: list[JobExecution] = []
    for each in rows:
        if room is not None and each.queue in candidates.full_queues:
            continue
        is_ahead = candidates.at_once is not None and begun + len(chosen) >= candidates.at_once
        if is_ahead and each.job_id is not None and places.counts_starts_of(each):
            # Its start is counted now, and would come when others are counted already.
            candidates.full_jobs.add(each.job_id)
            continue
        refusal = places.take(each)
        if refusal is not None:
            candidates.note_full(each, refusal)
        elif room is None or room.take(each):
            chosen.append(each)
        else:
            candidates.full_queues.add(each.queue)
            candidates.is_apart = True
    return chosen, places.counted_at or candidates.now


def _skip_unreadable(unreadable: dict[int, Exception], alias: str) -> None:
    for pk, error in unreadable.items():
        with site_language():
            reason = _("Its row cannot be read: %(what)s.") % {"what": type(error).__name__}
        logger.error("Execution %d cannot be read: %s", pk, error)
        row = JobExecution.objects.using(alias).filter(pk=pk)
        row.filter(status=ExecutionStatus.QUEUED).update(
            status=ExecutionStatus.SKIPPED, reason=reason, finished_at=DatabaseNow()
        )
        ask_for_followup(alias, row.values_list("pk", "job_name"))
        announce_final(row)


def _is_foreign(job: Job | None) -> bool:
    return job is not None and job.definition not in registry
