"""What a message names, read for whoever is to begin it: one statement, since every execution pays for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from cronjobs.database import DatabaseNow
from cronjobs.models.asking import ask_converted, given
from cronjobs.models.calendar import Calendar
from cronjobs.models.execution import JobExecution
from cronjobs.models.instances import columns_of, next_instance
from cronjobs.models.job import Job
from cronjobs.models.pausing import why_paused, with_pauses

_MODELS: Final = (JobExecution, Job, Calendar)
_FACTS: Final = ("now", "is_everything_paused", "is_queue_paused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An execution that is with the broker, its job if there is one, and what else there is to know in order to begin it."""

    execution: JobExecution
    job: Job | None
    now: datetime
    is_everything_paused: bool
    is_queue_paused: bool

    def why_held(self) -> str:
        """Return why nobody may start it until an operator resumes something; empty if that is not so."""
        return why_paused(self.execution, everything=self.is_everything_paused, queue=self.is_queue_paused)


def read_message(alias: str, execution_id: int, token: str) -> Message | None:
    """Return what was dispatched under `token`, if nobody has begun it."""
    found = ask_converted(_query, alias, execution_id=execution_id, token=token)
    if not found:
        return None
    row = iter(found[0])
    execution, job, calendar = (next_instance(model, alias, row) for model in _MODELS)
    if job is not None and calendar is not None:
        job.calendar = calendar
    return Message(execution=execution, job=job, **dict(zip(_FACTS, row, strict=True)))


def _query(alias: str) -> QuerySet[Any]:
    message = (
        JobExecution.objects.using(alias).dispatched().filter(pk=given("execution_id"), claim_token=given("token"))
    )
    return (
        with_pauses(message.order_by())
        .annotate(now=DatabaseNow())
        .values_list(
            *columns_of(JobExecution),
            *(f"job__{name}" for name in columns_of(Job)),
            *(f"job__calendar__{name}" for name in columns_of(Calendar)),
            *_FACTS,
        )
    )
