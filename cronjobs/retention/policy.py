"""What is old enough to go: times and numbers, worked out once when a purge begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models import Q

from cronjobs.conf import get_settings
from cronjobs.history import rolled_up_until
from cronjobs.models import Job
from cronjobs.models.loading import load_jobs
from cronjobs.models.moves.places import limit_of
from cronjobs.models.resolved import schedule_text
from cronjobs.states import FINAL, UNSUCCESSFUL

# What is younger proves that its due time has been, whatever the numbers say.
LEAST_AGE: Final = timedelta(hours=24)
# The roll-ups look again at the hours of the last day, of which the first began earlier.
_MARGIN = timedelta(hours=1)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_ROLLS_UP: Final = "roll-up-history"

# In the same order each time, so that a database sees the same statement.
FAILURES: Final = tuple(sorted(str(each) for each in UNSUCCESSFUL))
OTHERS: Final = tuple(sorted(str(each) for each in FINAL - UNSUCCESSFUL))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Until when things must have ended, to be deleted: times are aware, and exclusive.

    `per_job` executions of each job, and as many failures, are kept of what ended before
    `numbers_before` (None: any number). `job_name`: only executions of this job, and nothing else.
    `held_back`: where executions wait for the roll-ups, the time up to which those have come.
    """

    failures_before: datetime
    others_before: datetime
    numbers_before: datetime
    audit_before: datetime
    alerts_before: datetime
    rollups_before: datetime
    per_job: int | None = None
    job_name: str | None = None
    held_back: datetime | None = None
    # Starts of these jobs, by id, are still counted from these times on.
    counted_from: Mapping[int, datetime] = field(default_factory=dict)

    @property
    def by_age(self) -> Q:
        """What is older than it has to be. An execution is as old as its due time at most, which may be ahead."""
        return _ended_before(FAILURES, self.failures_before) | _ended_before(OTHERS, self.others_before)

    @property
    def eligible(self) -> Q:
        """What may go: by age, or by number if there are too many. Needs `ended_at`."""
        age = (
            self.by_age if self.per_job is None else self.by_age | _ended_before(OTHERS + FAILURES, self.numbers_before)
        )
        # Whatever may hang on it has been decided.
        found = age & Q(followup_due__isnull=True)
        for job_id, since in self.counted_from.items():
            found &= ~Q(job_id=job_id, started_at__gte=since)
        return found if self.job_name is None else found & Q(job_name=self.job_name)


def current_policy(
    now: datetime,
    *,
    retention: timedelta | None = None,
    failures: timedelta | None = None,
    per_job: int | None = None,
    job_name: str | None = None,
) -> Policy:
    """Return what the settings say at `now` (aware), or else what is given instead.

    Nothing is younger than `LEAST_AGE`. Nothing that the roll-ups have still to count goes, unless their job is
    switched off: then nobody will count it.
    """
    settings = get_settings()
    until = _first_uncounted()
    latest = _before(now, LEAST_AGE + _MARGIN).replace(minute=0, second=0, microsecond=0)

    def before(age: timedelta) -> datetime:
        return min(_before(now, age), latest if until is None else min(latest, until))

    return Policy(
        failures_before=before(settings.failure_retention if failures is None else failures),
        others_before=before(settings.history_retention if retention is None else retention),
        numbers_before=before(LEAST_AGE),
        # A suspect is remembered for as long as its window lasts.
        audit_before=_before(now, max(settings.audit_retention, settings.suspicious_window)),
        alerts_before=_before(now, settings.alert_retention),
        rollups_before=_before(now, settings.rollup_retention),
        per_job=settings.history_per_job if per_job is None else per_job,
        job_name=job_name,
        held_back=until if until is not None and until < latest else None,
        counted_from=_counted_from(now),
    )


def _counted_from(now: datetime) -> dict[int, datetime]:
    """Return since when the starts of each job count that has a rate limit for longer than anything is kept in any case."""
    rates = {job.pk: limit_of(job).rate for job in load_jobs(Job.objects.resolvable().order_by("pk"))}
    return {pk: _before(now, rate.period) for pk, rate in rates.items() if rate is not None and rate.period > LEAST_AGE}


def kept_at_least() -> timedelta:
    """Return how far back every execution is still there, as far as the settings decide."""
    settings = get_settings()
    return settings.history_retention if settings.history_per_job is None else LEAST_AGE


def _before(now: datetime, age: timedelta) -> datetime:
    try:
        return max(now - age, _EARLIEST)
    except OverflowError:
        # A retention of centuries: nothing is too old.
        return _EARLIEST


def _first_uncounted() -> datetime | None:
    """Return the time up to which the roll-ups have come; None where no job makes any."""
    jobs = Job.objects.filter(definition=_ROLLS_UP, enabled=True)
    return rolled_up_until() if any(schedule_text(job) for job in jobs) else None


def _ended_before(statuses: tuple[str, ...], moment: datetime) -> Q:
    return Q(status__in=statuses, ended_at__lt=moment, scheduled_for__lt=moment)
