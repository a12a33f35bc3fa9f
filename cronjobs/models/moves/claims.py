"""Queued to running: who may work on what, and for how long without a word."""

from __future__ import annotations

import logging
import math
import secrets
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Case, Count, DateTimeField, F, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from cronjobs.conf import get_settings
from cronjobs.database import DatabaseNow, database_now_plus, engine_alias, in_transaction, lock_unlocked
from cronjobs.exceptions import ClaimLost, CronJobsError
from cronjobs.models.announcements import announce_final
from cronjobs.models.batches import load_each
from cronjobs.models.execution import SERIAL, ExecutionQuerySet, JobExecution
from cronjobs.models.job import Job
from cronjobs.registry import registry
from cronjobs.states import ExecutionStatus, ensure_move

logger = logging.getLogger(__name__)


class Claimed(NamedTuple):
    """What a claim brought: executions with their jobs, first come first.

    `is_more` says that others are due and wait for a free worker, or for their job's limit.
    """

    executions: list[tuple[JobExecution, Job | None]]
    is_more: bool


def new_token() -> str:
    """Return a token that no other claim has."""
    return secrets.token_hex(16)


def adopt(token: str) -> list[tuple[JobExecution, Job | None]]:
    """Return what was claimed under `token`, for a node that never got the reply to its COMMIT."""
    alias = engine_alias(JobExecution)
    executions = list(JobExecution.objects.using(alias).running().filter(claim_token=token).order_by("claim_at", "id"))
    jobs, _ = _jobs_of(executions, alias)
    return [(each, jobs.get(each.job_id or 0)) for each in executions]


def claim(
    *, node: str, limit: int, now: datetime, queues: Collection[str] | None = None, token: str | None = None
) -> Claimed:
    """Claim up to `limit` due executions for `node`, under `token` (None: a new one).

    `now` is the database's clock as the node knows it. Rows that another node has locked are
    passed over. A job that is at its limit, over all nodes, keeps its rows waiting.
    """
    alias = engine_alias(JobExecution)
    claimable = JobExecution.objects.using(alias).claimable(now)
    if queues is not None:
        claimable = claimable.filter(queue__in=queues)
    token = token or new_token()
    return in_transaction(alias, lambda: _claim(claimable, node, limit, now, token))


def claim_one(execution: JobExecution, *, node: str, now: datetime, within_limits: bool = False) -> JobExecution:
    """Claim that very execution; raise `ClaimLost` if somebody else has it.

    `within_limits` also refuses it while its job runs as often as it may.
    """
    alias = engine_alias(JobExecution)
    waiting = JobExecution.objects.using(alias).filter(pk=execution.pk, status=ExecutionStatus.QUEUED)

    def work() -> list[JobExecution]:
        rows = list(lock_unlocked(waiting))
        jobs, _ = _jobs_of(rows, alias)
        chosen = _within_limits(rows, jobs, alias) if within_limits else rows
        return _stamp(chosen, jobs, node, now, new_token())

    claimed = in_transaction(alias, work)
    if not claimed:
        raise ClaimLost(execution.pk)
    return claimed[0]


def renew(claims: Collection[JobExecution]) -> set[int]:
    """Extend the leases of what this process holds in one statement; return the ids that were lost.

    Names the tokens held in memory, never a node. An expired lease that nobody has rescued
    may still be renewed.
    """
    if not claims:
        return set()
    ids = {each.pk for each in claims}
    renewed = JobExecution.objects.held_by(claims).update(lease_expires_at=database_now_plus(get_settings().lease))
    if renewed == len(ids):
        return set()
    # What ended under its token in this moment was not lost.
    return ids - set(JobExecution.objects.last_claimed_by(claims).values_list("pk", flat=True))


def _claim(claimable: ExecutionQuerySet, node: str, limit: int, now: datetime, token: str) -> Claimed:
    claimed: list[tuple[JobExecution, Job | None]] = []
    full: set[int] = set()
    # Rows of jobs at their limit may fill the head of the queue; they must not hold back the rest.
    while len(claimed) < limit:
        candidates, unreadable = load_each(lock_unlocked(claimable.exclude(job_id__in=full))[: limit - len(claimed)])
        _skip_unreadable(unreadable, claimable.db)
        jobs, broken = _jobs_of(candidates, claimable.db)
        # A definition that only other nodes have is theirs to run: this code may be older, or newer.
        known = [
            each for each in candidates if each.job_id not in broken and not _is_foreign(jobs.get(each.job_id or 0))
        ]
        chosen = _within_limits(known, jobs, claimable.db)
        claimed += [(each, jobs.get(each.job_id or 0)) for each in _stamp(chosen, jobs, node, now, token)]
        taken = {each.pk for each in chosen}
        rejected = {each.job_id for each in candidates if each.pk not in taken and each.job_id is not None}
        full |= rejected
        if not rejected or len(candidates) < limit:
            break
    return Claimed(claimed, is_more=bool(full) or len(claimed) >= limit)


