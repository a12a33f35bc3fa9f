"""What changes, given what was found: which alerts begin and which are over. Values in, values out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from cronjobs.alerting.evidence import Evidence, Judged, Notice, State, WatchedJob
from cronjobs.alerts import JOB_KINDS, TOLD_ONCE, AlertKind
from cronjobs.models.alerts import NoticeOf
from cronjobs.models.execution import SERIAL


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


class Wrong(NamedTuple):
    """What is wrong with a subject now, since when, and which execution shows it."""

    since: datetime
    execution_id: int | None = None
    job_id: int | None = None


def decide(found: Evidence) -> list[Change]:
    """Return everything that changes."""
    changes = [
        *_failing(found),
        *_happened(found, AlertKind.LOST, NoticeOf.LOST),
        *_happened(found, AlertKind.MISSED, NoticeOf.MISSED),
        *_overrunning(found),
        *_late(found),
        *_without_success(found),
        *_nodes(found),
        *_queues(found),
        *_mongodb(found),
    ]
    return [each for each in changes if each.after != each.before]


# Judging executions: failing and recovered.


def _failing(found: Evidence) -> Iterator[Change]:
    noticed = _by_job(found, NoticeOf.FAILED)
    for job in _concerned(found, AlertKind.FAILING, noticed):
        state, history = found.state(AlertKind.FAILING, job.name), found.histories.get(job.pk, ())
        before = _begun(state, history, noticed.get(job.pk, ()))
        after, told = judge(before, history, after=job.policy.after or 1)
        if not job.is_told_of(AlertKind.FAILING):
            after, told = after._replace(firing=False, since=None), ()
        yield Change(kind=AlertKind.FAILING, subject=job.name, job_id=job.pk, before=state, after=after, told=told)
    yield from _orphans(found, AlertKind.FAILING)


def _begun(state: State, history: Sequence[Judged], notices: Sequence[Notice]) -> State:
    """Return the state to go on from: of a job that is judged for the first time, the past is nobody's news."""
    if state.judged_at is not None or not history:
        return state
    ids = {each.execution_id for each in notices}
    first = next((number for number, each in enumerate(history) if each.pk in ids), len(history) - 1)
    if first == 0:
        return state
    known = history[first - 1]
    return state._replace(judged_at=known.started_at, execution_id=known.pk)


def judge(state: State, history: Sequence[Judged], *, after: int) -> tuple[State, tuple[Told, ...]]:
    """Return the state that `history`, oldest first, leads to, and what is told on the way.

    A job begins to fail when the newest `after` executions are all bad, and has recovered with
    the next success. What was judged before tells nothing again, but counts.
    """
    firing, since, failures = state.firing, state.since, 0
    told: list[Told] = []
    for each in history:
        failures = 0 if each.is_success else failures + 1
        if _is_known(each, state):
            continue
        if each.is_success and firing:
            told.append(Told(is_resolution=True, execution_id=each.pk, since=since))
            firing, since = False, None
        elif failures >= after and not firing:
            firing, since = True, each.finished_at
            told.append(Told(is_resolution=False, execution_id=each.pk, since=since, failures=failures))
    if not history:
        return state, ()
    newest = history[-1]
    if failures >= after and not firing:
        # One that started earlier and ended later has made it so many.
        firing, since = True, newest.finished_at
        told.append(Told(is_resolution=False, execution_id=newest.pk, since=since, failures=failures))
    return State(firing, since, state.version, newest.pk, newest.started_at), tuple(told)


def _is_known(execution: Judged, state: State) -> bool:
    if state.judged_at is None:
        return False
    return (execution.started_at, execution.pk) <= (state.judged_at, state.execution_id or 0)


# What happens, and ends in silence with the next success: lost and missed.


def _happened(found: Evidence, kind: AlertKind, what: str) -> Iterator[Change]:
    noticed = _by_job(found, what)
    for job in _concerned(found, kind, noticed):
        state = found.state(kind, job.name)
        successes = [each for each in found.histories.get(job.pk, ()) if each.is_success]
        after, told = _weigh(state, noticed.get(job.pk, ()), successes)
        if not job.is_told_of(kind):
            after, told = after._replace(firing=False, since=None), ()
        yield Change(kind=kind, subject=job.name, job_id=job.pk, before=state, after=after, told=told)
    yield from _orphans(found, kind)


