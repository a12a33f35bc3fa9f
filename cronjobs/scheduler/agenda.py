"""What the clock will do next, for whoever shows it: nothing outside this package reads clock rows."""

from __future__ import annotations

from datetime import datetime

from cronjobs.database import as_utc
from cronjobs.scheduler.clock_rows import job_id_of, own_rows


def next_run_times() -> dict[int, datetime]:
    """Return when each job is due next (UTC), by the job's primary key, in one query.

    A job that is never due, or that no node has planned yet, has no entry. While no node is
    alive a time may lie in the past: that occurrence is still to be decided.
    """
    rows = own_rows().filter(next_run_time__isnull=False).values_list("id", "next_run_time")
    return {pk: as_utc(at) for row_id, at in rows if (pk := job_id_of(row_id)) is not None}
