"""Why something that waits is not started: everything is paused, or its queue is."""

from __future__ import annotations

from django.db.models import Exists, OuterRef

from cronjobs.conf import get_settings
from cronjobs.language import gettext as _
from cronjobs.language import gettext_noop
from cronjobs.models.execution import ExecutionQuerySet, JobExecution
from cronjobs.models.queue import Queue

PAUSED_BY_SETTINGS = gettext_noop("Everything is paused by the settings: CRONJOBS['PAUSED'] is True.")
PAUSED_BY_OPERATOR = gettext_noop("Everything is paused, until somebody resumes it: manage.py cronqueue --resume-all.")


def why_everything_is_paused() -> str:
    """Return why nothing is scheduled and nothing is claimed, as a sentence; empty if that is not so."""
    if get_settings().paused:
        return _(PAUSED_BY_SETTINGS)
    return _(PAUSED_BY_OPERATOR) if Queue.objects.everything_paused().exists() else ""


def with_pauses(executions: ExecutionQuerySet) -> ExecutionQuerySet:
    """Return them with `is_everything_paused` and `is_queue_paused`, as operators have decided."""
    queues = Queue.objects.using(executions.db)
    return executions.annotate(
        is_everything_paused=Exists(queues.everything_paused()),
        is_queue_paused=Exists(queues.paused().filter(name=OuterRef("queue"))),
    )


def why_held(execution: JobExecution) -> str:
    """Return why nobody may start `execution` until an operator resumes something; empty if that is not so."""
    everything = Queue.objects.everything_paused().exists()
    return why_paused(
        execution, everything=everything, queue=Queue.objects.paused().filter(name=execution.queue).exists()
    )


def why_paused(execution: JobExecution, *, everything: bool, queue: bool) -> str:
    """Return what `why_held` does, for whoever has read whether everything or its queue is paused."""
    if get_settings().paused:
        return _(PAUSED_BY_SETTINGS)
    if everything:
        return _(PAUSED_BY_OPERATOR)
    return _("Queue %(queue)s is paused.") % {"queue": execution.queue} if queue else ""
