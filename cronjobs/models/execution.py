"""An execution: what happened, or is to happen, for one due time or one request."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cronjobs.conf import get_settings
from cronjobs.database import DatabaseNow, read_clock
from cronjobs.exceptions import InvalidRequest
from cronjobs.language import gettext
from cronjobs.models.batches import LARGEST_BATCH, EngineManager, upsert
from cronjobs.models.choices import ExecutorName, Priority, Trigger, WaitsFor
from cronjobs.models.job import Job
from cronjobs.models.resolved import ResolvedJob
from cronjobs.permissions import EXECUTION_PERMISSIONS
from cronjobs.registry import NAME_MAX_LENGTH, parse_priority
from cronjobs.states import OPEN, UNSUCCESSFUL, ExecutionStatus
from cronjobs.storable import storable_json, storable_text

# One step of priority is worth this much waiting; so nothing waits for ever.
PRIORITY_STEP = timedelta(minutes=1)

# What is due within this time goes first, its own job's next occurrences above all: a back-fill
# is in nobody's way, and does not wait for ever either.
YIELD = timedelta(days=1)
# So far ahead of the time at most lies the place of what is due: a back-fill's rows stand one instant behind the other.
LONGEST_YIELD = YIELD + timedelta(seconds=1)

# What was left behind is worked off one after another, oldest first, whatever the overlap.
SERIAL = frozenset({Trigger.CATCH_UP, Trigger.BACKFILL})


def claim_time(run_after: datetime, priority: int) -> datetime:
    """Return the place in the queue: the earlier, the sooner it is claimed once it is due."""
    return run_after - (priority - Priority.BACKGROUND) * PRIORITY_STEP


def waits_for(resolved: ResolvedJob) -> WaitsFor:
    """Return who has to act on an execution of the job that is queued."""
    return WaitsFor.DISPATCH if resolved.executor == ExecutorName.CELERY else WaitsFor.NODE


def occurrence_key(scheduled_for: datetime) -> str:
    """Return the key that makes one due time of one job unique."""
    return f"@{scheduled_for:%Y-%m-%dT%H:%M:%SZ}"


class ExecutionQuerySet(models.QuerySet["JobExecution"]):
    """Executions, by where they stand."""

    def open(self) -> Self:
        """Return those that are not final: waiting, running, or between two attempts."""
        return self.filter(status__in=OPEN)

    def waiting(self) -> Self:
        """Return those that nobody has begun, or has to begin again, due or not."""
        return self.filter(status=ExecutionStatus.QUEUED)

    def running(self) -> Self:
        """Return those that a worker holds."""
        return self.filter(status=ExecutionStatus.RUNNING)

    def by_due_time(self) -> Self:
        """Return them in the order in which they have been due, which is that of an index for each status.

        Asked for none, or another, SQLite reads the whole history for the few that run or wait, once ANALYZE has told
        it that a status has many rows.
        """
        return self.order_by("run_after", "id")

    def overrunning(self, now: datetime) -> Self:
        """Return the running ones that should have ended by now: their job's timeout has passed."""
        return self.running().filter(deadline_at__lt=now)

    def asked_to_stop(self) -> Self:
        """Return the running ones that somebody wants to end."""
        return self.running().filter(cancel_requested_at__isnull=False)

    def last_claimed_by(self, claims: Iterable[JobExecution]) -> Self:
        """Return those of `claims` that nobody has claimed since, whether they have ended or not."""
        pairs = [(each.pk, each.claim_token) for each in claims]
        return self.filter(pk__in=[pk for pk, _ in pairs], claim_token__in={token for _, token in pairs})

    def held_by(self, claims: Iterable[JobExecution]) -> Self:
        """Return those of `claims` that are still running under the token each was claimed with."""
        return self.running().last_claimed_by(claims)

    def claimable(self, now: datetime | models.Value) -> Self:
        """Return those whose time has come, in the order in which they should be claimed."""
        return self.filter(status=ExecutionStatus.QUEUED, run_after__lte=now).order_by("claim_at", "id")

    def dispatched(self) -> Self:
        """Return those that are with the broker, and that no worker has begun."""
        return self.waiting().filter(waits_for=WaitsFor.WORKER)

    def in_a_place(self) -> Self:
        """Return those that a limit counts: the running ones, and those that a Celery worker may begin at any moment."""
        if not get_settings().celery_app:
            return self.running()
        is_dispatched = models.Q(status=ExecutionStatus.QUEUED, waits_for=WaitsFor.WORKER)
        return self.filter(models.Q(status=ExecutionStatus.RUNNING) | is_dispatched)

    def dispatched_as(self, claims: Iterable[JobExecution]) -> Self:
        """Return those of `claims` that are with the broker under the token each was dispatched with."""
        return self.dispatched().last_claimed_by(claims)

    def of_flow(self, root_id: int, *, limit: int | None = None) -> list[JobExecution]:
        """Return the root of a flow, if it is still there, and those below it, oldest first; at most `limit`."""
        return [*self.filter(pk=root_id), *self.below([root_id])[:limit]][:limit]

    def below(self, roots: Collection[int]) -> Self:
        """Return the members of the flows whose roots have these ids, without the roots; oldest first in each flow."""
        # In the order of the index. Asked for another one, or none, SQLite reads the whole history once ANALYZE
        # has told it that most rows are in the same flow, namely in none.
        # A row that says to be below itself would be met again and again.
        return self.filter(flow__in=roots).exclude(pk=models.F("flow")).order_by("flow", "pk")

    def to_be_followed_up(self) -> Self:
        """Return those that have ended, and that nobody has looked at yet for what depends on them."""
        # The first condition is what PostgreSQL can use the index for: its clock is no constant.
        return self.filter(followup_due__isnull=False, followup_due__lte=DatabaseNow())

    def unsuccessful(self) -> Self:
        """Return those that ended badly."""
        return self.filter(status__in=UNSUCCESSFUL)

    def request(
        self,
        job_name: str,
        *,
        params: Mapping[str, Any] | None = None,
        trigger: str = Trigger.MANUAL,
        run_after: datetime | None = None,
        priority: int | str | None = None,
        key: str | None = None,
        requested_by: str = "",
        max_attempts: int | None = None,
    ) -> JobExecution:
        """Record that the job `job_name` should run, in the caller's transaction, and return the row.

        `run_after` is aware (None: now); `priority` is 1-5 or its name (None: the job's). A
        repeated `key` returns the row of the first call. Raises `JobNotFound`,
        `InvalidParameters`, `InvalidRequest` for another time or priority, and whatever makes the job broken.
        """
        job = Job.objects.named(job_name)
        terms = _Terms(job, run_after, priority, max_attempts, now=read_clock(self.db))
        execution = terms.execution(dict(params or {}), trigger, requested_by)
        if key is None:
            execution.save(using=self.db, force_insert=True)
            return execution
        execution.dedupe_key = f"idem:{hashlib.sha256(key.encode()).hexdigest()}"
        insert_once(self.using(self.db), [execution])
        return self.get(job=job, dedupe_key=execution.dedupe_key)

    def request_many(
        self,
        job_name: str,
        params: Iterable[Mapping[str, Any]],
        *,
        trigger: str = Trigger.MANUAL,
        run_after: datetime | None = None,
        priority: int | str | None = None,
        requested_by: str = "",
        max_attempts: int | None = None,
    ) -> list[JobExecution]:
        """Record that the job should run once with each of `params`, in one transaction, and return the rows in that order.

        In two statements, and one for every 500 (of SQLite, some 20). Nothing is recorded if any of `params` does not fit. Otherwise as
        `request`, which it also raises like.
        """
        if isinstance(params, Mapping):
            raise InvalidRequest(gettext("Parameters for many executions are a list with those of each."))
        job = Job.objects.named(job_name)
        terms = _Terms(job, run_after, priority, max_attempts, now=read_clock(self.db))
        rows = [terms.execution(dict(each), trigger, requested_by) for each in params]
        return list(self.bulk_create(rows, batch_size=LARGEST_BATCH))


