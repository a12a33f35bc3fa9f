"""A context for a plain call of a job's function, without an execution and without a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from cronjobs.logs import JobContext, JobLogger, Upstream
from cronjobs.models import Trigger
from cronjobs.registry import JobDefinition
from cronjobs.states import ExecutionStatus
from cronjobs.testing._given import Instant, as_instant


def make_context(
    job: JobDefinition | str = "test",
    *,
    scheduled_for: Instant | None = None,
    attempt: int = 1,
    max_attempts: int = 1,
    trigger: str = Trigger.MANUAL,
    params: Mapping[str, Any] | None = None,
    upstream: Mapping[str, Any] | None = None,
    cancelled: bool = False,
    node_is_stopping: bool = False,
) -> JobContext:
    """Return what a job's function takes first, for ``send_digest(make_context(), days=2)``.

    `scheduled_for` is aware, or ISO text (None: now). `upstream` holds the results of the jobs that it runs after, by
    name, as of successes; or an `Upstream` each. What it logs goes to the process log ``cronjobs.job``.
    """
    context = JobContext(
        execution_id=1,
        job_name=job if isinstance(job, str) else job.name,
        trigger=trigger,
        scheduled_for=timezone.now() if scheduled_for is None else as_instant(scheduled_for),
        attempt=attempt,
        max_attempts=max(attempt, max_attempts),
        log=JobLogger(job if isinstance(job, str) else job.name),
        params=params or {},
        upstream={name: _upstream(number, each) for number, (name, each) in enumerate((upstream or {}).items(), 2)},
    )
    if cancelled:
        context.stop_requested.set()
    if node_is_stopping:
        context.node_stops.set()
    return context


def _upstream(number: int, given: Any) -> Upstream:
    if isinstance(given, Upstream):
        return given
    return Upstream(execution_id=number, status=ExecutionStatus.SUCCEEDED, result=given)
