"""Running, and how far: the newest progress of many executions in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cronjobs.database import engine_alias, in_transaction
from cronjobs.models.batches import update_from_values
from cronjobs.models.execution import JobExecution
from cronjobs.states import ExecutionStatus


def record_progress(rows: Sequence[tuple[JobExecution, dict[str, Any]]]) -> None:
    """Write the progress of executions that still run under the token that each was claimed with."""
    alias = engine_alias(JobExecution)
    values = [(each.pk, each.claim_token, progress) for each, progress in sorted(rows, key=lambda row: row[0].pk)]
    in_transaction(
        alias,
        lambda: update_from_values(
            JobExecution,
            using=alias,
            columns=("id", "claim_token", "progress"),
            rows=values,
            match=("id", "claim_token"),
            where={"status": ExecutionStatus.RUNNING},
            also={},
        ),
    )
