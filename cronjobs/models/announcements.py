"""Tells observers what ended without a worker: cancelled while it waited, lost, skipped or missed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import partial

from django.db import transaction

from cronjobs import events
from cronjobs.models.execution import ExecutionQuerySet, JobExecution
from cronjobs.models.loading import load_each
from cronjobs.states import FINAL

logger = logging.getLogger(__name__)

# What every row can be read by, whatever is wrong with the rest of it.
_ESSENTIALS = ("job_name", "status", "trigger", "reason")


def announce_final(executions: ExecutionQuerySet) -> None:
    """Send `execution_finished` for those of `executions` that are final, once the transaction has committed.

    Called in a transaction that is rolled back, it tells nobody. The rows are read after the
    commit. Nothing is raised, whatever goes wrong with that; and if this process dies before it,
    nobody is told.
    """
    transaction.on_commit(partial(_announce, executions), using=executions.db, robust=True)


def announce_lost(executions: Sequence[JobExecution]) -> None:
    """Send `execution_lost` for each of `executions`, once the transaction has committed."""
    if executions:
        alias = executions[0]._state.db  # noqa: SLF001 - Django's documented API
        transaction.on_commit(partial(_tell_lost, executions), using=alias, robust=True)


def _announce(executions: ExecutionQuerySet) -> None:
    if events.execution_finished.has_listeners(JobExecution):
        for each in _load(executions.filter(status__in=FINAL).order_by("pk")):
            events.tell(events.execution_finished, each)


def _tell_lost(executions: Sequence[JobExecution]) -> None:
    for each in executions:
        events.tell(events.execution_lost, each)


def _load(executions: ExecutionQuerySet) -> Iterator[JobExecution]:
    readable, unreadable = load_each(executions)
    yield from readable
    if unreadable:
        yield from load_each(JobExecution.objects.using(executions.db).filter(pk__in=unreadable).only(*_ESSENTIALS))[0]
