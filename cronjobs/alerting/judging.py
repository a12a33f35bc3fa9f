"""Alerts of what has ended: of a job that fails and recovers, of what was lost, and of what was missed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from cronjobs.alerting.changes import Change, Told, ended, firing_of, job_named
from cronjobs.alerting.evidence import Evidence, Judged, Notice, State, WatchedJob
from cronjobs.alerts import AlertKind
from cronjobs.models.alerts import NoticeOf


def failing(found: Evidence) -> Iterator[Change]:
    """Return what begins and ends of jobs that fail as often in a row as their policies say, and that recover."""
    noticed = _by_job(found, NoticeOf.FAILED)
    for job in _concerned(found, AlertKind.FAILING, noticed):
        state, history = found.state(AlertKind.FAILING, job.name), found.histories.get(job.pk, ())
        before = _begun(state, history, noticed.get(job.pk, ()))
        after, told = judge(before, history, after=job.policy.after or 1)
        if not job.is_told_of(AlertKind.FAILING):
            after, told = after._replace(firing=False, since=None), ()
        yield Change(kind=AlertKind.FAILING, subject=job.name, job_id=job.pk, before=state, after=after, told=told)
    yield from _orphans(found, AlertKind.FAILING)


def happened(found: Evidence, kind: AlertKind, what: str) -> Iterator[Change]:
    """Return what begins, and in silence ends with the next success, of jobs to which `what`, a `NoticeOf`, has happened."""
    noticed = _by_job(found, what)
    for job in _concerned(found, kind, noticed):
        state = found.state(kind, job.name)
        successes = [each for each in found.histories.get(job.pk, ()) if each.is_success]
        after, told = _weigh(state, noticed.get(job.pk, ()), successes)
        if not job.is_told_of(kind):
            after, told = after._replace(firing=False, since=None), ()
        yield Change(kind=kind, subject=job.name, job_id=job.pk, before=state, after=after, told=told)
    yield from _orphans(found, kind)


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


def _is_known(execution: Judged, state: State) -> bool:
    if state.judged_at is None:
        return False
    return (execution.started_at, execution.pk) <= (state.judged_at, state.execution_id or 0)


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


def _by_job(found: Evidence, what: str) -> dict[int, list[Notice]]:
    noticed: dict[int, list[Notice]] = {}
    for each in found.notices:
        if each.what == what and each.job_id is not None:
            noticed.setdefault(each.job_id, []).append(each)
    return noticed


def _concerned(found: Evidence, kind: AlertKind, noticed: Collection[int]) -> list[WatchedJob]:
    """Return the jobs with news of this kind, and those with which it fires."""
    names = {subject for subject, _ in firing_of(found, kind)}
    return [job for job in found.jobs.values() if job.pk in noticed or job.name in names]


def _orphans(found: Evidence, kind: AlertKind) -> Iterator[Change]:
    """Return the end, in silence, of what fires with jobs that are gone."""
    for subject, state in firing_of(found, kind):
        if job_named(found, subject) is None:
            yield ended(kind, subject, state, None)
