"""Why an execution that waits has not started: what a person who looks at it wants to know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cronjobs.conf import get_settings
from cronjobs.language import gettext as _
from cronjobs.language import gettext_noop
from cronjobs.models.choices import WaitsFor
from cronjobs.models.execution import JobExecution
from cronjobs.models.job import Job
from cronjobs.models.loading import load_job
from cronjobs.models.moves.candidates import with_limited_queue
from cronjobs.models.moves.places import Places
from cronjobs.models.node import Node
from cronjobs.models.pausing import why_held
from cronjobs.models.worker import CeleryWorker
from cronjobs.registry import registry
from cronjobs.states import ExecutionStatus
from cronjobs.storable import rfc3339

NO_NODE = gettext_noop("No node is alive: it starts when runcron does.")
ALL_DRAINING = gettext_noop("Every node that is alive is draining: it starts when another runcron does.")
NO_WORKER = gettext_noop("It is next in line for a worker that is free and serves its queue.")
NO_CELERY = gettext_noop(
    "It waits for Celery, and CRONJOBS['CELERY_APP'] names no app any more: set it, or give its job another executor."
)
NEXT_TO_BROKER = gettext_noop("It is next in line to be handed to the broker, as soon as that takes it.")


def waits_for(execution: JobExecution) -> str | None:
    """Return who has to act next, so that one that waits may start once it is due; None of any other."""
    if execution.status != ExecutionStatus.QUEUED or execution.waits_for not in WaitsFor.values:
        return None
    return WaitsFor(execution.waits_for).name.lower()


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
    if execution.waits_for != WaitsFor.NODE and not get_settings().celery_app:
        yield _(NO_CELERY)
    if execution.waits_for == WaitsFor.WORKER:
        yield _with_broker(execution)
    staff = Node.objects.staff()
    if not staff.at_work:
        yield _(ALL_DRAINING if staff.draining else NO_NODE)
    yield _limit(execution, job)
    if execution.waits_for == WaitsFor.DISPATCH:
        yield _broker_away()
        yield _dispatch_limit(execution)
        yield _(NEXT_TO_BROKER)
    yield _(NO_WORKER)


def _with_broker(execution: JobExecution) -> str:
    """Return since when its message waits for a worker, and whether there is any that could receive it."""
    since = execution.dispatched_at or execution.queued_at
    if CeleryWorker.objects.serving(execution.queue):
        text = _("It is with the broker since %(time)s: the next Celery worker that is free begins it.")
    else:
        text = _("It is with the broker since %(time)s, and no Celery worker that is alive serves queue %(queue)s.")
    return text % {"time": rfc3339(since), "queue": execution.queue}


def _broker_away() -> str:
    """Return since when no node that takes work has been able to hand anything to the broker, and why."""
    nodes = list(Node.objects.at_work().only("broker_away_since", "broker_away_because"))
    away = [(since, each.broker_away_because) for each in nodes if (since := each.broker_away_since) is not None]
    if not nodes or len(away) < len(nodes):
        return ""
    # Until then one of them could.
    since, because = max(away)
    text = _("Nothing can be handed to the broker since %(time)s. %(because)s")
    return text % {"time": rfc3339(since), "because": because}


def _dispatch_limit(execution: JobExecution) -> str:
    limit = get_settings().dispatch_limit
    if JobExecution.objects.dispatched().filter(queue=execution.queue).order_by()[:limit].count() < limit:
        return ""
    text = _("As many executions of queue %(queue)s are with the broker as may be at once (%(limit)d).")
    return text % {"queue": execution.queue, "limit": limit}


def _limit(execution: JobExecution, job: Job | None) -> str:
    """Return which limit the execution would meet if it were claimed now."""
    row = with_limited_queue(JobExecution.objects.filter(pk=execution.pk)).first()
    if row is None:
        return ""
    places = Places([row], {} if job is None else {job.pk: job}, row._state.db or "default", is_looking=True)  # noqa: SLF001 - Django's documented API
    refusal = places.take(row)
    return "" if refusal is None else refusal.reason
