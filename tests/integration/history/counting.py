"""What a test counts for itself, to compare it with what the app does."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from cronjobs.models import JobExecution, JobTotals
from cronjobs.models.counters import read_counters
from cronjobs.models.counts import BOUNDS, COUNTED


def counters() -> dict[str, dict[str, int]]:
    """Return what is not nought of the counters, by job and by name."""
    return {job: nonzero(numbers) for job, numbers in read_counters().items()}


def totals() -> dict[str, dict[str, int]]:
    """Return what is not nought of the totals that are kept, by job and by name."""
    return {
        row["job_name"]: nonzero([row[name] for name in COUNTED])
        for row in JobTotals.objects.values("job_name", *COUNTED)
    }


def nonzero(numbers: list[int]) -> dict[str, int]:
    return {name: number for name, number in zip(COUNTED, numbers, strict=True) if number}


def count_of(rows: list[JobExecution]) -> Counter[str]:
    """Return what executions come to, one after another."""
    found: Counter[str] = Counter()
    for row in rows:
        found[row.status] += 1
        found["attempt_total"] += row.attempt
        found["retries"] += max(0, row.attempt - 1)
        found["missed_due_times"] += row.missed_count or 0
        if row.status == "succeeded" and isinstance(row.result, dict):
            found["documents"] += row.result.get("modifiedCount", 0)
        if row.duration_ms is not None:
            found["durations"] += 1
            found["duration_total"] += row.duration_ms
            found[bucket("duration", row.duration_ms)] += 1
        if row.first_started_at is not None:
            late = round((row.first_started_at - row.due_at).total_seconds() * 1_000)
            found["starts"] += 1
            found["lateness_total"] += late
            found[bucket("lateness", late)] += 1
    found.pop("", None)
    return +found


def bucket(what: str, value: int) -> str:
    """Return the name of the bucket that a value is in; empty: it is beyond the last one."""
    bound = next((each for each in BOUNDS if value <= each), None)
    return "" if bound is None else f"{what}_{bound}"


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
