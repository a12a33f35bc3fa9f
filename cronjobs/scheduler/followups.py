"""Records what depends on executions that have ended: once per flow, by whichever node comes first.

Every ending is looked at after its commit, by a transaction that has locked it, and the root of
its flow. So of two upstreams that end at the same time, whoever is looked at last sees both.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from django.db import InterfaceError, OperationalError

from cronjobs.database import DatabaseNow, as_utc, database_now_plus, engine_alias, in_transaction, lock_unlocked
from cronjobs.language import gettext as _
from cronjobs.models import Job, JobExecution, ResolvedJob, Trigger
from cronjobs.models.announcements import announce_final
from cronjobs.models.execution import ExecutionQuerySet, insert_once
from cronjobs.models.flows import is_decided, reason_to_skip
from cronjobs.models.graph import Follower, Followers, load_followers
from cronjobs.models.loading import load_each
from cronjobs.models.moves import revive
from cronjobs.scheduler.clock_rows import EARLIEST
from cronjobs.states import ExecutionStatus

logger = logging.getLogger(__name__)

BATCH = 100
# How long an ending waits for a node whose code knows what depends on it.
PATIENCE = timedelta(minutes=10)
# What cannot be followed up, whatever the reason, is tried again after so long.
_PUT_OFF = timedelta(minutes=1)
# So many that have to wait for another node may be passed over in one go.
_MOST_LEFT = 1_000


class Sweep(NamedTuple):
    """What a look at ended executions came to.

    `decided`: how many there were; `is_held_up`: others are being looked at by somebody else.
    """

    decided: int = 0
    is_held_up: bool = False


def follow_up(now: datetime) -> Sweep:
    """Record, from `now` on, what depends on executions that have ended, until there are no more of them.

    What only another node's code knows is left to that node.
    """
    alias = engine_alias(JobExecution)
    left: set[int] = set()
    decided, is_held_up, is_more = 0, False, True
    while is_more and len(left) < _MOST_LEFT:
        batch = _guarded(alias, now, left)
        left |= batch.left
        decided += len(batch.decided)
        is_held_up = is_held_up or batch.is_held_up
        is_more = batch.is_more
    return Sweep(decided, is_held_up)


class _Ended(NamedTuple):
    """An execution that has ended and asks for a look."""

    pk: int
    job_name: str
    flow: int | None
    asked_at: datetime

    @property
    def root_id(self) -> int:
        return self.pk if self.flow is None else self.flow


class _Member(NamedTuple):
    """What is read of each execution in a flow."""

    pk: int
    flow: int | None
    job_name: str
    status: str
    first_started_at: datetime | None
    finished_at: datetime | None
    scheduled_for: datetime

    @property
    def is_revivable(self) -> bool:
        return self.status == ExecutionStatus.SKIPPED and self.first_started_at is None


_ENDED = ("pk", "job_name", "flow", "followup_due")


@dataclass(frozen=True, slots=True)
class _Batch:
    decided: set[int] = field(default_factory=set)
    left: set[int] = field(default_factory=set)
    is_held_up: bool = False
    is_more: bool = False


def _guarded(alias: str, now: datetime, left: Collection[int]) -> _Batch:
    """Follow up one batch; if something in it is refused, each execution alone, and put the culprits off."""
    work = partial(_follow_up, alias, now)
    rows = JobExecution.objects.using(alias).to_be_followed_up().exclude(pk__in=left).order_by("followup_due", "pk")
    try:
        return in_transaction(alias, lambda: work(rows[:BATCH]))
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("A batch of executions could not be followed up; trying them one by one.")
    decided: set[int] = set()
    for pk in list(rows.values_list("pk", flat=True)[:BATCH]):
        try:
            decided |= in_transaction(alias, lambda pk=pk: work(rows.filter(pk=pk))).decided  # type: ignore[misc]  # bound now
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("What depends on execution %d cannot be recorded; it is tried again in a minute.", pk)
            JobExecution.objects.using(alias).filter(pk=pk).update(followup_due=database_now_plus(_PUT_OFF))
    return _Batch(decided, is_more=bool(decided))


def _follow_up(alias: str, now: datetime, rows: ExecutionQuerySet) -> _Batch:
    # Read nothing before this: what a transaction sees must include the endings that it has locked.
    ended = [_Ended(*each) for each in lock_unlocked(rows).values_list(*_ENDED)]
    if not ended:
        return _Batch()
    mine = _lock_flows(alias, {each.root_id for each in ended})
    taken = [each for each in ended if each.root_id in mine]
    followers = load_followers(alias)
    left = {each.pk for each in taken if _is_left(each, followers, now)}
    is_going_on = _write(alias, _wanted(alias, taken, followers, left), followers, now)
    decided = {each.pk for each in taken} - left
    JobExecution.objects.using(alias).filter(pk__in=decided).update(followup_due=None)
    return _Batch(
        decided,
        {each.pk for each in ended} - decided,
        is_held_up=len(taken) < len(ended),
        is_more=is_going_on or len(ended) == BATCH,
    )


def _lock_flows(alias: str, flows: set[int]) -> set[int]:
    """Return the flows that nobody else is looking at: two that look at one would not see what the other writes."""
    roots = JobExecution.objects.using(alias).filter(pk__in=flows).order_by("pk")
    locked = set(lock_unlocked(roots).values_list("pk", flat=True))
    others = flows - locked
    # One whose root is gone has nothing to lock.
    return flows - set(roots.filter(pk__in=others).values_list("pk", flat=True)) if others else flows


def _is_left(ended: _Ended, followers: Followers, now: datetime) -> bool:
    """Return whether the ending has to wait for a node whose code knows what depends on it."""
    if now - as_utc(ended.asked_at) > PATIENCE:
        return False
    foreign = any(each.is_foreign for each in followers.by_upstream.get(ended.job_name, ()))
    return foreign or not followers.is_complete


class _Wanted(NamedTuple):
    """A job that is to get a row in a flow, or to have its skipped one revived; `reason`: why it is not to run."""

    follower: Follower
    flow: int
    upstream: int
    scheduled_for: datetime
    reason: str
    is_revival: bool


def _wanted(alias: str, ended: Iterable[_Ended], followers: Followers, left: Collection[int]) -> list[_Wanted]:
    """Return what the endings lead to, in an order that is the same for everybody."""
    pairs = {
        (each.root_id, follower.pk): follower
        for each in ended
        for follower in followers.by_upstream.get(each.job_name, ())
        if not (follower.is_foreign and each.pk in left)
    }
    members = _members(alias, {flow for flow, _ in pairs})
    return [
        wanted
        for (flow, _), follower in sorted(pairs.items(), key=lambda pair: pair[0])
        if (wanted := _decide(follower, flow, members[flow])) is not None
    ]


def _members(alias: str, flows: Collection[int]) -> Mapping[int, list[_Member]]:
    found: defaultdict[int, list[_Member]] = defaultdict(list)
    if flows:
        executions = JobExecution.objects.using(alias)
        rows = [
            part.values_list(*_Member._fields) for part in (executions.filter(pk__in=flows), executions.below(flows))
        ]
        for each in sorted(_Member._make(row) for part in rows for row in part):
            found[each.pk if each.pk in flows else each.flow or 0].append(each)
    return found


def _decide(follower: Follower, flow: int, members: list[_Member]) -> _Wanted | None:
    """Return what is to be done about a job in a flow whose executions are `members`, oldest first; None: nothing."""
    newest = {each.job_name: each for each in members}
    if not is_decided(follower.depends_on, newest):
        return None
    reason = reason_to_skip(follower.depends_on, newest)
    own = [each for each in members if each.job_name == follower.name]
    # What has run in the flow, or is going to, does not run again; this also ends every circle.
    if own and (reason or not all(each.is_revivable for each in own)):
        return None
    # Whichever ended last has completed it.
    last = max((newest[name] for name in follower.depends_on), key=lambda each: (each.finished_at or EARLIEST, each.pk))
    root = members[0]
    return _Wanted(follower, flow, last.pk, root.scheduled_for, reason, is_revival=bool(own))


def _write(alias: str, wanted: list[_Wanted], followers: Followers, now: datetime) -> bool:
    """Write what is wanted; return whether rows are among it that ask for a look themselves."""
    if not wanted:
        return False
    jobs = _jobs(alias, {each.follower.pk for each in wanted})
    missing: list[JobExecution] = []
    for each in wanted:
        job, resolved, problem = jobs[each.follower.pk]
        reason = each.reason or problem or _inactive(job, resolved, now)
        row = _row(each, job, None if reason else resolved, now)
        if not each.is_revival:
            missing.append(_skipped(row, reason, now, followers) if reason else row)
        elif not reason:
            revive(job, [row], trigger=Trigger.DEPENDENCY)
    if missing:
        insert_once(JobExecution.objects.using(alias), missing)
        _announce(alias, [row for row in missing if row.status == ExecutionStatus.SKIPPED])
    return any(row.followup_due is not None for row in missing)


def _announce(alias: str, skipped: list[JobExecution]) -> None:
    if skipped:
        # One that was there before was written at another moment, and has been announced.
        rows = JobExecution.objects.using(alias).filter(queued_at=skipped[0].queued_at)
        keys, jobs = {row.dedupe_key for row in skipped}, {row.job_id for row in skipped if row.job_id}
        announce_final(rows.filter(dedupe_key__in=keys, job_id__in=jobs))


def _skipped(row: JobExecution, reason: str, now: datetime, followers: Followers) -> JobExecution:
    row.status, row.finished_at, row.reason = ExecutionStatus.SKIPPED, now, reason
    if followers.may_wait_for(row.job_name):
        # That has to be decided as well.
        row.followup_due = DatabaseNow()
    return row


def _jobs(alias: str, ids: Collection[int]) -> dict[int, tuple[Job, ResolvedJob | None, str]]:
    """Return each job with its effective values, or why it has none."""
    readable, unreadable = load_each(Job.objects.using(alias).resolvable().filter(pk__in=ids))
    return {
        **{pk: (Job(pk=pk), None, _("The job cannot be read.")) for pk in ids},
        **{pk: (Job(pk=pk), None, _unreadable(error)) for pk, error in unreadable.items()},
        **{job.pk: _resolved(job) for job in readable},
    }


def _unreadable(error: Exception) -> str:
    return _("The job cannot be read: %(what)s.") % {"what": type(error).__name__}


def _resolved(job: Job) -> tuple[Job, ResolvedJob | None, str]:
    try:
        return job, job.resolve(), ""
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 - a row may hold anything
        return job, None, _("The job is broken: %(reason)s") % {"reason": str(error) or type(error).__name__}


def _inactive(job: Job, resolved: ResolvedJob | None, now: datetime) -> str:
    if resolved is None or resolved.is_in_force(now):
        return ""
    return _("The job was paused.") if job.enabled else _("The job was disabled.")


def _row(wanted: _Wanted, job: Job, resolved: ResolvedJob | None, now: datetime) -> JobExecution:
    columns: dict[str, Any] = {
        "trigger": Trigger.DEPENDENCY,
        "dedupe_key": f"flow:{wanted.flow}",
        "flow": wanted.flow,
        "upstream_id": wanted.upstream,
        # The time that the whole flow stands for.
        "scheduled_for": wanted.scheduled_for,
    }
    if resolved is not None:
        return JobExecution.queued(job, resolved, start=now, now=now, **columns)
    # It is skipped at once: there are no policies, and its job may be only a stand-in without a name.
    times = dict.fromkeys(("due_at", "run_after", "claim_at", "queued_at"), now)
    return JobExecution(job=job, job_name=wanted.follower.name, **times, **columns)
