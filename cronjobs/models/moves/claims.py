"""Queued to running: who may work on what, and for how long without a word."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Case, DateTimeField, F, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from cronjobs.conf import get_settings
from cronjobs.database import DatabaseNow, database_now_plus, engine_alias, in_transaction, lock_unlocked
from cronjobs.exceptions import AtLimit, ClaimLost, CronJobsError
from cronjobs.language import gettext as _
from cronjobs.language import site_language
from cronjobs.models.announcements import announce_final
from cronjobs.models.execution import JobExecution
from cronjobs.models.job import Job
from cronjobs.models.loading import load_each
from cronjobs.models.moves.candidates import Candidates, with_limited_queue
from cronjobs.models.moves.followups import ask_for_followup
from cronjobs.models.moves.places import Places
from cronjobs.models.pausing import why_held
from cronjobs.registry import registry
from cronjobs.states import ExecutionStatus, ensure_move

logger = logging.getLogger(__name__)


class Claimed(NamedTuple):
    """What a claim brought: executions with their jobs, first come first.

    `is_more` says that others are due and wait for a free worker, or for a place.
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
    *,
    node: str,
    limit: int,
    now: datetime,
    queues: Collection[str] | None = None,
    token: str | None = None,
    is_apart: bool = False,
) -> Claimed:
    """Claim up to `limit` due executions for `node`, under `token` (None: a new one).

    `now` is the database's clock as the node knows it. Rows that another node has locked are
    passed over. A job or a queue that is at its limit, over all nodes, keeps its rows waiting, and
    so does a paused queue; `is_apart` is for when that may be many (see `Candidates`).
    """
    candidates = Candidates(engine_alias(JobExecution), now, queues, is_apart=is_apart)
    token = token or new_token()
    return in_transaction(candidates.alias, lambda: _claim(candidates.afresh(), node, limit, token))


def claim_one(execution: JobExecution, *, node: str, now: datetime, within_limits: bool = False) -> JobExecution:
    """Claim that very execution; raise `ClaimLost` if somebody else has it.

    `within_limits` raises `AtLimit` while its job or its queue is paused, or does as much as it may.
    """
    alias = engine_alias(JobExecution)
    waiting = JobExecution.objects.using(alias).waiting().filter(pk=execution.pk)

    def work() -> list[JobExecution]:
        rows = list(lock_unlocked(with_limited_queue(waiting)))
        jobs, _ = _jobs_of(rows, alias)
        started_at = _place_of(rows[0], jobs, alias) if rows and within_limits else None
        return _stamp(rows, jobs, node, started_at or now, new_token())

    claimed = in_transaction(alias, work)
    if not claimed:
        raise ClaimLost(execution.pk)
    return claimed[0]


def _place_of(execution: JobExecution, jobs: dict[int, Job], alias: str) -> datetime | None:
    """Take a place for one execution; return when, if its starts are counted. Raises `AtLimit`."""
    if reason := why_held(execution):
        raise AtLimit(execution.pk, reason)
    places = Places([execution], jobs, alias)
    if (refusal := places.take(execution)) is not None:
        raise AtLimit(execution.pk, refusal.reason)
    return places.counted_at


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


def _claim(candidates: Candidates, node: str, limit: int, token: str) -> Claimed:
    claimed: list[tuple[JobExecution, Job | None]] = []
    refused = True
    # Rows that have to wait may fill the head of the queue; they must not hold back the rest.
    while refused and (wanted := limit - len(claimed)) > 0:
        rows, unreadable = candidates.next(wanted)
        _skip_unreadable(unreadable, candidates.alias)
        jobs, broken = _jobs_of(rows, candidates.alias)
        # A definition that only other nodes have is theirs to run: this code may be older, or newer.
        foreign = {each.job_id for each in rows if each.job_id in broken or _is_foreign(jobs.get(each.job_id or 0))}
        candidates.full_jobs |= {pk for pk in foreign if pk is not None}
        chosen, now = _with_places([each for each in rows if each.job_id not in foreign], jobs, candidates)
        claimed += [(each, jobs.get(each.job_id or 0)) for each in _stamp(chosen, jobs, node, now, token)]
        refused = len(chosen) < len(rows) == wanted
    return Claimed(claimed, is_more=candidates.is_any_full or len(claimed) >= limit)


def _with_places(
    rows: Sequence[JobExecution], jobs: dict[int, Job], candidates: Candidates
) -> tuple[list[JobExecution], datetime]:
    """Return those that may start now, and when that is; note what is full."""
    places = Places(rows, jobs, candidates.alias)
    chosen = []
    for each in rows:
        refusal = places.take(each)
        if refusal is None:
            chosen.append(each)
        else:
            candidates.note_full(each, refusal)
    return chosen, places.counted_at or candidates.now


def _jobs_of(candidates: Sequence[JobExecution], alias: str) -> tuple[dict[int, Job], dict[int, Exception]]:
    """Return the candidates' jobs, and those that cannot be read: what waits for them waits until they are mended."""
    ids = {each.job_id for each in candidates if each.job_id}
    if not ids:
        return {}, {}
    jobs, unreadable = load_each(Job.objects.using(alias).resolvable().filter(pk__in=ids))
    return {job.pk: job for job in jobs}, unreadable


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


def _stamp(rows: list[JobExecution], jobs: dict[int, Job], node: str, now: datetime, token: str) -> list[JobExecution]:
    """Turn rows that this transaction has locked into running ones, under one token."""
    for each in rows:
        ensure_move(each.status, ExecutionStatus.RUNNING)
        each.status, each.node, each.claim_token = ExecutionStatus.RUNNING, node, token
        each.attempt, each.started_at = each.attempt + 1, now
        each.first_started_at, each.progress = each.first_started_at or now, None
        each.deadline_at = _deadline(jobs.get(each.job_id or 0), now)
    if rows:
        JobExecution.objects.filter(pk__in=[each.pk for each in rows], status=ExecutionStatus.QUEUED).update(
            status=ExecutionStatus.RUNNING,
            node=node,
            claim_token=token,
            attempt=F("attempt") + 1,
            started_at=now,
            first_started_at=Coalesce("first_started_at", now),
            progress=None,
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
