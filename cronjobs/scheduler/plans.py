"""Keeps clock rows what jobs say: plans what is new, edited, mended or lost, always from now on."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import CharField, Exists, F, Max, OuterRef, Value
from django.db.models.functions import Coalesce, Concat
from django_apscheduler.models import DjangoJob

from cronjobs.conf import get_settings, words_to_mask
from cronjobs.database import as_utc, engine_alias, in_transaction, lock_unlocked
from cronjobs.language import gettext as _
from cronjobs.models import Job, JobExecution, ResolvedJob, Trigger
from cronjobs.models.batches import upsert
from cronjobs.models.job import PLAN_COLUMNS
from cronjobs.models.loading import load_each
from cronjobs.scheduler.clock_rows import PREFIX, clock_id, own_rows
from cronjobs.scheduler.planner import Policy, first_run_time
from cronjobs.storable import storable_text

logger = logging.getLogger(__name__)

BATCH = 500


def sync(now: datetime) -> int:
    """Plan the jobs whose planning columns changed, from `now` on; return how many there were."""
    alias = engine_alias(JobExecution)
    return in_transaction(alias, lambda: _sync(alias, now))


def mend(now: datetime) -> int:
    """Try broken jobs again and plan those that are whole, from `now` on; return how many there were.

    One that was broken only because a process lacked its definition goes on where it stopped.
    """
    alias = engine_alias(JobExecution)
    broken, _ = load_each(Job.objects.using(alias).broken().resolvable().order_by("pk")[:BATCH])
    changed = [each.pk for each in broken if _planned_from(each, now).broken_reason != each.broken_reason]
    return in_transaction(alias, lambda: _mend(alias, changed, now)) if changed else 0


def reconcile(now: datetime, *, rewind: bool = False) -> int:
    """Compare every job with its clock row and mend what differs; return how many were planned anew.

    Finds what no column shows: changed settings and code, clock rows that somebody deleted or
    overwrote. `rewind` also plans again what lies beyond the next due
    time, after the clock was set back.
    """
    alias = engine_alias(JobExecution)
    changed, last = 0, 0
    while ids := list(Job.objects.using(alias).filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        changed += in_transaction(alias, lambda ids=ids: _reconcile(alias, ids, now, rewind=rewind))  # type: ignore[misc]  # bound now
        last = ids[-1]
    return changed


def restore(now: datetime) -> int:
    """Give back their clock rows to jobs whose row somebody deleted; return how many there were.

    A stock django-apscheduler store on the same database deletes what it cannot unpickle.
    """
    alias = engine_alias(JobExecution)
    own = own_rows().filter(id=Concat(Value(PREFIX), OuterRef("pk"), output_field=CharField()))
    deprived = Job.objects.using(alias).filter(~Exists(own), planned_enabled__isnull=False).order_by("pk")
    ids = list(deprived.values_list("pk", flat=True)[:BATCH])
    return in_transaction(alias, lambda: _reconcile(alias, ids, now, rewind=False)) if ids else 0


def policy_of(resolved: ResolvedJob) -> Policy:
    """Return what decides which of a job's due times are run."""
    return Policy(
        misfire_grace=resolved.misfire_grace,
        catch_up=resolved.catch_up,
        catch_up_cap=get_settings().catch_up_cap,
        starts_at=resolved.starts_at,
        ends_at=resolved.ends_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """What planning one job came to: its clock row's new values, or why it is broken."""

    job: Job
    state: bytes
    next_run_time: datetime | None
    broken_reason: str = ""


def undecided_state(due: datetime) -> bytes:
    """Return what the clock row of a job says whose due time nobody could decide."""
    return _state(undecided=due.isoformat())


def first_due_time(resolved: ResolvedJob, at: datetime) -> datetime | None:
    """Return when the clock has to come back for a job that is new, edited or resumed at `at`."""
    return _first(resolved, at)


def _mend(alias: str, ids: Sequence[int], now: datetime) -> int:
    # Read again under the lock: somebody may have edited it since.
    locked = lock_unlocked(Job.objects.using(alias).broken().filter(pk__in=ids).resolvable().order_by("pk"))
    planned = [_planned_from(job, now) for job in locked]
    rows = own_rows().filter(id__in=[clock_id(each.job.pk) for each in planned]).in_bulk()
    _replan(alias, [_resumed(each, rows.get(clock_id(each.job.pk))) for each in planned], now)
    return len(planned)


def _resumed(planned: _Planned, row: Any) -> _Planned:
    """Return the plan of a mended job; from the due time that was left undecided, if there is one."""
    undecided = None if row is None else _undecided(bytes(row.job_state))
    if planned.broken_reason or planned.next_run_time is None or undecided is None:
        return planned
    return replace(planned, next_run_time=min(undecided, planned.next_run_time))


def _undecided(state: bytes) -> datetime | None:
    try:
        return datetime.fromisoformat(json.loads(state)["undecided"])
    except (ValueError, KeyError, TypeError):
        # The ordinary state, or what another program has written over it.
        return None


def _sync(alias: str, now: datetime) -> int:
    stale = Job.objects.using(alias).stale().resolvable().order_by("pk")
    jobs, unreadable = load_each(lock_unlocked(stale)[:BATCH])
    planned = [_planned_from(job, now) for job in jobs]
    _replan(alias, planned + _planned_as_unreadable(alias, unreadable), now)
    return len(planned) + len(unreadable)


def _planned_as_unreadable(alias: str, unreadable: dict[int, Exception]) -> list[_Planned]:
    """Return the plan of jobs whose rows Python cannot hold: never, until somebody mends them."""
    names = dict(Job.objects.using(alias).filter(pk__in=unreadable).values_list("pk", "name"))
    text = _("Its row cannot be read: %(what)s.")
    reasons = {pk: text % {"what": type(error).__name__} for pk, error in unreadable.items()}
    return [
        _Planned(job=Job(pk=pk, name=names[pk]), state=_state(broken=reason), next_run_time=None, broken_reason=reason)
        for pk, reason in reasons.items()
        if pk in names
    ]


def _planned_from(job: Job, at: datetime) -> _Planned:
    """Plan a job from a moment on: never the past."""
    try:
        resolved = job.resolve()
        return _Planned(job=job, state=_fingerprint(resolved), next_run_time=_first(resolved, at))
    except Exception as error:  # noqa: BLE001 - one bad row must not stop the others
        reason = storable_text(error, mask=words_to_mask()) or type(error).__name__
        return _Planned(job=job, state=_state(broken=reason), next_run_time=None, broken_reason=reason)


def _first(resolved: ResolvedJob, at: datetime) -> datetime | None:
    if resolved.schedule is None or not resolved.is_active:
        return None
    start = max(at, resolved.paused_until) if resolved.paused_until else at
    # An excluded day is visited all the same, so that it can be recorded.
    return first_run_time(resolved.schedule.nominal, policy_of(resolved), now=start)


def _fingerprint(resolved: ResolvedJob) -> bytes:
    window = {"pausedUntil": resolved.paused_until, "startsAt": resolved.starts_at, "endsAt": resolved.ends_at}
    return _state(
        schedule=str(resolved.schedule or ""),
        timeZone=resolved.time_zone,
        active=resolved.is_active,
        **{name: at.isoformat() if at else None for name, at in window.items()},
    )


def _state(**facts: Any) -> bytes:
    """Return what a clock row keeps beside the time: a JSON document, never a pickle."""
    return json.dumps({"cronjobs": 1, **facts}, sort_keys=True).encode()


def _replan(alias: str, planned: Sequence[_Planned], now: datetime) -> None:
    if not planned:
        return
    rows = [
        DjangoJob(id=clock_id(each.job.pk), next_run_time=each.next_run_time, job_state=each.state) for each in planned
    ]
    clock_rows = DjangoJob.objects.using(alias)
    upsert(clock_rows, rows, unique_fields=["id"], update_fields=["next_run_time", "job_state"])
    ids = [each.job.pk for each in planned]
    copies = {f"planned_{column}": F(column) for column in PLAN_COLUMNS}
    Job.objects.using(alias).filter(pk__in=ids).update(**copies, planned_at=now)
    _set_broken_reasons(alias, planned)


def _set_broken_reasons(alias: str, planned: Iterable[_Planned]) -> None:
    for each in planned:
        if each.broken_reason != each.job.broken_reason:
            Job.objects.using(alias).filter(pk=each.job.pk).update(broken_reason=each.broken_reason)
            if each.broken_reason:
                logger.error("Job %s is broken: %s", each.job.name, each.broken_reason, extra={"job": each.job.name})
            else:
                logger.info("Job %s is mended.", each.job.name, extra={"job": each.job.name})


def _reconcile(alias: str, ids: Sequence[int], now: datetime, *, rewind: bool) -> int:
    # What somebody else has locked is looked at the next time; nobody here waits for anybody.
    jobs, unreadable = load_each(lock_unlocked(Job.objects.using(alias).filter(pk__in=ids).resolvable().order_by("pk")))
    rows = own_rows().filter(id__in=[clock_id(pk) for pk in ids]).in_bulk()
    lost = [job.pk for job in jobs if clock_id(job.pk) not in rows and job.planned_enabled is not None]
    decided = _newest_decided(alias, lost)
    changed = _planned_as_unreadable(alias, unreadable)
    for job in jobs:
        row = rows.get(clock_id(job.pk))
        if row is not None and not rewind and bytes(row.job_state) == _state_to_be(job):
            # As nearly all of them are. When it is due next need not be worked out.
            continue
        planned = _resumed(_planned_from(job, _goes_on_from(job, decided, now)), row)
        if row is None or bytes(row.job_state) != planned.state or (rewind and _is_beyond(row, planned)):
            changed.append(planned)
    _replan(alias, changed, now)
    return len(changed)


def _state_to_be(job: Job) -> bytes | None:
    """Return the state of the job's clock row if nothing is wrong with the job; None if it cannot be resolved."""
    try:
        return _fingerprint(job.resolve())
    except Exception:  # noqa: BLE001 - planning finds out what it is
        return None


def _goes_on_from(job: Job, decided: dict[int, datetime], now: datetime) -> datetime:
    """Return from when on to plan: for a lost clock row, where history ends, but never before the last change."""
    if job.pk not in decided:
        return now
    return max(decided[job.pk], job.planned_at or now)


def _is_beyond(row: Any, planned: _Planned) -> bool:
    if row.next_run_time is None or planned.next_run_time is None:
        return False
    return as_utc(row.next_run_time) > planned.next_run_time


def _newest_decided(alias: str, job_ids: Sequence[int]) -> dict[int, datetime]:
    """Return the newest due time that is already history, for jobs that lost their clock row."""
    if not job_ids:
        return {}
    history = JobExecution.objects.using(alias).filter(
        job_id__in=job_ids, trigger__in=(Trigger.SCHEDULE, Trigger.CATCH_UP)
    )
    newest = history.order_by().values_list("job_id").annotate(newest=Max(Coalesce("missed_until", "scheduled_for")))
    return {pk: as_utc(at) for pk, at in newest}