class _Terms:
    """What is the same of all executions that are asked for together. Raises what `ExecutionQuerySet.request` does."""

    def __init__(
        self,
        job: Job,
        run_after: datetime | None,
        priority: int | str | None,
        max_attempts: int | None,
        *,
        now: datetime,
    ) -> None:
        if run_after is not None and timezone.is_naive(run_after):
            text = gettext("The time of an execution needs a zone, which %(time)s does not have.")
            raise InvalidRequest(text % {"time": run_after.isoformat()})
        self._job, self._resolved, self._now = job, job.resolve(), now
        self._start = run_after or now
        self._priority = self._resolved.priority if priority is None else parse_priority(priority)
        self._max_attempts = max_attempts or self._resolved.retry.max_attempts
        try:
            self._claim_at = claim_time(self._start, self._priority)
        except OverflowError as error:
            text = gettext("%(time)s is too early for an execution.")
            raise InvalidRequest(text % {"time": self._start.isoformat()}) from error

    def execution(self, params: dict[str, Any], trigger: str, requested_by: str) -> JobExecution:
        """Return the row, unsaved."""
        params = {**self._resolved.params, **params}
        self._resolved.definition.clean(params)
        return JobExecution.queued(
            self._job,
            self._resolved,
            start=self._start,
            now=self._now,
            claim_at=self._claim_at,
            max_attempts=self._max_attempts,
            priority=self._priority,
            params=storable_json(params),
            trigger=trigger,
            requested_by=storable_text(requested_by)[:150],
        )


