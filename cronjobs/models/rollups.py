"""What the history comes to, kept: each job's hours, each job's totals, and how far that goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from cronjobs.models.batches import EngineManager
from cronjobs.models.counts import Counts
from cronjobs.registry import NAME_MAX_LENGTH

# Before anything that can have ended.
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
# So long after its end an hour is rolled up: what ended in it has been written, unless something held that up.
SETTLING: Final = timedelta(minutes=2)


class HourlyRollup(Counts):
    """What ended of one job in one hour of UTC, as its executions told when they were counted last."""

    job_name = models.CharField(_("job name"), max_length=NAME_MAX_LENGTH)
    hour = models.DateTimeField(_("hour"))
    # Of single values, which cannot be added up; NULL: nothing has one.
    duration_max = models.PositiveBigIntegerField(null=True)
    duration_p50 = models.PositiveBigIntegerField(null=True)
    duration_p95 = models.PositiveBigIntegerField(null=True)
    lateness_p50 = models.BigIntegerField(null=True)
    lateness_p95 = models.BigIntegerField(null=True)

    objects = EngineManager["HourlyRollup"]()

    class Meta:
        # Nobody edits these.
        default_permissions = ()
        verbose_name = _("hour of a job")
        verbose_name_plural = _("hours of jobs")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job_name", "hour"], name="cronjobs_rollup_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["hour"], name="cronjobs_rollup_hour"),
        ]

    def __str__(self) -> str:
        return f"{self.job_name} {self.hour:%Y-%m-%d %H:%M}"


class RolledHour(models.Model):
    """An hour of UTC that has been rolled up, of all jobs together. One without a row had no executions."""

    hour = models.DateTimeField(_("hour"), unique=True)
    executions = models.PositiveBigIntegerField(_("executions"))
    duration_p50 = models.PositiveBigIntegerField(null=True)
    duration_p95 = models.PositiveBigIntegerField(null=True)

    objects = EngineManager["RolledHour"]()

    class Meta:
        # Nobody edits these.
        default_permissions = ()
        verbose_name = _("hour")
        verbose_name_plural = _("hours")

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:%M}"


class JobTotals(Counts):
    """All that ever ended of one job in hours that have been rolled up. These numbers never fall.

    They stay when executions and roll-ups are purged, and when the job is deleted.
    """

    job_name = models.CharField(_("job name"), max_length=NAME_MAX_LENGTH, unique=True)

    objects = EngineManager["JobTotals"]()

    class Meta:
        # Nobody edits these.
        default_permissions = ()
        verbose_name = _("totals of a job")
        verbose_name_plural = _("totals of jobs")

    def __str__(self) -> str:
        return self.job_name


class RollupMark(models.Model):
    """The only row: all that ended before `until`, a full hour, is in the roll-ups and the totals.

    Whoever changes these, or what they were made of, locks it first.
    """

    ONLY: ClassVar = 1

    until = models.DateTimeField(_("until"))

    objects = EngineManager["RollupMark"]()

    class Meta:
        # Nobody edits these.
        default_permissions = ()
        verbose_name = _("mark of the roll-ups")
        verbose_name_plural = _("marks of the roll-ups")

    def __str__(self) -> str:
        return f"{self.until:%Y-%m-%d %H:%M}"


def rolled_up_until() -> datetime:
    """Return the full hour (UTC) before which all that ended is in the roll-ups; 1970, if nothing is."""
    until = RollupMark.objects.filter(pk=RollupMark.ONLY).values_list("until", flat=True).first()
    return until or BEGINNING


def lock_mark(alias: str) -> datetime:
    """Keep everybody else from the roll-ups until the end of the transaction; return how far they go.

    Locked before executions are: that is the order everywhere.
    """
    marks = RollupMark.objects.using(alias)
    until = marks.select_for_update().filter(pk=RollupMark.ONLY).values_list("until", flat=True).first()
    if until is not None:
        return until
    marks.get_or_create(pk=RollupMark.ONLY, defaults={"until": BEGINNING})
    return marks.select_for_update().get(pk=RollupMark.ONLY).until


def take_back_skips(alias: str, until: datetime, skips: Iterable[tuple[str, datetime]]) -> None:
    """See to it that counters do not fall when executions that were skipped (job name, when) are queued again.

    Each was skipped once, and its row will not say so any more. What is rolled up stays in the totals, and leaves
    its hour; what is not is added to the totals now. `until` is from `lock_mark`, in the same transaction.
    """
    rolled, live = Counter[tuple[str, datetime]](), Counter[str]()
    for name, at in skips:
        if at < until:
            rolled[name, full_hour(at)] += 1
        else:
            live[name] += 1
    for (name, hour), number in sorted(rolled.items()):
        rollups = HourlyRollup.objects.using(alias).filter(job_name=name, hour=hour, skipped__gte=number)
        if rollups.update(skipped=F("skipped") - number):
            hours = RolledHour.objects.using(alias).filter(hour=hour, executions__gte=number)
            hours.update(executions=F("executions") - number)
    for name, number in sorted(live.items()):
        JobTotals.objects.using(alias).get_or_create(job_name=name)
        JobTotals.objects.using(alias).filter(job_name=name).update(skipped=F("skipped") + number)


def full_hour(moment: datetime) -> datetime:
    """Return when the hour of UTC began that `moment` (aware) is in."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
