"""A job: the row that schedules a definition."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import DatabaseError, models, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cronjobs.addresses import ADDRESS_MAX_LENGTH
from cronjobs.conf import words_to_mask
from cronjobs.database import read_clock
from cronjobs.exceptions import DefinitionNotFound, InvalidRequest, JobNotFound
from cronjobs.language import gettext, site_language
from cronjobs.models.batches import EngineManager, insert_new
from cronjobs.models.calendar import Calendar
from cronjobs.models.choices import CATCH_UP_CHOICES, ExecutorName, Overlap, Priority, Staleness
from cronjobs.models.loading import load_job
from cronjobs.models.mistakes import mistakes
from cronjobs.models.resolved import ResolvedJob, resolve, schedule_text
from cronjobs.permissions import JOB_PERMISSIONS
from cronjobs.registry import NAME_MAX_LENGTH, JobDefinition, registry
from cronjobs.storable import storable_text

# The columns that decide when a job is due. The database compares each with its copy.
PLAN_COLUMNS = (
    "definition",
    "schedule",
    "time_zone",
    "enabled",
    "paused",
    "paused_until",
    "starts_at",
    "ends_at",
    "calendar",
)


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


def _check_is_ahead(at: datetime, now: datetime) -> None:
    if timezone.is_naive(at):
        text = gettext("The end of a pause needs a zone, which %(time)s does not have.")
        raise InvalidRequest(text % {"time": at.isoformat()})
    if at <= now:
        text = gettext("A pause ends in the future, which %(time)s is not.")
        raise InvalidRequest(text % {"time": f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"})


# With room on both sides for every zone and jitter.
_WITHIN_REASON = (
    MinValueValidator(datetime(1970, 1, 1, tzinfo=UTC), _("The year 1970 is the earliest.")),
    MaxValueValidator(datetime(9000, 1, 1, tzinfo=UTC), _("The year 9000 is the latest.")),
)


class JobQuerySet(models.QuerySet["Job"]):
    """Jobs, by what the engine asks about them."""

    def named(self, name: str) -> Job:
        """Return the job of that name; raise `JobNotFound` if there is none."""
        found = load_job(self.filter(name=name))
        if found is None:
            raise JobNotFound(name)
        return found

    def resolvable(self) -> Self:
        """Return them with what `resolve` reads; without a join, since locking queries have none."""
        return self.prefetch_related("calendar")

    def stale(self) -> Self:
        """Return the jobs whose planning columns changed since the clock last saw them."""
        return self.filter(stale=Staleness.EDITED)

    def broken(self) -> Self:
        """Return the jobs that cannot run until somebody mends them."""
        return self.filter(stale=Staleness.BROKEN)

    def pause(self, *, until: datetime | None = None) -> int:
        """Let nothing of them be due until somebody resumes them, or until that time (aware); return how many changed.

        Raises `InvalidRequest` for a time that is naive or past.
        """
        if until is not None:
            _check_is_ahead(until, read_clock(self.db))
        same = Q(paused=True, paused_until__isnull=True) if until is None else Q(paused=True, paused_until=until)
        return self.exclude(same).update(paused=True, paused_until=until, updated_at=timezone.now())

    def resume(self) -> int:
        """Let them be due again, from now on; return how many were paused."""
        return self.filter(paused=True).update(paused=False, paused_until=None, updated_at=timezone.now())

    def ensure(self, definitions: Iterable[JobDefinition]) -> int:
        """Create the job of each available definition that has none, and return how many were made.

        What an operator changed is never touched.
        """
        names = [each.name for each in definitions if registry.is_available(each)]
        known = set(self.filter(name__in=names).values_list("name", flat=True))
        missing = [Job(name=name, definition=name) for name in names if name not in known]
        with transaction.atomic(using=self.db, savepoint=False):
            insert_new(Job, using=self.db, instances=missing, unique=("name",), unchanged="name")
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
        help_text=_("Cron expression, @every 90s or @at 2026-03-01T09:00:00Z. Empty: inherited."),
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
        _("paused until"),
        null=True,
        blank=True,
        validators=_WITHIN_REASON,
        help_text=_("A paused job resumes by itself then. Empty: until somebody resumes it."),
    )
    starts_at = models.DateTimeField(_("not before"), null=True, blank=True, validators=_WITHIN_REASON)
    ends_at = models.DateTimeField(_("not after"), null=True, blank=True, validators=_WITHIN_REASON)
    jitter = models.DurationField(
        _("jitter"),
        null=True,
        blank=True,
        help_text=_("Each start is put off by up to this long, always the same for the same due time."),
    )
    calendar = models.ForeignKey(
        Calendar,
        verbose_name=_("calendar"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="jobs",
        help_text=_("Days on which the job does not run."),
    )
    misfire_grace = models.DurationField(_("misfire grace"), null=True, blank=True)
    catch_up = models.CharField(
        _("catch up"),
        max_length=6,
        null=True,
        blank=True,
        choices=CATCH_UP_CHOICES,
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
    rate_limit = models.CharField(_("rate limit"), max_length=30, null=True, blank=True)
    executor = models.CharField(_("runs in"), max_length=10, null=True, blank=True, choices=ExecutorName.choices)
    timeout = models.DurationField(_("timeout"), null=True, blank=True)
    memory_limit = models.PositiveBigIntegerField(_("memory limit"), null=True, blank=True)
    cpu_limit = models.DurationField(_("CPU limit"), null=True, blank=True)
    # Text and not rows: NULL means inherit, as for every other policy, and one index finds who waits for anybody.
    depends_on = models.CharField(_("depends on"), max_length=500, null=True, blank=True, db_index=True)
    max_attempts = models.PositiveSmallIntegerField(_("most attempts"), null=True, blank=True)
    initial_delay = models.DurationField(_("first retry delay"), null=True, blank=True)
    max_delay = models.DurationField(_("longest retry delay"), null=True, blank=True)
    backoff_multiplier = models.FloatField(_("backoff multiplier"), null=True, blank=True)
    rerun_lost = models.BooleanField(_("rerun when lost"), null=True, blank=True)
    alert_on = models.CharField(
        _("alerts of"),
        max_length=100,
        null=True,
        blank=True,
        help_text=_("Of failing, missed, late, overrunning, no_success, lost; or none."),
    )
    alert_to = models.CharField(
        _("alerts to"), max_length=500, null=True, blank=True, help_text=_("Names of notifiers; or none.")
    )
    alert_after = models.PositiveSmallIntegerField(_("failures before an alert"), null=True, blank=True)
    late_after = models.DurationField(_("late after"), null=True, blank=True)
    expected_duration = models.DurationField(_("expected duration"), null=True, blank=True)
    # With an index: whoever looks for jobs without success need not read all the others.
    no_success_after = models.DurationField(_("longest without success"), null=True, blank=True, db_index=True)
    ping_url = models.CharField(_("ping URL"), max_length=ADDRESS_MAX_LENGTH, null=True, blank=True)
    runbook_url = models.CharField(_("runbook"), max_length=ADDRESS_MAX_LENGTH, null=True, blank=True)
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
    planned_starts_at = models.DateTimeField(null=True, editable=False)
    planned_ends_at = models.DateTimeField(null=True, editable=False)
    planned_at = models.DateTimeField(null=True, editable=False)
    planned_calendar = models.BigIntegerField(null=True, editable=False)
    # An integer and not a boolean: SQLite uses an index only for the former.
    stale = models.GeneratedField(
        expression=_stale_expression(), output_field=models.SmallIntegerField(), db_persist=True
    )

    objects = EngineManager.from_queryset(JobQuerySet)()

    # The columns that hold what Python cannot; `load_jobs` leaves them out, and the job is broken.
    unreadable: tuple[str, ...] = ()
    _keeps_resolved = False
    _resolved: ResolvedJob | None = None

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ("name",)
        permissions = JOB_PERMISSIONS
        indexes: ClassVar = [models.Index(fields=["stale"], name="cronjobs_job_stale")]

    def __str__(self) -> str:
        return self.name

    def __getstate__(self) -> dict[str, Any]:
        # What it resolves to has functions, which may not be told to another process.
        return {name: value for name, value in super().__getstate__().items() if name != "_resolved"}

    def clean(self) -> None:
        """Refuse what could not run, field by field."""
        if found := mistakes(self):
            raise ValidationError(found)

    def resolve(self) -> ResolvedJob:
        """Return the effective values; raise a `CronJobsError` that says why the job is broken."""
        if not self._keeps_resolved:
            return resolve(self)
        if self._resolved is None or not self._resolved.is_of(self.definition):
            self._resolved = resolve(self)
        return self._resolved

    def copied(self) -> Job:
        """Return the same job as an object of its own, which works out anew what it resolves to."""
        job = Job.__new__(Job)
        state = copy(self._state)
        state.fields_cache = dict(state.fields_cache)
        job.__dict__.update(self.__dict__, _keeps_resolved=False, _resolved=None, _state=state)
        return job

    def keep_resolved(self) -> None:
        """Work out only once what the job resolves to, as long as settings and definition stay: nobody edits this one."""
        self._keeps_resolved = True

    def why_broken(self) -> str:
        """Return why the job, as it was loaded, cannot run; empty if it can."""
        try:
            self.resolve()
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - a row may hold anything
            return storable_text(error, mask=words_to_mask()) or type(error).__name__
        # What only a node can find out, it has written down; of a job edited since, that is out of date.
        return self._as_this_process_sees_it(self.broken_reason) if self.stale == Staleness.BROKEN else ""

    def _as_this_process_sees_it(self, reason: str) -> str:
        """Return what a node has written down, for people who ask where the definition is known after all."""
        with site_language():
            missing = str(DefinitionNotFound(self.definition))
        if not reason.startswith(missing):
            return reason
        return gettext("A node runs older code without this definition: restart it.") + reason.removeprefix(missing)

    def is_paused_at(self, now: datetime) -> bool:
        """Return whether the job itself is paused, and not only until a time that has passed."""
        return self.paused and (self.paused_until is None or self.paused_until > now)

    def schedule_text(self) -> str:
        """Return the effective schedule as text, without asking whether it is valid."""
        return schedule_text(self)
