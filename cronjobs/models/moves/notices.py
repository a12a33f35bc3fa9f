"""What ends badly is put down for whoever looks at alerts, in the transaction that ends it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cronjobs.models.alerts import AlertNotice, NoticeOf
from cronjobs.models.execution import JobExecution
from cronjobs.states import ExecutionStatus

_BAD = {
    ExecutionStatus.FAILED: NoticeOf.FAILED,
    ExecutionStatus.TIMED_OUT: NoticeOf.FAILED,
    ExecutionStatus.LOST: NoticeOf.LOST,
    ExecutionStatus.MISSED: NoticeOf.MISSED,
}


def give_notice(alias: str, ended: Iterable[tuple[JobExecution, str, datetime]]) -> None:
    """Put down those of `ended`, executions with how and when they ended, that ended badly: one INSERT, or nothing.

    Must run in the transaction that ends them. Doing that again, after a lost reply to COMMIT,
    puts them down twice: whoever weighs them knows what has been judged.
    """
    rows = [
        AlertNotice(execution_id=each.pk, job_id=each.job_id, job_name=each.job_name, what=_BAD[how], at=at)
        for each, status, at in ended
        if (how := ExecutionStatus(status)) in _BAD
    ]
    if rows:
        AlertNotice.objects.using(alias).bulk_create(rows)
