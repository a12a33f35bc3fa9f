"""What is said about jobs: their columns as set, what these come to, and what comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from rest_framework.request import Request

from cronjobs.addresses import hidden_address
from cronjobs.api.jobs.columns import JOB_KEYS, masked, moment, seconds, write_values
from cronjobs.api.requests.access import reach
from cronjobs.database import engine_alias
from cronjobs.models import Job, ResolvedJob
from cronjobs.models.graph import Followers, effective_dependencies, load_followers
from cronjobs.models.pausing import why_everything_is_paused
from cronjobs.scheduler.agenda import next_run_times


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surroundings:
    """What other rows say about all jobs, asked for once."""

    next_runs: Mapping[int, datetime]
    followers: Followers
    is_paused: bool
    now: datetime


def job_documents(request: Request, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Return jobs as JSON data, in as many queries for one as for many."""
    around = _Surroundings(
        next_runs=next_run_times(),
        followers=load_followers(engine_alias(Job)),
        is_paused=bool(why_everything_is_paused()),
        now=timezone.now(),
    )
    return [_document(request, each, around) for each in jobs]


def job_url(request: Request, name: str) -> str:
    """Return the address of a job under this mount of the API."""
    match = request.resolver_match
    return reverse("cronjobs:job", args=[name], current_app=match.namespace if match else None)


def _document(request: Request, job: Job, around: _Surroundings) -> dict[str, Any]:
    reason = job.why_broken()
    resolved = None if reason else job.resolve()
    reached = reach(request)
    followers = [
        each for each in around.followers.by_upstream.get(job.name, ()) if reached is None or each.name in reached
    ]
    return {
        "name": job.name,
        **write_values(job, JOB_KEYS),
        "effective": None if resolved is None else _effective(resolved),
        "isPaused": around.is_paused or job.is_paused_at(around.now),
        "nextRun": _next_run(job, resolved, around),
        "broken": bool(reason),
        "brokenReason": reason or None,
        "dependencies": dict(effective_dependencies(job)),
        "dependents": {each.name: each.depends_on[job.name] for each in followers},
        "createdAt": moment(job.created_at),
        "updatedAt": moment(job.updated_at),
        "url": job_url(request, job.name),
    }


def _next_run(job: Job, resolved: ResolvedJob | None, around: _Surroundings) -> str | None:
    # The clock row of a job that was just stopped keeps its time until a node has seen that.
    is_coming = resolved is not None and resolved.is_active and not around.is_paused
    return moment(around.next_runs.get(job.pk)) if is_coming else None


def _effective(job: ResolvedJob) -> dict[str, Any]:
    """Return what the columns that may be inherited come to, by the same keys."""
    return {
        "params": masked(job.params),
        "schedule": None if job.schedule is None else str(job.schedule),
        "timeZone": job.time_zone,
        "jitterSeconds": seconds(job.jitter),
        "misfireGraceSeconds": seconds(job.misfire_grace),
        "catchUp": job.catch_up,
        "overlap": job.overlap,
        "maxInstances": job.max_instances,
        "queue": job.queue,
        "priority": job.priority,
        "maxAttempts": job.retry.max_attempts,
        "initialDelaySeconds": seconds(job.retry.initial_delay),
        "maxDelaySeconds": seconds(job.retry.max_delay),
        "backoffMultiplier": job.retry.backoff_multiplier,
        "rerunLost": job.rerun_lost,
        "rateLimit": None if job.rate_limit is None else str(job.rate_limit),
        "executor": job.executor,
        "timeoutSeconds": seconds(job.timeout),
        "memoryLimitBytes": job.memory_limit,
        "cpuLimitSeconds": seconds(job.cpu_limit),
        "dependsOn": dict(job.depends_on),
        "alertOn": list(job.alerts.on or ()),
        "alertTo": None if job.alerts.to is None else list(job.alerts.to),
        "alertAfter": job.alerts.after,
        "lateAfterSeconds": seconds(job.alerts.late_after),
        "expectedDurationSeconds": seconds(job.alerts.expected_duration),
        "noSuccessAfterSeconds": seconds(job.alerts.no_success_after),
        "pingUrl": hidden_address(job.ping_url) or None,
        "runbookUrl": job.runbook_url or None,
    }
