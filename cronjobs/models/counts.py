"""What is counted of executions that have ended: the same columns wherever counts are kept or added up."""

from __future__ import annotations

from typing import Final

from django.db import models

from cronjobs.states import FINAL

# In the same order each time, so that a database sees the same statement.
OUTCOMES: Final = tuple(sorted(str(each) for each in FINAL))
SUMS: Final = (
    "attempt_total",
    "retries",
    "missed_due_times",
    "documents",
    "durations",
    "duration_total",
    "starts",
    "lateness_total",
)

# Milliseconds. A value is counted under the least bound that it does not exceed; beyond the last, under none.
BOUNDS: Final = (10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 15_000, 60_000, 300_000, 3_600_000)
DURATION_BUCKETS: Final = tuple(f"duration_{bound}" for bound in BOUNDS)
LATENESS_BUCKETS: Final = tuple(f"lateness_{bound}" for bound in BOUNDS)

# Whatever is counted can be added up: two hours to a day, a job's hours to all that it ever did.
COUNTED: Final = (*OUTCOMES, *SUMS, *DURATION_BUCKETS, *LATENESS_BUCKETS)
PLACE_OF: Final = {name: place for place, name in enumerate(COUNTED)}


def _count() -> models.BigIntegerField[int, int]:
    # Signed, as sums are: of the two together MariaDB makes decimals.
    return models.BigIntegerField(default=0)


class Counts(models.Model):
    """Executions by how they ended, how long they took and how late they began, and what else can be added up.

    Times are in milliseconds: `duration_total` of `durations` executions that have one, `lateness_total` of `starts`
    executions that have begun. ``duration_100`` is how many took at most 100 ms, and more than the bound before it.
    """

    cancelled = _count()
    failed = _count()
    lost = _count()
    missed = _count()
    skipped = _count()
    succeeded = _count()
    timed_out = _count()

    attempt_total = _count()
    retries = _count()
    missed_due_times = _count()
    documents = _count()
    durations = _count()
    duration_total = _count()
    starts = _count()
    lateness_total = _count()

    duration_10 = _count()
    duration_50 = _count()
    duration_100 = _count()
    duration_250 = _count()
    duration_500 = _count()
    duration_1000 = _count()
    duration_2500 = _count()
    duration_5000 = _count()
    duration_15000 = _count()
    duration_60000 = _count()
    duration_300000 = _count()
    duration_3600000 = _count()

    lateness_10 = _count()
    lateness_50 = _count()
    lateness_100 = _count()
    lateness_250 = _count()
    lateness_500 = _count()
    lateness_1000 = _count()
    lateness_2500 = _count()
    lateness_5000 = _count()
    lateness_15000 = _count()
    lateness_60000 = _count()
    lateness_300000 = _count()
    lateness_3600000 = _count()

    class Meta:
        abstract = True
