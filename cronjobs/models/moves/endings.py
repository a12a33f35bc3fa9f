"""Running to whatever came of it: endings and log lines, written in batches under their tokens."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cronjobs.database import engine_alias, in_one_statement, in_transaction
from cronjobs.logs import LogLine
from cronjobs.models.attempt import ExecutionAttempt, ExecutionLog
from cronjobs.models.batches import update_from_values, upsert
from cronjobs.models.execution import JobExecution
from cronjobs.models.moves.followups import ask_for_followup, waited_for
from cronjobs.models.moves.notices import give_notice
from cronjobs.models.rollups import SETTLING, lock_mark
from cronjobs.states import UNSUCCESSFUL, ExecutionStatus, ensure_move

# What one UPDATE sets from one row of values; the first two say which row, and by what right.
_COLUMNS = (
    "id",
    "claim_token",
    "status",
    "started_at",
    "first_started_at",
    "finished_at",
    "duration_ms",
    "result",
    "error_type",
    "error_message",
    "traceback",
    "reason",
    "run_after",
    "claim_at",
    "peak_rss_bytes",
    "cpu_ms",
    "progress",
    "followup_due",
)
# What is known of somebody's wish to end an execution.
_REQUEST = ("cancel_requested_at", "cancel_requested_by", "cancel_reason")
# What is written so long after its end was held up. Less than an hour is left alone until it is rolled up.
_LATE = SETTLING / 2
# What nobody is told of, and nothing is kept of beside the execution.
_GOOD = (ExecutionStatus.SUCCEEDED, ExecutionStatus.SKIPPED)
_CALLED_OFF = (ExecutionStatus.QUEUED, ExecutionStatus.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt ended, and where that leaves its execution.

    `outcome` is the attempt's; `status` the execution's: ``queued`` if another attempt
    follows, not before `run_after`.
    """

    execution: JobExecution
    outcome: ExecutionStatus
    status: ExecutionStatus
    finished_at: datetime
    duration_ms: int
    run_after: datetime
    claim_at: datetime
    result: Any = None
    error_type: str = ""
    error_message: str = ""
    traceback: str = ""
    reason: str = ""
    peak_rss_bytes: int | None = None
    cpu_ms: int | None = None
    progress: Any = None
    # By the monotonic clock, in seconds: how long it waits to be written is nothing that two wall clocks could tell.
    ended: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Refuse an ending that the lifecycle does not know."""
        ensure_move(ExecutionStatus.RUNNING, self.outcome)
        ensure_move(ExecutionStatus.RUNNING, self.status)

    def values(self) -> tuple[Any, ...]:
        """Return the row of values, in the order of the columns."""
        own = {
            "id": self.execution.pk,
            "claim_token": self.execution.claim_token,
            "started_at": self.execution.started_at,
            "first_started_at": self.execution.first_started_at,
            "finished_at": None if self.status == ExecutionStatus.QUEUED else self.finished_at,
            "followup_due": self.execution.followup_due,
        }
        return tuple(own[name] if name in own else getattr(self, name) for name in _COLUMNS)

    def apply(self) -> JobExecution:
        """Bring the execution in memory to where its row now is, and return it."""
        execution = self.execution
        for column, value in zip(_COLUMNS[2:], self.values()[2:], strict=True):
            setattr(execution, column, value)
        if self.status == ExecutionStatus.QUEUED and execution.cancel_requested_at is not None:
            # It was asked to stop while it ran: that ended it.
            execution.status, execution.reason = ExecutionStatus.CANCELLED, execution.cancel_reason
            execution.finished_at = self.finished_at
        return execution


def record(lines: Sequence[LogLine], endings: Sequence[Ending]) -> set[int]:
    """Write log lines and endings in one transaction; return the ids that were no longer ours.

    Doing it again after a lost reply to COMMIT changes nothing and reports success.
    """
    alias = engine_alias(JobExecution)
    # Asked before, so that what has ended asks for a look at those by the same statement that ends it.
    names = waited_for(alias, (each.execution.job_name for each in endings))
    run = in_one_statement if not lines and _is_one_statement(endings) else in_transaction
    lost, called_off = run(alias, lambda: _record(alias, lines, endings, names))
    for each in endings:
        for fact, value in called_off.get(each.execution.pk, {}).items():
            setattr(each.execution, fact, value)
    return lost


def _is_one_statement(endings: Sequence[Ending]) -> bool:
    """Return whether nothing has to be written but how the one that ended has ended, well and in time."""
    return len(endings) == 1 and not _is_late(endings) and endings[0].outcome in _GOOD


def _is_late(endings: Sequence[Ending]) -> bool:
    return min(each.ended for each in endings) < time.monotonic() - _LATE.total_seconds()


def _record(
    alias: str, lines: Sequence[LogLine], endings: Sequence[Ending], names: Collection[str]
) -> tuple[set[int], dict[int, dict[str, Any]]]:
    if lines:
        _insert_lines(alias, lines)
    if not endings:
        return set(), {}
    if _is_late(endings):
        # Its hour may be one that is being rolled up: it is counted before that is done, or made up for afterwards.
        lock_mark(alias)
    lost = _end(alias, endings, names)
    ours = [each for each in endings if each.execution.pk not in lost]
    called_off = _call_off_retries(alias, ours)
    _insert_attempts(alias, ours)
    give_notice(alias, ((each.execution, each.status, each.finished_at) for each in ours))
    return lost, called_off


def _end(alias: str, endings: Sequence[Ending], names: Collection[str]) -> set[int]:
    for each in endings:
        # In memory as well, so that whoever records the ending can wake who follows up.
        is_asked = each.status != ExecutionStatus.QUEUED and each.execution.job_name in names
        each.execution.followup_due = each.finished_at if is_asked else None
    rows = [each.values() for each in sorted(endings, key=lambda each: each.execution.pk)]
    updated = update_from_values(
        JobExecution,
        using=alias,
        columns=_COLUMNS,
        rows=rows,
        match=("id", "claim_token"),
        where={"status": ExecutionStatus.RUNNING},
        also={"lease_expires_at": None},
    )
    return set() if updated == len(rows) else _not_ended(alias, rows)


def _call_off_retries(alias: str, endings: Sequence[Ending]) -> dict[int, dict[str, Any]]:
    """Cancel what would be tried again although somebody has asked it to stop; return who did, and why, by id."""
    again = {each.execution.pk: each for each in endings if each.status == ExecutionStatus.QUEUED}
    if not again:
        return {}
    rows = JobExecution.objects.using(alias)
    # Locked, for the latest that anybody has asked; one that was cancelled by an earlier try is told of as well.
    asked = rows.filter(pk__in=again, status__in=_CALLED_OFF, cancel_requested_at__isnull=False).order_by("pk")
    facts = {row.pop("pk"): row for row in asked.select_for_update().values("pk", *_REQUEST)}
    for pk, request in facts.items():
        rows.filter(pk=pk, status=ExecutionStatus.QUEUED).update(
            status=ExecutionStatus.CANCELLED, reason=request["cancel_reason"], finished_at=again[pk].finished_at
        )
    ask_for_followup(alias, ((pk, again[pk].execution.job_name) for pk in facts))
    return facts


def _not_ended(alias: str, rows: Sequence[tuple[Any, ...]]) -> set[int]:
    """Return the ids that another claim has taken.

    "Already ended with my token" is success: the reply to an earlier COMMIT may have been lost.
    """
    ids, tokens = {row[0] for row in rows}, {row[1] for row in rows}
    ended = JobExecution.objects.using(alias).filter(pk__in=ids, claim_token__in=tokens)
    return ids - set(ended.exclude(status=ExecutionStatus.RUNNING).values_list("pk", flat=True))


def _insert_lines(alias: str, lines: Sequence[LogLine]) -> None:
    rows = [
        ExecutionLog(
            execution_id=each.execution_id,
            attempt=each.attempt,
            number=each.number,
            level=each.level,
            message=each.message,
            data=each.data,
            logged_at=each.logged_at,
        )
        for each in lines
    ]
    unique = ["execution", "attempt", "number"]
    upsert(ExecutionLog.objects.using(alias), rows, unique_fields=unique, update_fields=["number"])


def _insert_attempts(alias: str, endings: Iterable[Ending]) -> None:
    rows = [_attempt_of(each) for each in endings if each.outcome in UNSUCCESSFUL]
    if rows:
        unique = ["execution", "attempt"]
        upsert(ExecutionAttempt.objects.using(alias), rows, unique_fields=unique, update_fields=["attempt"])


def _attempt_of(ending: Ending) -> ExecutionAttempt:
    return ExecutionAttempt(
        execution_id=ending.execution.pk,
        attempt=ending.execution.attempt,
        status=ending.outcome,
        node=ending.execution.node,
        started_at=ending.execution.started_at,
        finished_at=ending.finished_at,
        duration_ms=ending.duration_ms,
        error_type=ending.error_type,
        error_message=ending.error_message,
        traceback=ending.traceback,
        peak_rss_bytes=ending.peak_rss_bytes,
        cpu_ms=ending.cpu_ms,
    )
