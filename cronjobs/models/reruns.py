"""Running an execution again: another one of the same job, which says whose repetition it is."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from cronjobs.database import engine_alias, in_transaction, read_clock
from cronjobs.exceptions import (
    CannotRetry,
    ExecutionNotFound,
    InvalidParameters,
    JobGone,
    JobUnfit,
    ParametersUnfit,
    StillOpen,
)
from cronjobs.language import gettext as _
from cronjobs.models.choices import Trigger
from cronjobs.models.execution import JobExecution
from cronjobs.models.job import Job
from cronjobs.models.loading import load_job
from cronjobs.models.resolved import ResolvedJob
from cronjobs.states import ExecutionStatus


class Rerun(NamedTuple):
    """The execution that repeats another, and whether it `is_new` or had been waiting or running already."""

    execution: JobExecution
    is_new: bool


def retry(execution_id: int, *, requested_by: str = "") -> Rerun:
    """Record that a final execution should run again, as a row of its own, on behalf of `requested_by`.

    It is for the same time as the original (`scheduled_for`), with the same parameters and in
    the same flow; queue, priority and number of attempts are the job's as it is now. It waits
    like everything that is asked for. While one repetition of the original is open, asking
    again leads to that one. Raises `ExecutionNotFound` and `CannotRetry`.
    """
    alias = engine_alias(JobExecution)
    return in_transaction(alias, lambda: _retry(alias, execution_id, requested_by[:150]))


def _retry(alias: str, execution_id: int, requested_by: str) -> Rerun:
    executions = JobExecution.objects.using(alias)
    # The lock makes two that ask at the same time ask one after the other.
    original = executions.filter(pk=execution_id).select_for_update().first()
    if original is None:
        raise ExecutionNotFound(execution_id)
    waiting = executions.open().filter(retry_of=original).order_by("pk").first()
    if waiting is not None:
        return Rerun(waiting, is_new=False)
    _ensure_repeatable(original)
    rerun = _repetition(original, *_fitting_job(alias, original), now=read_clock(alias))
    rerun.requested_by = requested_by
    rerun.save(using=alias, force_insert=True)
    return Rerun(rerun, is_new=True)


def _ensure_repeatable(original: JobExecution) -> None:
    if not original.is_final:
        raise StillOpen(original.pk, original.status)
    if original.status == ExecutionStatus.MISSED:
        raise CannotRetry(original.pk, _("it stands for due times that were missed. A back-fill runs them."))


def _fitting_job(alias: str, original: JobExecution) -> tuple[Job, ResolvedJob]:
    """Return the job that the original belongs to, if it can run with its parameters."""
    job = load_job(Job.objects.using(alias).resolvable().filter(pk=original.job_id or 0))
    if job is None:
        raise JobGone(original.pk, original.job_name)
    if reason := job.why_broken():
        raise JobUnfit(original.pk, job.name, reason)
    resolved = job.resolve()
    try:
        resolved.definition.clean(original.params)
    except InvalidParameters as error:
        raise ParametersUnfit(original.pk, error) from error
    return job, resolved


def _repetition(original: JobExecution, job: Job, resolved: ResolvedJob, *, now: datetime) -> JobExecution:
    return JobExecution.queued(
        job,
        resolved,
        start=now,
        now=now,
        trigger=Trigger.RETRY,
        retry_of=original,
        # The newest execution of a job in a flow is the one that counts there.
        flow=original.flow or original.pk,
        upstream_id=original.upstream_id,
        scheduled_for=original.scheduled_for,
        params=original.params,
    )
