"""Queued to running: who may work on what, and for how long without a word."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from cronjobs.conf import get_settings
from cronjobs.database import database_now_plus, engine_alias, in_transaction, lock_unlocked
from cronjobs.exceptions import AtLimit, ClaimLost, CronJobsError
from cronjobs.models.batches import update_from_values
from cronjobs.models.choices import WaitsFor
from cronjobs.models.execution import JobExecution
from cronjobs.models.job import Job
from cronjobs.models.moves.candidates import Candidates, with_limited_queue
from cronjobs.models.moves.choosing import Claimed, choose
from cronjobs.models.moves.current import jobs_of
from cronjobs.models.moves.places import Places
from cronjobs.models.pausing import why_held
from cronjobs.states import ExecutionStatus, ensure_move

# A row is started as it was read; and what is not the same for all that start together is computed here.
_AS_READ = ("id", "claim_token", "waits_for")
_COMPUTED = ("attempt", "first_started_at", "deadline_at")
# What a claim that was never begun leaves as it was.
_BEFORE_CLAIM = ("attempt", "node", "started_at", "first_started_at", "deadline_at", "waits_for")


def new_token() -> str:
    """Return a token that no other claim has."""
    return secrets.token_hex(16)


def adopt(token: str) -> list[tuple[JobExecution, Job | None]]:
    """Return what was claimed under `token`, for a node that never got the reply to its COMMIT."""
    alias = engine_alias(JobExecution)
    executions = list(JobExecution.objects.using(alias).running().filter(claim_token=token).by_due_time())
    jobs, _ = jobs_of(executions, alias)
    for each in executions:
        each.before_claim = _probably_before(each)
    return [(each, jobs.get(each.job_id or 0)) for each in executions]


def _probably_before(execution: JobExecution) -> tuple[Any, ...]:
    """Return what an execution was before a claim that nobody has seen, for `hand_back`: as it usually is."""
    is_first = execution.attempt == 1
    starts = (None, None) if is_first else (execution.started_at, execution.first_started_at)
    return execution.attempt - 1, "", *starts, None, execution.waits_for


def claim(
    *,
    node: str,
    limit: int,
    now: datetime,
    queues: Collection[str] | None = None,
    token: str | None = None,
    is_apart: bool = False,
    at_once: int | None = None,
) -> Claimed:
    """Claim up to `limit` due executions for `node`, under `token` (None: a new one).

    `now` is the database's clock as the node knows it. Rows that another node has locked are
    passed over. A job or a queue that is at its limit, over all nodes, keeps its rows waiting, and
    so does a paused queue; `is_apart` is for when that may be many (see `Candidates`). More than `at_once` (None: any
    number) are claimed only of jobs without a rate limit, whose starts would be counted before they come.
    """
    candidates = Candidates(engine_alias(JobExecution), now, queues, is_apart=is_apart, at_once=at_once)
    token = token or new_token()

    def stamp(rows: list[JobExecution], jobs: dict[int, Job], at: datetime) -> list[JobExecution]:
        return start(rows, jobs, node, at, token)

    return in_transaction(candidates.alias, lambda: choose(candidates.afresh(), limit, stamp))


def claim_one(execution: JobExecution, *, node: str, now: datetime, within_limits: bool = False) -> JobExecution:
    """Claim that very execution; raise `ClaimLost` if somebody else has it.

    `within_limits` raises `AtLimit` while its job or its queue is paused, or does as much as it may.
    """
    alias = engine_alias(JobExecution)
    waiting = JobExecution.objects.using(alias).waiting().filter(pk=execution.pk)

    def work() -> list[JobExecution]:
        rows = list(lock_unlocked(with_limited_queue(waiting)))
        jobs, _ = jobs_of(rows, alias)
        started_at = _place_of(rows[0], jobs, alias) if rows and within_limits else None
        return start(rows, jobs, node, started_at or now, new_token())

    claimed = in_transaction(alias, work)
    if not claimed:
        raise ClaimLost(execution.pk)
    return claimed[0]


def _place_of(execution: JobExecution, jobs: dict[int, Job], alias: str) -> datetime | None:
    """Take a place for one execution; return when, if its starts are counted. Raises `AtLimit`."""
    if reason := why_held(execution):
        raise AtLimit(execution.pk, reason)
    if execution.waits_for == WaitsFor.WORKER:
        # It has had its place since it was dispatched.
        return None
    places = Places([execution], jobs, alias)
    if (refusal := places.take(execution)) is not None:
        raise AtLimit(execution.pk, refusal.reason)
    return places.counted_at


def hand_back(claims: Collection[JobExecution]) -> set[int]:
    """Let claims that this process has not begun wait as if nobody had claimed them, but for their progress.

    Returns the ids of those that are still this process's, since somebody wants to stop them. The others are not,
    whether they were handed back now, by an earlier call whose reply was lost, or have been taken by somebody else.
    """
    alias = engine_alias(JobExecution)
    by_id = {each.pk: each for each in claims}

    def work() -> set[int]:
        held = JobExecution.objects.using(alias).held_by(claims).order_by("pk").select_for_update()
        asked = dict(held.values_list("pk", "cancel_requested_at"))
        ids = {pk for pk, at in asked.items() if at is None}
        update_from_values(
            JobExecution,
            using=alias,
            columns=("id", *_BEFORE_CLAIM),
            rows=[(pk, *by_id[pk].before_claim) for pk in sorted(ids)],
            match=("id",),
            where={"status": ExecutionStatus.RUNNING},
            also={"status": ExecutionStatus.QUEUED, "claim_token": "", "lease_expires_at": None},
        )
        return asked.keys() - ids

    ensure_move(ExecutionStatus.RUNNING, ExecutionStatus.QUEUED)
    return in_transaction(alias, work) if by_id else set()


def renew(claims: Collection[JobExecution]) -> list[JobExecution]:
    """Extend the leases of what this process holds in one statement; return those that were lost.

    Names the tokens held in memory, never a node. An expired lease that nobody has rescued
    may still be renewed.
    """
    if not claims:
        return []
    ids = {each.pk for each in claims}
    renewed = JobExecution.objects.held_by(claims).update(lease_expires_at=database_now_plus(get_settings().lease))
    if renewed == len(ids):
        return []
    # What ended under its token in this moment was not lost.
    kept = set(JobExecution.objects.last_claimed_by(claims).values_list("pk", flat=True))
    return [each for each in claims if each.pk not in kept]


def start(
    rows: list[JobExecution], jobs: Mapping[int, Job], node: str, now: datetime, token: str
) -> list[JobExecution]:
    """Turn `rows` into running ones, under one token, and return them.

    This transaction has locked them; or it is one, which is returned only if nobody has touched it since it was read.
    """
    as_read = [tuple(getattr(each, name) for name in _AS_READ) for each in rows]
    for each in rows:
        ensure_move(each.status, ExecutionStatus.RUNNING)
        each.before_claim = tuple(getattr(each, name) for name in _BEFORE_CLAIM)
        each.attempt, each.first_started_at = each.attempt + 1, each.first_started_at or now
        each.deadline_at = _deadline(jobs.get(each.job_id or 0), now)
    same = {"status": ExecutionStatus.RUNNING, "node": node, "claim_token": token, "started_at": now, "progress": None}
    if any(each.waits_for == WaitsFor.WORKER for each in rows):
        # Should it be queued again, its message is used up.
        same["waits_for"] = WaitsFor.DISPATCH
    started = update_from_values(
        JobExecution,
        using=engine_alias(JobExecution),
        columns=(*_AS_READ, *_COMPUTED),
        rows=[(*key, *(getattr(each, name) for name in _COMPUTED)) for key, each in zip(as_read, rows, strict=True)],
        match=_AS_READ,
        where={"status": ExecutionStatus.QUEUED},
        also={**same, "lease_expires_at": database_now_plus(get_settings().lease)},
    )
    for each in rows:
        for name, value in same.items():
            setattr(each, name, value)
    return rows if started else []


def _deadline(job: Job | None, now: datetime) -> datetime | None:
    """Return when an attempt that starts now should have ended; None if its job has no timeout."""
    try:
        timeout = None if job is None else job.resolve().timeout
        return None if timeout is None else now + timeout
    except (CronJobsError, OverflowError):
        return None
