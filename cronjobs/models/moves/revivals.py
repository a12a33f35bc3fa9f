"""Skipped to queued: what was passed over is to run after all, for a back-fill or because its upstream was mended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import Q

from cronjobs.database import engine_alias, in_transaction
from cronjobs.models.batches import update_from_values
from cronjobs.models.choices import Trigger
from cronjobs.models.execution import JobExecution
from cronjobs.models.job import Job
from cronjobs.models.rollups import lock_mark, take_back_skips
from cronjobs.states import ExecutionStatus, ensure_move

# Passed over before it began. A job that ran and then skipped itself has looked, and is not asked again.
REVIVABLE = Q(status=ExecutionStatus.SKIPPED, first_started_at__isnull=True)

# What the row takes over from the one that would be inserted, had it not been there.
_COLUMNS = (
    "id",
    "due_at",
    "run_after",
    "claim_at",
    "queued_at",
    "max_attempts",
    "queue",
    "priority",
    "waits_for",
    "params",
    "requested_by",
    "upstream_id",
)


def revive(job: Job, wanted: Sequence[JobExecution], *, trigger: str = Trigger.BACKFILL) -> int:
    """Queue the skipped rows of `job` that have the keys of `wanted`, with the values they have there.

    Rows that have begun, or have been revived meanwhile, stay as they are. Returns how many were revived.
    """
    if not wanted:
        return 0
    alias = engine_alias(JobExecution)
    return in_transaction(alias, lambda: _revive(alias, job, {each.dedupe_key: each for each in wanted}, trigger))


def _revive(alias: str, job: Job, wanted: Mapping[str | None, JobExecution], trigger: str) -> int:
    ensure_move(ExecutionStatus.SKIPPED, ExecutionStatus.QUEUED)
    until = lock_mark(alias)
    skipped = JobExecution.objects.using(alias).filter(REVIVABLE, job=job, dedupe_key__in=wanted).order_by("pk")
    found = list(skipped.select_for_update().values_list("pk", "dedupe_key", "job_name", "finished_at"))
    take_back_skips(alias, until, ((name, at) for *_, name, at in found if at is not None))
    rows = [(pk, *(getattr(wanted[key], column) for column in _COLUMNS[1:])) for pk, key, *_ in found]
    return update_from_values(
        JobExecution,
        using=alias,
        columns=_COLUMNS,
        rows=rows,
        match=("id",),
        where={"status": ExecutionStatus.SKIPPED},
        also={"status": ExecutionStatus.QUEUED, "trigger": trigger, "reason": "", "finished_at": None},
    )
