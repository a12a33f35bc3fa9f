"""A job: the row that schedules a definition, and how its settings are resolved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.utils.translation import gettext_lazy as _

from cronjobs.conf import get_settings
from cronjobs.exceptions import CronJobsError, InvalidJob, InvalidParameters, JobNotFound
from cronjobs.models.batches import upsert
from cronjobs.permissions import JOB_PERMISSIONS
from cronjobs.registry import NAME_MAX_LENGTH, JobDefinition, is_valid_name, registry
from cronjobs.retries import NEVER_RETRIED, RetryPolicy
from cronjobs.schedules import CatchUp, Schedule, parse_schedule, parse_time_zone


class Overlap(models.TextChoices):
    """What happens to a due time while an earlier execution of the job is still open."""

    # It is recorded as skipped; runs asked for by hand wait for their turn.
    FORBID = "forbid", _("Skip while another is open")
    # Up to max_instances run side by side.
    ALLOW = "allow", _("Run side by side")


class Priority(models.IntegerChoices):
    """Which of two waiting executions goes first; waiting makes up for a lower one."""

    BACKGROUND = 1, _("Background")
    LOW = 2, _("Low")
    MEDIUM = 3, _("Medium")
    HIGH = 4, _("High")
    CRITICAL = 5, _("Critical")


class Staleness(models.IntegerChoices):
    """What the database itself says about a job's plan; nodes look for everything but zero."""

    CURRENT = 0
    # A planning column was changed, by whatever means.
    EDITED = 1
    # It could not be planned; what is wrong may lie in any column, so it is tried again and again.
    BROKEN = 2


# The columns that decide when a job is due. The database compares each with its copy.
PLAN_COLUMNS = ("definition", "schedule", "time_zone", "enabled", "paused", "paused_until")


def _differs(column: str) -> Q:
    planned = f"planned_{column}"
    same = Q(**{column: F(planned)}) | Q(**{f"{column}__isnull": True, f"{planned}__isnull": True})
    if column in ("enabled", "paused", "definition"):
        # Never NULL themselves; their copy is NULL until the job is planned for the first time.
        same = Q(**{column: F(planned), f"{planned}__isnull": False})
    return same


