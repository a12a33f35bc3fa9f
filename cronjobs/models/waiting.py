"""Why an execution that waits has not started: what a person who looks at it wants to know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cronjobs.language import gettext as _
from cronjobs.language import gettext_noop
from cronjobs.models.execution import JobExecution
from cronjobs.models.job import Job
from cronjobs.models.loading import load_job
from cronjobs.models.moves.candidates import with_limited_queue
from cronjobs.models.moves.places import Places
from cronjobs.models.node import Node
from cronjobs.models.pausing import why_held
from cronjobs.registry import registry
from cronjobs.states import ExecutionStatus
from cronjobs.storable import rfc3339

NO_NODE = gettext_noop("No node is alive: it starts when runcron does.")
ALL_DRAINING = gettext_noop("Every node that is alive is draining: it starts when another runcron does.")
NO_WORKER = gettext_noop("It is next in line for a worker that is free and serves its queue.")


def why_waiting(execution: JobExecution, *, now: datetime) -> str:
    """Return in one sentence why `execution` has not started by `now` (aware); empty if it does not wait.

    The first reason counts, in the order in which they have to go away. Only looks: takes no
    lock, and what it says may be out of date when it is read.
    """
    if execution.status != ExecutionStatus.QUEUED:
        return ""
    return next(reason for reason in _reasons(execution, now) if reason)


def _reasons(execution: JobExecution, now: datetime) -> Iterator[str]:
    if execution.run_after > now:
        again, first = _("Its next attempt is not due before %(time)s."), _("It is not due before %(time)s.")
        yield (again if execution.attempt else first) % {"time": rfc3339(execution.run_after)}
    yield why_held(execution)
    job = load_job(Job.objects.resolvable().filter(pk=execution.job_id or 0))
    if job is not None and job.definition not in registry:
        text = _("Only a node that knows the definition %(definition)s can perform it.")
        yield text % {"definition": job.definition}
    staff = Node.objects.staff()
    if not staff.at_work:
        yield _(ALL_DRAINING if staff.draining else NO_NODE)
    yield _limit(execution, job)
    yield _(NO_WORKER)


def _limit(execution: JobExecution, job: Job | None) -> str:
    """Return which limit the execution would meet if it were claimed now."""
    row = with_limited_queue(JobExecution.objects.filter(pk=execution.pk)).first()
    if row is None:
        return ""
    places = Places([row], {} if job is None else {job.pk: job}, row._state.db or "default", is_looking=True)  # noqa: SLF001 - Django's documented API
    refusal = places.take(row)
    return "" if refusal is None else refusal.reason
