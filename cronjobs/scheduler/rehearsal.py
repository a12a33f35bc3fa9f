"""Writes what is due at any instant, as a node does whose last look was at another one: for tests."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from cronjobs.database import engine_alias, in_transaction
from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.clock_rows import clock_id, own_rows
from cronjobs.scheduler.plans import BATCH, sync
from cronjobs.scheduler.ticks import tick


def write_due(at: datetime, *, since: datetime, names: Collection[str]) -> list[int]:
    """Write what has been due with since < t <= at of the jobs with these `names`; return the ids of the new executions.

    Both times are aware. What the clock had planned before counts for nothing: all jobs are planned from `since`
    on, and afterwards from `at` on. What is late by then is missed, or caught up, as after an outage.
    """
    alias = engine_alias(JobExecution)
    return in_transaction(alias, lambda: _write_due(alias, at, since, names))


def _write_due(alias: str, at: datetime, since: datetime, names: Collection[str]) -> list[int]:
    executions = JobExecution.objects.using(alias).order_by("pk").values_list("pk", flat=True)
    newest = executions.last() or 0
    _plan_all(alias, since)
    others = Job.objects.using(alias).exclude(name__in=names).values_list("pk", flat=True)
    own_rows().filter(id__in=[clock_id(pk) for pk in others]).update(next_run_time=None)
    while tick(at):
        pass
    _plan_all(alias, at)
    return list(executions.filter(pk__gt=newest))


def _plan_all(alias: str, now: datetime) -> None:
    # To the clock it looks as if everything had been edited.
    Job.objects.using(alias).update(planned_definition=None)
    while sync(now) == BATCH:
        pass