def insert_once(executions: models.QuerySet[JobExecution], rows: list[JobExecution]) -> None:
    """Insert rows in one statement; one whose (job, dedupe_key) exists already changes nothing."""
    upsert(executions, rows, unique_fields=["job", "dedupe_key"], update_fields=["job_name"])


class JobExecution(models.Model):
    """One due time or one request, through all its attempts. The history that is never pickled."""

    # No constraint in the database and no cascade: history outlives its job.
    job = models.ForeignKey(
        Job,
        verbose_name=_("job"),
        null=True,
        db_constraint=False,
        on_delete=models.DO_NOTHING,
        related_name="executions",
        db_index=False,
    )
    job_name = models.CharField(_("job name"), max_length=NAME_MAX_LENGTH)
    trigger = models.CharField(_("trigger"), max_length=10, choices=Trigger.choices, default=Trigger.MANUAL)
    dedupe_key = models.CharField(max_length=80, null=True, editable=False)
    status = models.CharField(
        _("status"), max_length=9, choices=ExecutionStatus.choices, default=ExecutionStatus.QUEUED
    )
    scheduled_for = models.DateTimeField(_("scheduled for"), help_text=_("The due time, or the time of the request."))
    # With the jitter. Unlike `run_after` it does not move when an attempt is repeated: lateness counts from here.
    due_at = models.DateTimeField(_("due"), help_text=_("When the first attempt should start."))
    run_after = models.DateTimeField(_("not before"))
    claim_at = models.DateTimeField(editable=False)
    queued_at = models.DateTimeField(_("queued"))
    first_started_at = models.DateTimeField(_("first started"), null=True)
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    duration_ms = models.PositiveBigIntegerField(_("duration in ms"), null=True)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    max_attempts = models.PositiveSmallIntegerField(_("most attempts"), default=1)
    queue = models.CharField(_("queue"), max_length=50, default="default")
    priority = models.PositiveSmallIntegerField(_("priority"), choices=Priority.choices, default=Priority.MEDIUM)
    params = models.JSONField(_("parameters"), default=dict)
    result = models.JSONField(_("result"), null=True)
    error_type = models.CharField(_("error type"), max_length=200, blank=True, default="")
    error_message = models.TextField(_("error"), blank=True, default="")
    traceback = models.TextField(_("traceback"), blank=True, default="")
    reason = models.TextField(_("reason"), blank=True, default="")
    requested_by = models.CharField(_("requested by"), max_length=150, blank=True, default="")
    # No constraints here either: each of them may be purged before the others.
    retry_of = models.ForeignKey(
        "self",
        verbose_name=_("retry of"),
        null=True,
        db_constraint=False,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
    )
    upstream = models.ForeignKey(
        "self",
        verbose_name=_("upstream"),
        null=True,
        db_constraint=False,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
    )
    # The id of the execution at the root of the tree; NULL: it is a root itself, perhaps of nothing.
    flow = models.BigIntegerField(_("flow"), null=True)
    # Since when somebody has to see what depends on it; NULL: nobody has to.
    followup_due = models.DateTimeField(null=True, editable=False)
    progress = models.JSONField(_("progress"), null=True)
    peak_rss_bytes = models.PositiveBigIntegerField(_("peak memory"), null=True)
    cpu_ms = models.PositiveBigIntegerField(_("CPU time in ms"), null=True)
    node = models.CharField(_("node"), max_length=150, blank=True, default="")
    # Only of one that is queued does it say anything.
    waits_for = models.PositiveSmallIntegerField(_("waits for"), choices=WaitsFor.choices, default=WaitsFor.NODE)
    dispatched_at = models.DateTimeField(_("handed to the broker"), null=True)
    # When the attempt that runs should have ended, by the job's timeout.
    deadline_at = models.DateTimeField(_("timeout at"), null=True)
    claim_token = models.CharField(max_length=32, blank=True, default="", editable=False)
    lease_expires_at = models.DateTimeField(null=True, editable=False)
    cancel_requested_at = models.DateTimeField(_("asked to stop"), null=True)
    cancel_requested_by = models.CharField(_("asked to stop by"), max_length=150, blank=True, default="")
    cancel_reason = models.CharField(_("asked to stop because"), max_length=200, blank=True, default="")
    missed_from = models.DateTimeField(_("missed from"), null=True)
    missed_until = models.DateTimeField(_("missed until"), null=True)
    missed_count = models.PositiveIntegerField(_("missed"), null=True)

    # Of one that this process has claimed: what it was before, for `hand_back`.
    before_claim: tuple[Any, ...] = ()

    objects = EngineManager.from_queryset(ExecutionQuerySet)()

    class Meta:
        verbose_name = _("execution")
        verbose_name_plural = _("executions")
        ordering = ("-id",)
        permissions = EXECUTION_PERMISSIONS
        constraints: ClassVar = [
            # The guarantee: one row per due time, however many nodes there are.
            models.UniqueConstraint(fields=["job", "dedupe_key"], name="cronjobs_execution_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["status", "waits_for", "claim_at"], name="cronjobs_execution_claim"),
            # For queues apart: the head of one beside the backlog of another, and how many run of each.
            models.Index(fields=["status", "queue", "claim_at"], name="cronjobs_execution_queue"),
            models.Index(fields=["status", "run_after"], name="cronjobs_execution_due"),
            models.Index(fields=["status", "-id"], name="cronjobs_execution_status"),
            models.Index(fields=["job", "-id"], name="cronjobs_execution_job"),
            # Its end is the latest start of a job; the id decides between two that were claimed together.
            models.Index(fields=["job", "started_at", "id"], name="cronjobs_execution_started"),
            models.Index(fields=["flow"], name="cronjobs_execution_flow"),
            models.Index(fields=["followup_due"], name="cronjobs_execution_followup"),
            # What ended lately, or on a given day, of all jobs: for figures. New entries come at its end.
            models.Index(fields=["finished_at"], name="cronjobs_execution_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.job_name} #{self.pk}"

    @classmethod
    def queued(cls, job: Job, resolved: ResolvedJob, *, start: datetime, now: datetime, **columns: Any) -> JobExecution:
        """Return a new, unsaved row that waits for `start`, as the job's policies say where `columns` do not."""
        policies = {
            "scheduled_for": start,
            "claim_at": claim_time(start, resolved.priority),
            "max_attempts": resolved.retry.max_attempts,
            "queue": resolved.queue,
            "priority": resolved.priority,
            "params": resolved.params,
            "waits_for": waits_for(resolved),
        }
        row = {**policies, **columns}
        return cls(job=job, job_name=job.name, due_at=start, run_after=start, queued_at=now, **row)

    @classmethod
    def closed(
        cls, job: Job, *, status: ExecutionStatus, scheduled_for: datetime, now: datetime, **columns: Any
    ) -> JobExecution:
        """Return a new, unsaved row that is final from the beginning: it never ran."""
        times = dict.fromkeys(("scheduled_for", "due_at", "run_after", "claim_at"), scheduled_for)
        return cls(job=job, job_name=job.name, status=status, queued_at=now, finished_at=now, **times, **columns)

    @property
    def lateness(self) -> timedelta | None:
        """How long after its time the first attempt started."""
        return None if self.first_started_at is None else self.first_started_at - self.due_at

    def is_overrunning(self, now: datetime) -> bool:
        """Return whether it runs, and should have ended by now."""
        return self.status == ExecutionStatus.RUNNING and self.deadline_at is not None and self.deadline_at < now

    @property
    def root_id(self) -> int:
        """The id of the execution at the root of its flow: its own, if it is one itself."""
        return self.pk if self.flow is None else self.flow

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status not in OPEN
