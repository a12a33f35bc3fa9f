"""What an address names: a job, or an execution that the caller reaches."""

from __future__ import annotations

from rest_framework.request import Request

from cronjobs.api.errors import JobBroken
from cronjobs.api.requests.access import within_reach
from cronjobs.api.requests.queries import whole_number
from cronjobs.exceptions import ExecutionNotFound, JobNotFound
from cronjobs.models import Job, JobExecution
from cronjobs.models.execution import ExecutionQuerySet
from cronjobs.registry import is_valid_name


def find_runnable(name: str) -> Job:
    """Return the job of that name; raise `JobNotFound` and `JobBroken`."""
    job = find_job(name)
    if reason := job.why_broken():
        raise JobBroken(name, reason)
    return job


def find_job(name: str) -> Job:
    """Return the job of that name; raise `JobNotFound`."""
    # Nothing else can be a name, and a database may refuse to look for it.
    if not is_valid_name(name):
        raise JobNotFound(name)
    return Job.objects.named(name)


def find_execution(request: Request, pk: str, *columns: str) -> JobExecution:
    """Return the execution that the address names, only with `columns` if some are named; raise `ExecutionNotFound`."""
    rows = executions_at(request, pk)
    execution = (rows.only("pk", *columns) if columns else rows).first()
    if execution is None:
        raise ExecutionNotFound(pk)
    return execution


def executions_at(request: Request, pk: str) -> ExecutionQuerySet:
    """Return the execution that the address names, if there is one and the caller reaches its job."""
    try:
        number = whole_number()(pk)
    except ValueError:
        # Nothing else is a number, and a database may refuse to look for it.
        return JobExecution.objects.none()
    return within_reach(request, JobExecution.objects.filter(pk=number))