def _stale_expression() -> Case:
    unchanged = Q()
    for column in PLAN_COLUMNS:
        unchanged &= _differs(column)
    broken = ~Q(broken_reason="")
    return Case(
        When(unchanged & broken, then=Value(Staleness.BROKEN)),
        When(unchanged, then=Value(Staleness.CURRENT)),
        default=Value(Staleness.EDITED),
        output_field=models.SmallIntegerField(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedJob:
    """A job's effective values: the operator's, else the settings', else the definition's."""

    name: str
    definition: JobDefinition
    schedule: Schedule | None
    time_zone: str
    is_active: bool
    paused_until: datetime | None
    params: dict[str, Any]
    misfire_grace: timedelta
    catch_up: CatchUp
    overlap: Overlap
    max_instances: int | None
    retry: RetryPolicy
    queue: str
    priority: int
    rerun_lost: bool

    @property
    def concurrency(self) -> int | None:
        """How many executions of the job may run at the same time, over all nodes; None: any number."""
        return 1 if self.overlap == Overlap.FORBID else self.max_instances


class JobQuerySet(models.QuerySet["Job"]):
    """Jobs, by what the engine asks about them."""

    def named(self, name: str) -> Job:
        """Return the job of that name; raise `JobNotFound` if there is none."""
        try:
            return self.get(name=name)
        except Job.DoesNotExist:
            raise JobNotFound(name) from None

    def stale(self) -> Self:
        """Return the jobs whose planning columns changed since the clock last saw them."""
        return self.filter(stale=Staleness.EDITED)

    def broken(self) -> Self:
        """Return the jobs that cannot run until somebody mends them."""
        return self.filter(stale=Staleness.BROKEN)

    def ensure(self, definitions: Iterable[JobDefinition]) -> int:
        """Create the job of each available definition that has none, and return how many were made.

        What an operator changed is never touched.
        """
        names = [each.name for each in definitions if each.only_if()]
        known = set(self.filter(name__in=names).values_list("name", flat=True))
        missing = [Job(name=name, definition=name) for name in names if name not in known]
        if missing:
            upsert(self, missing, unique_fields=["name"], update_fields=["name"])
        return len(missing)


class Job(models.Model):
    """When and how a definition runs. NULL in a policy column means: inherit."""

    name = models.CharField(_("name"), max_length=NAME_MAX_LENGTH, unique=True)
    definition = models.CharField(
        _("definition"), max_length=NAME_MAX_LENGTH, db_index=True, help_text=_("Name of a registered job definition.")
    )
    schedule = models.CharField(
        _("schedule"),
        max_length=200,
        null=True,
        blank=True,
        help_text=_("Cron expression, @every 90s or @at 2026-03-01T09:00:00Z. Empty: the definition's own."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        null=True,
        blank=True,
        help_text=_("IANA name, such as Europe/Berlin. Empty: inherited."),
    )
    params = models.JSONField(_("parameters"), default=dict, blank=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    paused = models.BooleanField(_("paused"), default=False)
    paused_until = models.DateTimeField(
        _("paused until"), null=True, blank=True, help_text=_("A paused job resumes by itself then. Empty: never.")
    )
    misfire_grace = models.DurationField(_("misfire grace"), null=True, blank=True)
    catch_up = models.CharField(
        _("catch up"),
        max_length=6,
        null=True,
        blank=True,
        choices=[(each.value, each.value) for each in CatchUp],
    )
    overlap = models.CharField(
        _("overlap"),
        max_length=7,
        null=True,
        blank=True,
        choices=Overlap.choices,
    )
    max_instances = models.PositiveSmallIntegerField(_("most at once"), null=True, blank=True)
    queue = models.CharField(_("queue"), max_length=50, null=True, blank=True)
    priority = models.PositiveSmallIntegerField(_("priority"), null=True, blank=True, choices=Priority.choices)
    max_attempts = models.PositiveSmallIntegerField(_("most attempts"), null=True, blank=True)
    initial_delay = models.DurationField(_("first retry delay"), null=True, blank=True)
    max_delay = models.DurationField(_("longest retry delay"), null=True, blank=True)
    backoff_multiplier = models.FloatField(_("backoff multiplier"), null=True, blank=True)
    rerun_lost = models.BooleanField(_("rerun when lost"), null=True, blank=True)
    owner = models.CharField(_("owner"), max_length=150, blank=True, default="")
    description = models.TextField(_("description"), blank=True, default="")
    broken_reason = models.TextField(_("broken because"), blank=True, default="", editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    planned_definition = models.CharField(max_length=NAME_MAX_LENGTH, null=True, editable=False)
    planned_schedule = models.CharField(max_length=200, null=True, editable=False)
    planned_time_zone = models.CharField(max_length=64, null=True, editable=False)
    planned_enabled = models.BooleanField(null=True, editable=False)
    planned_paused = models.BooleanField(null=True, editable=False)
    planned_paused_until = models.DateTimeField(null=True, editable=False)
    # An integer and not a boolean: SQLite uses an index only for the former.
    stale = models.GeneratedField(
        expression=_stale_expression(), output_field=models.SmallIntegerField(), db_persist=True
    )

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ("name",)
        permissions = JOB_PERMISSIONS
        indexes: ClassVar = [models.Index(fields=["stale"], name="cronjobs_job_stale")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse what could not run, field by field."""
        errors = {field: message for field, message in self._mistakes() if message}
        if errors:
            raise ValidationError(errors)

    def resolve(self) -> ResolvedJob:
        """Return the effective values; raise a `CronJobsError` that says why the job is broken."""
        try:
            return self._resolve(registry[self.definition])
        except CronJobsError:
            raise
        except ValueError as error:
            # Written past the forms, by SQL. Whoever asks must be able to go on with the other jobs.
            raise InvalidJob(str(error)) from error

    def _resolve(self, definition: JobDefinition) -> ResolvedJob:
        settings = get_settings()
        time_zone = self.time_zone or definition.time_zone or settings.time_zone
        parse_time_zone(time_zone)
        grace = _first(self.misfire_grace, definition.misfire_grace, settings.misfire_grace)
        return ResolvedJob(
            name=self.name,
            definition=definition,
            schedule=self._resolve_schedule(definition, time_zone),
            time_zone=time_zone,
            is_active=self.enabled and not settings.paused and not (self.paused and self.paused_until is None),
            paused_until=self.paused_until if self.paused else None,
            params=self._resolve_params(definition),
            misfire_grace=grace,
            catch_up=CatchUp(self.catch_up or definition.catch_up or settings.catch_up),
            overlap=Overlap(self.overlap or definition.overlap),
            max_instances=_first(self.max_instances, definition.max_instances),
            retry=self._resolve_retry(definition),
            queue=self.queue or definition.queue,
            priority=_first(self.priority, definition.priority),
            rerun_lost=_first(self.rerun_lost, definition.rerun_lost),
        )

    def schedule_text(self) -> str:
        """Return the effective schedule as text, without asking whether it is valid."""
        if self.schedule is not None:
            return self.schedule
        settings = get_settings()
        if self.name in settings.schedules:
            return settings.schedules[self.name] or ""
        definition = registry.get(self.definition)
        return str(definition.schedule) if definition and definition.schedule else ""

    def _resolve_schedule(self, definition: JobDefinition, time_zone: str) -> Schedule | None:
        text = self.schedule_text()
        return parse_schedule(text).in_zone(time_zone) if text else None

    def _resolve_params(self, definition: JobDefinition) -> dict[str, Any]:
        if not isinstance(self.params, dict):
            raise InvalidParameters(self.name, {"params": ["Parameters must be a JSON object."]})
        return {**definition.params, **self.params}

    def _resolve_retry(self, definition: JobDefinition) -> RetryPolicy:
        base = definition.retry or _default_retry()
        return RetryPolicy(
            max_attempts=_first(self.max_attempts, base.max_attempts),
            initial_delay=_first(self.initial_delay, base.initial_delay),
            max_delay=_first(self.max_delay, base.max_delay),
            backoff_multiplier=_first(self.backoff_multiplier, base.backoff_multiplier),
            jitter=base.jitter,
            never_retry=base.never_retry,
        )

    def _mistakes(self) -> Iterable[tuple[str, object]]:
        if not is_valid_name(self.name):
            yield "name", _("Use up to 100 lower-case letters, digits, hyphens and underscores.")
        if self.definition not in registry:
            yield "definition", _("No job definition is registered under this name.")
        yield "schedule", _mistake(parse_schedule, self.schedule)
        yield "time_zone", _mistake(parse_time_zone, self.time_zone)
        for column in ("max_instances", "max_attempts"):
            if getattr(self, column) == 0:
                yield column, _("Must be at least 1.")
        for column in ("misfire_grace", "initial_delay", "max_delay"):
            if (getattr(self, column) or timedelta(0)) < timedelta(0):
                yield column, _("Must not be negative.")
        if self.backoff_multiplier is not None and not self.backoff_multiplier >= 1:
            yield "backoff_multiplier", _("Must be at least 1.")
        yield "params", self._params_mistake()

    def _params_mistake(self) -> str:
        if not isinstance(self.params, dict):
            return str(_("Parameters must be a JSON object."))
        if not self.params or self.definition not in registry:
            return ""
        return _mistake(registry[self.definition].clean, self.params)


def _first(*values: Any) -> Any:
    """Return the first value that is not None."""
    return next((each for each in values if each is not None), None)


def _default_retry() -> RetryPolicy:
    retry = get_settings().retry
    return RetryPolicy(
        max_attempts=retry.max_attempts,
        initial_delay=retry.initial_delay,
        max_delay=retry.max_delay,
        backoff_multiplier=retry.backoff_multiplier,
        jitter=retry.jitter,
        never_retry=(*NEVER_RETRIED, *retry.never),
    )


def _mistake(parse: Any, value: Any) -> str:
    if not value:
        return ""
    try:
        parse(value)
    except CronJobsError as error:
        return str(error)
    return ""
