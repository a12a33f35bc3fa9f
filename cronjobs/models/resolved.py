"""A job's effective values: what the operator set, else the settings, else the definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError
from django.db import DatabaseError

from cronjobs.addresses import parse_address
from cronjobs.alerts import JOB_KINDS, AlertPolicy
from cronjobs.conf import AlertSettings, Settings, get_settings
from cronjobs.dependencies import Dependencies, parse_dependencies
from cronjobs.exceptions import CronJobsError, InvalidJob, InvalidParameters, InvalidSchedule
from cronjobs.language import gettext as _
from cronjobs.limits import RateLimit, parse_rate_limit
from cronjobs.models.choices import ExecutorName, Overlap, Priority
from cronjobs.registry import JobDefinition, registry
from cronjobs.retries import RetryPolicy
from cronjobs.schedules import CatchUp, Schedule, excluding, parse_schedule, parse_time_zone
from cronjobs.storable import storable_text

if TYPE_CHECKING:
    from cronjobs.models.job import Job


_ALERT_FIELDS: Final = ("on", "to", "after", "late_after", "expected_duration", "no_success_after")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedJob:
    """A job's effective values: the operator's, else the settings', else the definition's."""

    name: str
    definition: JobDefinition
    schedule: Schedule | None
    time_zone: str
    is_active: bool
    paused_until: datetime | None
    starts_at: datetime | None
    ends_at: datetime | None
    jitter: timedelta
    params: dict[str, Any]
    misfire_grace: timedelta
    catch_up: CatchUp
    overlap: Overlap
    max_instances: int | None
    retry: RetryPolicy
    queue: str
    priority: int
    rerun_lost: bool
    executor: ExecutorName
    timeout: timedelta | None
    memory_limit: int | None
    cpu_limit: timedelta | None
    rate_limit: RateLimit | None
    depends_on: Dependencies
    alerts: AlertPolicy
    ping_url: str
    runbook_url: str
    settings: Settings = field(repr=False, compare=False)

    def is_of(self, definition: str) -> bool:
        """Return whether the settings and the `definition` are still those that this was worked out with."""
        return self.settings is get_settings() and self.definition is registry.get(definition)

    def is_in_force(self, now: datetime) -> bool:
        """Return whether due times count now: neither disabled nor paused."""
        return self.is_active and (self.paused_until is None or self.paused_until <= now)

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit that only a process can be held to."""
        return not (self.timeout is None and self.memory_limit is None and self.cpu_limit is None)

    @property
    def concurrency(self) -> int | None:
        """How many executions of the job may run at the same time, over all nodes; None: any number."""
        return self.max_instances if self.overlap == Overlap.ALLOW else 1


def resolve(job: Job) -> ResolvedJob:
    """Return the effective values of `job`; raise a `CronJobsError` that says why it is broken."""
    if job.unreadable:
        raise InvalidJob(_("Its row cannot be read: %(what)s.") % {"what": ", ".join(job.unreadable)})
    definition = registry[job.definition]
    try:
        return _resolve(job, definition)
    except (CronJobsError, DatabaseError):
        raise
    except Exception as error:
        # Written past the forms, by SQL. Whoever asks must be able to go on with the other jobs.
        raise InvalidJob(str(error) or type(error).__name__) from error


def _resolve(job: Job, definition: JobDefinition) -> ResolvedJob:
    settings = get_settings()
    time_zone = job.time_zone or definition.time_zone or settings.time_zone
    return ResolvedJob(
        name=job.name,
        definition=definition,
        schedule=_schedule(schedule_text(job), time_zone, _excluded_days(job)),
        time_zone=time_zone,
        is_active=job.enabled and not settings.paused and not (job.paused and job.paused_until is None),
        paused_until=job.paused_until if job.paused else None,
        starts_at=job.starts_at,
        ends_at=job.ends_at,
        jitter=_first(job.jitter, definition.jitter, timedelta(0)),
        params=_params(job, definition),
        misfire_grace=_first(job.misfire_grace, definition.misfire_grace, settings.misfire_grace),
        catch_up=CatchUp(job.catch_up or definition.catch_up or settings.catch_up),
        overlap=Overlap(job.overlap or definition.overlap),
        max_instances=_first(job.max_instances, definition.max_instances),
        retry=_retry(job, definition),
        queue=job.queue or definition.queue,
        priority=Priority(_first(job.priority, definition.priority)),
        rerun_lost=_first(job.rerun_lost, definition.rerun_lost),
        executor=_executor(job, definition),
        timeout=_first(job.timeout, definition.timeout),
        memory_limit=_first(job.memory_limit, definition.memory_limit),
        cpu_limit=_first(job.cpu_limit, definition.cpu_limit),
        rate_limit=parse_rate_limit(job.rate_limit) if job.rate_limit else definition.rate_limit,
        depends_on=definition.depends_on if job.depends_on is None else parse_dependencies(job.depends_on),
        alerts=_alerts(job, definition),
        ping_url=_address(_first(job.ping_url, definition.ping_url)),
        runbook_url=_address(_first(job.runbook_url, definition.runbook_url)),
        settings=settings,
    )


