"""One look at the database: everything that a node's clock has to know, in one statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connections
from django.db.models import QuerySet

from cronjobs.conf import get_settings
from cronjobs.database import DatabaseNow, as_utc, clock_sql, engine_alias
from cronjobs.models import Job, JobExecution, Node, Queue
from cronjobs.models.asking import filled, given
from cronjobs.models.choices import WaitsFor
from cronjobs.models.execution import ExecutionQuerySet
from cronjobs.scheduler.clock_rows import EARLIEST, LATEST, own_rows
from cronjobs.states import ExecutionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at the database showed, all of it in one statement."""

    now: datetime
    is_stale: bool
    is_broken: bool
    next_due: datetime | None
    # By this node, which is to perform it; and of what it is to hand to Celery.
    is_claimable: bool
    is_stopping: bool
    is_followup_due: bool
    next_claim: datetime | None
    is_everything_paused: bool = False
    is_any_queue_paused: bool = False
    is_dispatchable: bool = False
    drain_requested_at: datetime | None = None

    @property
    def is_draining(self) -> bool:
        """Whether the node that looks has been asked to drain."""
        return self.drain_requested_at is not None


def look(node: str = "") -> Look:
    """Return the database's time, whether a job was edited or is broken, what is due or will be, and what is paused.

    And whether `node`, who looks, is asked to drain.
    """
    alias = engine_alias(JobExecution)
    connection = connections[alias]
    sql, params = _question(alias, with_celery=bool(get_settings().celery_app))
    with connection.cursor() as cursor:
        cursor.execute(sql, filled(params, node=node))
        now, stale, broken, due, claimable, stopping, followup, later, everything, queue, drain, *dispatchable = (
            cursor.fetchone()
        )
    return Look(
        now=as_utc(now),
        is_stale=stale is not None,
        is_broken=broken is not None,
        next_due=None if due is None else as_utc(due),
        is_claimable=claimable is not None,
        is_stopping=stopping is not None,
        is_followup_due=followup is not None,
        next_claim=None if later is None else as_utc(later),
        is_everything_paused=everything is not None or get_settings().paused,
        is_any_queue_paused=queue is not None,
        drain_requested_at=None if drain is None else as_utc(drain),
        is_dispatchable=any(each is not None for each in dispatchable),
    )


# Put together once: a node asks it every second, and twice for everything that is due.
@lru_cache(maxsize=8)
def _question(alias: str, *, with_celery: bool) -> tuple[str, tuple[Any, ...]]:
    connection = connections[alias]
    queued = JobExecution.objects.using(alias).filter(status=ExecutionStatus.QUEUED)
    parts = [
        Job.objects.using(alias).stale().order_by().values("stale")[:1],
        Job.objects.using(alias).broken().order_by().values("stale")[:1],
        own_rows().filter(next_run_time__gte=EARLIEST).order_by("next_run_time").values("next_run_time")[:1],
        _due(queued, WaitsFor.NODE),
        JobExecution.objects.using(alias).asked_to_stop().by_due_time().values("status")[:1],
        JobExecution.objects.using(alias).to_be_followed_up().order_by("followup_due").values("status")[:1],
        queued.filter(run_after__gt=DatabaseNow(), run_after__lt=LATEST).order_by("run_after").values("run_after")[:1],
        Queue.objects.using(alias).everything_paused().values("paused")[:1],
        Queue.objects.using(alias).paused().values("paused")[:1],
        Node.objects.using(alias).filter(name=given("node")).order_by().values("drain_requested_at")[:1],
        *([_due(queued, WaitsFor.DISPATCH)] if with_celery else []),
    ]
    compiled = [part.query.get_compiler(connection=connection).as_sql() for part in parts]
    columns = ", ".join(f"({sql})" for sql, _ in compiled)
    params = tuple(param for _, each in compiled for param in each)
    return f"SELECT {_escaped(clock_sql(connection))}, {columns}", params


def _due(queued: ExecutionQuerySet, waits_for: WaitsFor) -> QuerySet[Any, Any]:
    """Return one of those that are due and wait for that, if there is one."""
    # In the order of an index: where much is waiting, reading the table from its beginning looks cheaper, and is not.
    # What is due and waits for others is passed on the way; what is not due yet may be much more.
    due = queued.filter(waits_for=waits_for, run_after__lte=DatabaseNow())
    return due.order_by("run_after").values("status")[:1]


def _escaped(sql: str) -> str:
    """Return literal SQL for a statement that is executed with parameters."""
    return sql.replace("%", "%%")