def _jobs_of(candidates: Sequence[JobExecution], alias: str) -> tuple[dict[int, Job], dict[int, Exception]]:
    """Return the candidates' jobs, and those that cannot be read: what waits for them waits until they are mended."""
    ids = {each.job_id for each in candidates if each.job_id}
    if not ids:
        return {}, {}
    jobs, unreadable = load_each(Job.objects.using(alias).resolvable().filter(pk__in=ids))
    return {job.pk: job for job in jobs}, unreadable


def _skip_unreadable(unreadable: dict[int, Exception], alias: str) -> None:
    for pk, error in unreadable.items():
        reason = f"Its row cannot be read: {type(error).__name__}."
        logger.error("Execution %d cannot be read: %s", pk, error)
        row = JobExecution.objects.using(alias).filter(pk=pk)
        row.filter(status=ExecutionStatus.QUEUED).update(
            status=ExecutionStatus.SKIPPED, reason=reason, finished_at=DatabaseNow()
        )
        announce_final(row)


def _is_foreign(job: Job | None) -> bool:
    return job is not None and job.definition not in registry


def _within_limits(candidates: Sequence[JobExecution], jobs: dict[int, Job], alias: str) -> list[JobExecution]:
    """Return the candidates that may start now, counting what runs on every node."""
    serial = {each.job_id for each in candidates if each.trigger in SERIAL}
    limits = {pk: limit for pk, job in jobs.items() if (limit := _concurrency(job)) < math.inf or pk in serial}
    if not limits:
        return list(candidates)
    # A locked job is passed over, not waited for: two claims can never wait for each other.
    counted = lock_unlocked(Job.objects.using(alias).filter(pk__in=limits).order_by("pk"))
    places = _Places(limits, set(counted.values_list("pk", flat=True)), alias)
    return [each for each in candidates if places.take(each)]


class _Places:
    """How many more executions of each job may start: of `counted` jobs, whose rows this transaction has locked."""

    def __init__(self, limits: dict[int, float], counted: set[int], alias: str) -> None:
        self._limits, self._counted = limits, counted
        # What is worked off one by one is counted apart.
        self._running: Counter[tuple[int | None, bool]] = Counter()
        running = JobExecution.objects.using(alias).running().filter(job_id__in=counted).order_by()
        for job_id, trigger, number in running.values_list("job_id", "trigger").annotate(Count("pk")):
            self._running[job_id, trigger in SERIAL] += number

    def take(self, execution: JobExecution) -> bool:
        """Return whether `execution` may start, and if so, count it."""
        job_id, is_serial = execution.job_id, execution.trigger in SERIAL
        if job_id not in self._limits:
            return True
        total = self._running[job_id, True] + self._running[job_id, False]
        is_full = total >= self._limits[job_id] or (is_serial and self._running[job_id, True] > 0)
        if job_id not in self._counted or is_full:
            return False
        self._running[job_id, is_serial] += 1
        return True


def _concurrency(job: Job) -> float:
    """Return how many executions of the job may run at once; infinity if any number may."""
    try:
        limit = job.resolve().concurrency
    except CronJobsError:
        # A broken job's waiting rows are claimed, and fail with the reason.
        return 1
    return math.inf if limit is None else limit


def _stamp(rows: list[JobExecution], jobs: dict[int, Job], node: str, now: datetime, token: str) -> list[JobExecution]:
    """Turn rows that this transaction has locked into running ones, under one token."""
    for each in rows:
        ensure_move(each.status, ExecutionStatus.RUNNING)
        each.status, each.node, each.claim_token = ExecutionStatus.RUNNING, node, token
        each.attempt, each.started_at = each.attempt + 1, now
        each.first_started_at = each.first_started_at or now
        each.deadline_at = _deadline(jobs.get(each.job_id or 0), now)
    if rows:
        JobExecution.objects.filter(pk__in=[each.pk for each in rows], status=ExecutionStatus.QUEUED).update(
            status=ExecutionStatus.RUNNING,
            node=node,
            claim_token=token,
            attempt=F("attempt") + 1,
            started_at=now,
            first_started_at=Coalesce("first_started_at", now),
            deadline_at=_deadlines(rows),
            lease_expires_at=database_now_plus(get_settings().lease),
        )
    return rows


def _deadline(job: Job | None, now: datetime) -> datetime | None:
    """Return when an attempt that starts now should have ended; None if its job has no timeout."""
    try:
        timeout = None if job is None else job.resolve().timeout
        return None if timeout is None else now + timeout
    except (CronJobsError, OverflowError):
        return None


def _deadlines(rows: list[JobExecution]) -> Combinable | None:
    """Return each row's deadline as one expression, so that they take no statement of their own."""
    timed: dict[datetime, list[int]] = {}
    for each in rows:
        if each.deadline_at is not None:
            timed.setdefault(each.deadline_at, []).append(each.pk)
    whens = [When(pk__in=ids, then=Value(deadline, DateTimeField())) for deadline, ids in timed.items()]
    return Case(*whens, default=None, output_field=DateTimeField()) if whens else None
