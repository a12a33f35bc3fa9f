"""Many jobs that are due at one instant, each once, until the last one's end is recorded."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from bench import _bench as bench
from bench import floor, ticks

# Planning is done this long before they are due at least, in seconds.
_QUIET = 3
# So many jobs are planned in a second even by a slow machine.
_PLANNED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """What became of it; spans are in seconds after the instant."""

    number: int
    recorded: float
    first_call: float
    last_call: float
    lost: int
    doubled: int


def make(number: int) -> None:
    """Make the jobs, in place of any others; they do not overlap themselves, as jobs do that say nothing of it."""
    from bench.jobs import TICK

    bench.forget_jobs()
    bench.make_jobs(number, schedule="@every 1h", definition=TICK, overlap="forbid")


def perform(number: int, *, within: float = 300) -> Burst:
    """Let all of them be due in a moment, on nodes that run, and return what became of it."""
    floor.clear()
    ticks.forget()
    due = bench.make_due(bench.database_now() + timedelta(seconds=_QUIET + 2 + number / _PLANNED))
    now = bench.database_now()
    if due - now < timedelta(seconds=_QUIET - 1):
        sys.exit("Planning them took too long.")
    # This clock, of which the calls tell, is not the database's.
    at = time.time() + (due - now).total_seconds()
    time.sleep(max(0, at - time.time()))
    recorded = _wait_for_the_last(number, at + within) - at
    called = ticks.read()
    of_jobs = Counter(each.job for each in called)
    return Burst(
        number=number,
        recorded=recorded,
        first_call=min((each.at for each in called), default=at) - at,
        last_call=max((each.at for each in called), default=at) - at,
        lost=number - min(len(of_jobs), _succeeded(due)),
        doubled=of_jobs.total() - len(of_jobs),
    )


def _wait_for_the_last(number: int, deadline: float) -> float:
    from django.db import connection

    from bench.counting import LOOKING_ON

    sql = f"SELECT {LOOKING_ON} COUNT(*) FROM cronjobs_jobexecution WHERE finished_at IS NOT NULL"  # noqa: S608 - our own words
    with connection.cursor() as cursor:
        while (now := time.time()) < deadline:
            cursor.execute(sql)
            if cursor.fetchone()[0] >= number:
                break
            time.sleep(0.05)
    return now


def _succeeded(due: datetime) -> int:
    from cronjobs.models import JobExecution

    return JobExecution.objects.filter(scheduled_for=due, status="succeeded").values("job").distinct().count()
