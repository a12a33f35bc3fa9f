"""Queued to running: who may work on what, and for how long without a word."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db.models import Count, F
from django.db.models.functions import Coalesce

from cronjobs.conf import get_settings
from cronjobs.database import database_now_plus, engine_alias, in_transaction, lock_unlocked
from cronjobs.exceptions import ClaimLost, CronJobsError
from cronjobs.models.execution import ExecutionQuerySet, JobExecution
from cronjobs.models.job import Job
from cronjobs.states import ExecutionStatus, ensure_move


def claim(
    *, node: str, limit: int, now: datetime, queues: Collection[str] | None = None
) -> list[tuple[JobExecution, Job | None]]:
    """Claim up to `limit` due executions for `node` and return them with their jobs, first come first.

    `now` is the database's clock as the node knows it. Rows that another node has locked are
    passed over. A job that is at its limit, over all nodes, keeps its rows waiting.
    """
    alias = engine_alias(JobExecution)
    claimable = JobExecution.objects.using(alias).claimable(now)
    if queues is not None:
        claimable = claimable.filter(queue__in=queues)
    return in_transaction(alias, lambda: _claim(claimable, node, limit, now))


def claim_one(execution: JobExecution, *, node: str, now: datetime, within_limits: bool = False) -> JobExecution:
    """Claim that very execution; raise `ClaimLost` if somebody else has it.

    `within_limits` also refuses it while its job runs as often as it may.
    """
    alias = engine_alias(JobExecution)
    waiting = JobExecution.objects.using(alias).filter(pk=execution.pk, status=ExecutionStatus.QUEUED)

    def work() -> list[JobExecution]:
        rows = list(lock_unlocked(waiting))
        chosen = _within_limits(rows, _jobs_of(rows, alias), alias) if within_limits else rows
        return _stamp(chosen, node, now)

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
    held = JobExecution.objects.held_by(claims)
    if held.update(lease_expires_at=database_now_plus(get_settings().lease)) == len(ids):
        return set()
    return ids - set(held.values_list("pk", flat=True))


def _claim(claimable: ExecutionQuerySet, node: str, limit: int, now: datetime) -> list[tuple[JobExecution, Job | None]]:
    candidates = _candidates(claimable, limit)
    jobs = _jobs_of(candidates, claimable.db)
    chosen = _within_limits(candidates, jobs, claimable.db)
    return [(each, jobs.get(each.job_id or 0)) for each in _stamp(chosen, node, now)]


def _candidates(claimable: ExecutionQuerySet, limit: int) -> Sequence[JobExecution]:
    return list(lock_unlocked(claimable)[:limit])


def _jobs_of(candidates: Sequence[JobExecution], alias: str) -> dict[int, Job]:
    return Job.objects.using(alias).in_bulk({each.job_id for each in candidates if each.job_id})


def _within_limits(candidates: Sequence[JobExecution], jobs: dict[int, Job], alias: str) -> list[JobExecution]:
    """Return the candidates that may start now, counting what runs on every node."""
    limits = {pk: limit for pk, job in jobs.items() if (limit := _concurrency(job)) is not None}
    if not limits:
        return list(candidates)
    # A locked job is passed over, not waited for: two claims can never wait for each other.
    counted = set(
        lock_unlocked(Job.objects.using(alias).filter(pk__in=limits).order_by("pk")).values_list("pk", flat=True)
    )
    running = JobExecution.objects.using(alias).running().filter(job_id__in=counted).order_by()
    taken = Counter(dict(running.values_list("job_id").annotate(Count("pk"))))
    return [each for each in candidates if _takes_a_place(each, limits, counted, taken)]


def _takes_a_place(
    execution: JobExecution, limits: dict[int, int], counted: set[int], taken: Counter[int | None]
) -> bool:
    limit = limits.get(execution.job_id or 0)
    if limit is None:
        return True
    if execution.job_id not in counted or taken[execution.job_id] >= limit:
        return False
    taken[execution.job_id] += 1
    return True


def _concurrency(job: Job) -> int | None:
    try:
        return job.resolve().concurrency
    except CronJobsError:
        # A broken job's waiting rows are claimed, and fail with the reason.
        return 1


def _stamp(rows: list[JobExecution], node: str, now: datetime) -> list[JobExecution]:
    """Turn rows that this transaction has locked into running ones, under one new token."""
    token = secrets.token_hex(16)
    for each in rows:
        ensure_move(each.status, ExecutionStatus.RUNNING)
        each.status, each.node, each.claim_token = ExecutionStatus.RUNNING, node, token
        each.attempt, each.started_at = each.attempt + 1, now
        each.first_started_at = each.first_started_at or now
    if rows:
        JobExecution.objects.filter(pk__in=[each.pk for each in rows], status=ExecutionStatus.QUEUED).update(
            status=ExecutionStatus.RUNNING,
            node=node,
            claim_token=token,
            attempt=F("attempt") + 1,
            started_at=now,
            first_started_at=Coalesce("first_started_at", now),
            lease_expires_at=database_now_plus(get_settings().lease),
        )
    return rows