def _weigh(state: State, notices: Iterable[Notice], successes: Sequence[Judged]) -> tuple[State, tuple[Told, ...]]:
    told: list[Told] = []
    for notice in sorted(notices, key=lambda each: (each.at, each.pk)):
        state = _cleared(state, successes, until=notice.at)
        if not state.firing:
            told.append(Told(is_resolution=False, execution_id=notice.execution_id, since=notice.at))
            state = state._replace(firing=True, since=notice.at, execution_id=notice.execution_id)
    return _cleared(state, successes), tuple(told)


def _cleared(state: State, successes: Sequence[Judged], *, until: datetime | None = None) -> State:
    """Return the state with what a success since then has made good."""
    if not state.firing or state.since is None:
        return state
    is_over = any(each.started_at > state.since and (until is None or each.finished_at <= until) for each in successes)
    return state._replace(firing=False, since=None) if is_over else state


# What is wrong as long as it can be seen.


def _overrunning(found: Evidence) -> Iterator[Change]:
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


def _late(found: Evidence) -> Iterator[Change]:
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


def _without_success(found: Evidence) -> Iterator[Change]:
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


def _at_rest(found: Evidence) -> set[str]:
    """Return the jobs of which nothing is expected now."""
    return {job.name for job in found.jobs.values() if found.is_everything_paused or not job.is_in_force}


def _nodes(found: Evidence) -> Iterator[Change]:
    wrong = {name: Wrong(at) for name, at in (found.silent_nodes or {}).items()}
    yield from _present(found, AlertKind.NODE_GONE, wrong, is_complete=found.silent_nodes is not None)


def _queues(found: Evidence) -> Iterator[Change]:
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


def _mongodb(found: Evidence) -> Iterator[Change]:
    wrong = {"": Wrong(found.now)} if found.is_mongodb_reached is False else {}
    silent = {""} if found.is_mongodb_reached is None else ()
    yield from _present(found, AlertKind.MONGODB_UNREACHABLE, wrong, silent=silent)


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
    for subject, state in _firing(found, kind):
        is_moot = subject in silent or not concerns(subject)
        if not is_moot and (subject in wrong or subject in frozen or not is_complete):
            continue
        over = Told(is_resolution=True, execution_id=state.execution_id, since=state.since)
        told_of_end = () if is_moot or kind in TOLD_ONCE else (over,)
        job = _job_named(found, subject) if kind in JOB_KINDS else None
        yield _ended(kind, subject, state, job, told_of_end)


def _concerns(found: Evidence, kind: AlertKind) -> Callable[[str], bool]:
    """Return what tells whether anybody is to know of this kind with a subject."""
    if kind not in JOB_KINDS:
        return lambda subject: kind in found.site_kinds
    names = {job.name for job in found.jobs.values() if job.is_told_of(kind)}
    return lambda subject: subject in names


def _ended(kind: AlertKind, subject: str, state: State, job: WatchedJob | None, told: tuple[Told, ...] = ()) -> Change:
    after = state._replace(firing=False, since=None)
    return Change(
        kind=kind, subject=subject, job_id=None if job is None else job.pk, before=state, after=after, told=told
    )


# Who is looked at.


def _by_job(found: Evidence, what: str) -> dict[int, list[Notice]]:
    noticed: dict[int, list[Notice]] = {}
    for each in found.notices:
        if each.what == what and each.job_id is not None:
            noticed.setdefault(each.job_id, []).append(each)
    return noticed


def _concerned(found: Evidence, kind: AlertKind, noticed: Collection[int]) -> list[WatchedJob]:
    """Return the jobs with news of this kind, and those with which it fires."""
    names = {subject for subject, _ in _firing(found, kind)}
    return [job for job in found.jobs.values() if job.pk in noticed or job.name in names]


def _orphans(found: Evidence, kind: AlertKind) -> Iterator[Change]:
    """Return the end, in silence, of what fires with jobs that are gone."""
    for subject, state in _firing(found, kind):
        if _job_named(found, subject) is None:
            yield _ended(kind, subject, state, None)


def _firing(found: Evidence, kind: AlertKind) -> list[tuple[str, State]]:
    return [(subject, state) for (of, subject), state in found.states.items() if of == kind and state.firing]


def _job_named(found: Evidence, name: str) -> WatchedJob | None:
    return next((job for job in found.jobs.values() if job.name == name), None)
