"""Alerts of what is wrong for as long as it can be seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from cronjobs.alerting.changes import Change, Told, ended, firing_of, job_named
from cronjobs.alerting.evidence import Evidence
from cronjobs.alerts import JOB_KINDS, TOLD_ONCE, AlertKind
from cronjobs.models.execution import SERIAL


class Wrong(NamedTuple):
    """What is wrong with a subject now, since when, and which execution shows it."""

    since: datetime
    execution_id: int | None = None
    job_id: int | None = None


def overrunning(found: Evidence) -> Iterator[Change]:
    """Return what begins and ends of attempts that run longer than expected or, in a thread, than they may."""
    wrong: dict[str, Wrong] = {}
    for each in sorted(found.running, key=lambda each: each.started_at):
        job = found.jobs.get(each.job_id or 0)
        if job is None:
            continue
        expected = job.policy.expected_duration
        is_long = expected is not None and each.started_at + expected < found.now
        # A process is being ended at this moment, and its ending says so.
        is_beyond = job.is_in_thread and each.deadline_at is not None and each.deadline_at < found.now
        if is_long or is_beyond:
            wrong.setdefault(job.name, Wrong(each.started_at, each.pk, job.pk))
    yield from _present(found, AlertKind.OVERRUNNING, wrong, is_complete=not found.is_running_cut)


def late(found: Evidence) -> Iterator[Change]:
    """Return what begins and ends of executions that wait for their start longer than they should."""
    wrong: dict[str, Wrong] = {}
    for each in sorted(found.waiting, key=lambda each: each.run_after):
        job = found.jobs.get(each.job_id or 0)
        # What an outage left behind waits for its turn.
        if job is None or job.policy.late_after is None or each.has_started or each.trigger in SERIAL:
            continue
        is_late = each.run_after + job.policy.late_after < found.now
        # What stands in a paused queue is late as long as it was late before.
        if is_late and (each.queue not in found.paused_queues or found.state(AlertKind.LATE, job.name).firing):
            wrong.setdefault(job.name, Wrong(each.run_after, each.pk, job.pk))
    is_complete = not found.is_waiting_cut
    yield from _present(found, AlertKind.LATE, wrong, is_complete=is_complete, frozen=_at_rest(found))


def without_success(found: Evidence) -> Iterator[Change]:
    """Return what begins and ends of jobs that must not be so long without a success."""
    wrong: dict[str, Wrong] = {}
    unproven: set[str] = set()
    for job_id, succeeded_at in found.successes.items():
        job = found.jobs.get(job_id)
        if job is None or job.policy.no_success_after is None:
            continue
        since = max(succeeded_at or job.counts_from, job.counts_from)
        if since + job.policy.no_success_after < found.now:
            wrong[job.name] = Wrong(since, None, job.pk)
        elif succeeded_at is None or since > succeeded_at:
            # Edited or resumed: it is waited for anew, but nothing has become good.
            unproven.add(job.name)
    yield from _present(found, AlertKind.NO_SUCCESS, wrong, silent=unproven, frozen=_at_rest(found))


def silent_processes(found: Evidence) -> Iterator[Change]:
    """Return what begins of nodes and Celery workers that fell silent, and ends in silence."""
    for kind, silent in ((AlertKind.NODE_GONE, found.silent_nodes), (AlertKind.WORKER_GONE, found.silent_workers)):
        wrong = {name: Wrong(at) for name, at in (silent or {}).items()}
        yield from _present(found, kind, wrong, is_complete=silent is not None)


def stuck_queues(found: Evidence) -> Iterator[Change]:
    """Return what begins and ends of queues that have stood still for two looks."""
    kind, wrong = AlertKind.QUEUE_STUCK, {}
    for queue, head in _stuck_heads(found).items():
        state = found.state(kind, queue)
        if state.firing or state.execution_id == head.execution_id:
            wrong[queue] = head
        elif kind in found.site_kinds:
            # One that was just resumed gets the time until the next look to begin.
            seen = state._replace(execution_id=head.execution_id)
            yield Change(kind=kind, subject=queue, before=state, after=seen)
    is_complete = not (found.is_waiting_cut or found.is_running_cut)
    yield from _present(found, kind, wrong, is_complete=is_complete, silent=found.paused_queues)


def unreachable_mongodb(found: Evidence) -> Iterator[Change]:
    """Return what begins and ends of a MongoDB that does not answer."""
    wrong = {"": Wrong(found.now)} if found.is_mongodb_reached is False else {}
    silent = {""} if found.is_mongodb_reached is None else ()
    yield from _present(found, AlertKind.MONGODB_UNREACHABLE, wrong, silent=silent)


def _at_rest(found: Evidence) -> set[str]:
    """Return the jobs of which nothing is expected now."""
    return {job.name for job in found.jobs.values() if found.is_everything_paused or not job.is_in_force}


def _stuck_heads(found: Evidence) -> dict[str, Wrong]:
    """Return what waits longest in each queue of which nothing runs although it could."""
    if found.is_everything_paused or found.is_running_cut:
        return {}
    moving = {each.queue for each in found.running} | found.paused_queues
    heads: dict[str, Wrong] = {}
    for each in sorted(found.waiting, key=lambda each: each.run_after):
        job = found.jobs.get(each.job_id or 0)
        is_allowed = job is None or not job.is_rate_limited
        if each.queue not in moving and is_allowed and each.run_after + found.queue_stuck_after < found.now:
            heads.setdefault(each.queue, Wrong(each.run_after, each.pk))
    return heads


def _present(
    found: Evidence,
    kind: AlertKind,
    wrong: Mapping[str, Wrong],
    *,
    is_complete: bool = True,
    silent: Collection[str] = (),
    frozen: Collection[str] = (),
) -> Iterator[Change]:
    """Return what begins with subjects that are `wrong` now, and what is over with those that are not any more.

    With what is `frozen` nothing begins and nothing is over; nor is anything over where what was
    found is not complete. It is over in silence with what is `silent`, or no concern of anybody's.
    """
    concerns = _concerns(found, kind)
    for subject, each in wrong.items():
        state = found.state(kind, subject)
        if state.firing or subject in frozen or not concerns(subject):
            continue
        after = state._replace(firing=True, since=each.since, execution_id=each.execution_id)
        told = Told(is_resolution=False, execution_id=each.execution_id, since=each.since)
        yield Change(kind=kind, subject=subject, job_id=each.job_id, before=state, after=after, told=(told,))
    for subject, state in firing_of(found, kind):
        is_moot = subject in silent or not concerns(subject)
        if not is_moot and (subject in wrong or subject in frozen or not is_complete):
            continue
        over = Told(is_resolution=True, execution_id=state.execution_id, since=state.since)
        told_of_end = () if is_moot or kind in TOLD_ONCE else (over,)
        job = job_named(found, subject) if kind in JOB_KINDS else None
        yield ended(kind, subject, state, job, told_of_end)


def _concerns(found: Evidence, kind: AlertKind) -> Callable[[str], bool]:
    """Return what tells whether anybody is to know of this kind with a subject."""
    if kind not in JOB_KINDS:
        return lambda subject: kind in found.site_kinds
    names = {job.name for job in found.jobs.values() if job.is_told_of(kind)}
    return lambda subject: subject in names