def _alerts(job: Job, definition: JobDefinition) -> AlertPolicy:
    """Return of what, whom and when people are told; `to` None: all notifiers, another None: such a kind cannot be."""
    own = (
        job.alert_on,
        job.alert_to,
        job.alert_after,
        job.late_after,
        job.expected_duration,
        job.no_success_after,
    )
    return _policy(own, definition.alerts, get_settings().alerts)


# For every claim, and most often with the same.
@lru_cache(maxsize=4_096)
def _policy(columns: tuple[Any, ...], base: AlertPolicy, settings: AlertSettings) -> AlertPolicy:
    """Return what the columns say, or else the definition, or else the settings.

    What makes no sense, written by SQL, is as good as not set: nothing about alerts keeps a job from running.
    """
    try:
        own = AlertPolicy(**dict(zip(_ALERT_FIELDS, columns, strict=True)))
    except (TypeError, ValueError):
        own = AlertPolicy()
    kinds = tuple(kind for kind in settings.on if kind in JOB_KINDS)
    return AlertPolicy(
        on=_first(own.on, base.on, kinds),
        to=_first(own.to, base.to, settings.to),
        after=_first(own.after, base.after, settings.after),
        late_after=_first(own.late_after, base.late_after, settings.late_after),
        expected_duration=_first(own.expected_duration, base.expected_duration, settings.expected_duration),
        no_success_after=_first(own.no_success_after, base.no_success_after, settings.no_success_after),
    )


def _address(text: str) -> str:
    try:
        return parse_address(text)
    except (TypeError, ValueError):
        return ""


def _executor(job: Job, definition: JobDefinition) -> ExecutorName:
    """Return where the job's attempts run: where somebody said, else in a process if a limit needs one.

    On a Celery worker, limits are the worker's to enforce, so there they decide nothing.
    """
    settings = get_settings()
    usual = settings.queue_executors.get(job.queue or definition.queue, settings.executor)
    if name := job.executor or definition.executor:
        if name == ExecutorName.CELERY and not settings.celery_app:
            raise InvalidJob(_("Celery is to perform it, and CRONJOBS['CELERY_APP'] names no app."))
        needs_process = _first(job.memory_limit, job.cpu_limit, definition.memory_limit, definition.cpu_limit)
        if name == ExecutorName.THREAD and needs_process is not None:
            raise InvalidJob(_("Only a process can be limited in memory and CPU time, not a thread."))
        return ExecutorName(name)
    limits = (
        job.timeout,
        job.memory_limit,
        job.cpu_limit,
        definition.timeout,
        definition.memory_limit,
        definition.cpu_limit,
    )
    return ExecutorName(usual if usual == ExecutorName.CELERY or _first(*limits) is None else ExecutorName.PROCESS)


def schedule_text(job: Job) -> str:
    """Return the effective schedule as text ("": on demand), without asking whether it is valid."""
    if job.schedule is not None:
        # On SQLite a text column may hold bytes.
        return storable_text(job.schedule)
    schedules = get_settings().schedules
    if job.name in schedules:
        return schedules[job.name] or ""
    definition = registry.get(job.definition)
    return str(definition.schedule) if definition and definition.schedule else ""


@lru_cache(maxsize=4_096)
def _schedule(text: str, time_zone: str, excluded: frozenset[date]) -> Schedule | None:
    zone = parse_time_zone(time_zone)
    return excluding(parse_schedule(text).in_zone(time_zone), excluded, zone) if text else None


def _excluded_days(job: Job) -> frozenset[date]:
    if job.calendar is None:
        return frozenset()
    try:
        return job.calendar.days()
    except ValidationError as error:
        facts = {"calendar": job.calendar, "problem": " ".join(error.messages)}
        raise InvalidSchedule(_("Calendar %(calendar)s: %(problem)s") % facts, field="calendar") from error


def _params(job: Job, definition: JobDefinition) -> dict[str, Any]:
    if not isinstance(job.params, Mapping):
        raise InvalidParameters(job.name, {"params": [_("Parameters must be a JSON object.")]})
    return {**definition.params, **job.params}


def _retry(job: Job, definition: JobDefinition) -> RetryPolicy:
    base = definition.retry or _default_retry()
    return RetryPolicy(
        max_attempts=_first(job.max_attempts, base.max_attempts),
        initial_delay=_first(job.initial_delay, base.initial_delay),
        max_delay=_first(job.max_delay, base.max_delay),
        backoff_multiplier=_first(job.backoff_multiplier, base.backoff_multiplier),
        jitter=base.jitter,
        never_retry=base.never_retry,
    )


def _default_retry() -> RetryPolicy:
    retry = get_settings().retry
    return RetryPolicy(
        max_attempts=retry.max_attempts,
        initial_delay=retry.initial_delay,
        max_delay=retry.max_delay,
        backoff_multiplier=retry.backoff_multiplier,
        jitter=retry.jitter,
        never_retry=retry.never,
    )


def _first(*values: Any) -> Any:
    """Return the first value that is not None."""
    return next((each for each in values if each is not None), None)
