"""The jobs that a look is about, and what is expected of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import DatabaseError
from django.db.models import Q, QuerySet

from cronjobs.alerting.evidence import Notice, Running, State, Waiting, WatchedJob
from cronjobs.alerts import JOB_KINDS, AlertPolicy
from cronjobs.conf import AlertSettings, get_settings
from cronjobs.models import ExecutorName, Job, ResolvedJob
from cronjobs.models.loading import load_each
from cronjobs.registry import registry


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs have to be known: by key, by name, and those that must not be long without a success."""

    ids: frozenset[int]
    names: frozenset[str]

    @classmethod
    def of(
        cls,
        states: Mapping[tuple[str, str], State],
        notices: Iterable[Notice],
        waiting: Iterable[Waiting],
        running: Iterable[Running],
    ) -> Wanted:
        ids = {each.job_id for rows in (notices, waiting, running) for each in rows}
        names = {subject for (kind, subject), state in states.items() if kind in JOB_KINDS and state.firing}
        return cls(frozenset(pk for pk in ids if pk is not None), frozenset(names))

    def rows(self) -> QuerySet[Job]:
        return Job.objects.filter(Q(pk__in=self.ids) | Q(name__in=self.names) | _limited_to_success())


def names_limited_to_success() -> list[str] | None:
    """Return the definitions that have such a limit; None: the settings have one for all."""
    if get_settings().alerts.no_success_after is not None:
        return None
    return [each.name for each in registry if each.alerts.no_success_after is not None]


def watched_jobs(wanted: Wanted, now: datetime) -> dict[int, WatchedJob]:
    """Return the wanted jobs by key, with what is expected of them at `now` (aware)."""
    jobs, _ = load_each(wanted.rows().resolvable())  # type: ignore[attr-defined]  # a JobQuerySet
    return {job.pk: _watched(job, now) for job in jobs}


def _limited_to_success() -> Q:
    """Return the condition for jobs that may have a limit to being without success."""
    names = names_limited_to_success()
    return Q(enabled=True) if names is None else Q(no_success_after__isnull=False) | Q(definition__in=names)


def _watched(job: Job, now: datetime) -> WatchedJob:
    resolved = _resolved(job)
    # Edited, enabled or resumed: it is waited for anew.
    times = (job.created_at, job.planned_at, job.starts_at)
    about = WatchedJob(
        pk=job.pk,
        name=job.name,
        policy=_default_policy(get_settings().alerts) if resolved is None else resolved.alerts,
        is_enabled=job.enabled,
        counts_from=max(at for at in times if at is not None),
        owner=job.owner,
        description=job.description,
    )
    return about if resolved is None else _with_policies(about, resolved, now)


def _with_policies(job: WatchedJob, resolved: ResolvedJob, now: datetime) -> WatchedJob:
    is_over = resolved.ends_at is not None and resolved.ends_at < now
    return replace(
        job,
        is_in_force=resolved.is_in_force(now) and not is_over,
        is_in_thread=resolved.executor == ExecutorName.THREAD,
        is_rate_limited=resolved.rate_limit is not None,
        description=job.description or resolved.definition.description,
        runbook_url=resolved.runbook_url,
    )


def _resolved(job: Job) -> ResolvedJob | None:
    try:
        return job.resolve()
    except DatabaseError:
        raise
    except Exception:  # noqa: BLE001 - a row may hold anything; that it is broken is told by what fails
        return None


def _default_policy(settings: AlertSettings) -> AlertPolicy:
    kinds = tuple(kind for kind in settings.on if kind in JOB_KINDS)
    return AlertPolicy(on=kinds, to=settings.to, after=settings.after)
