"""Performs an execution on behalf of the caller, for commands, tests and requests without a node.

In the calling thread; in a process of its own if the job asks for that or has limits. Inside
a transaction, which no other process can see, it is the calling thread in any case.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from django.db import DatabaseError, InterfaceError, connections

from cronjobs.conf import get_settings
from cronjobs.database import Backoff, SteadyClock, engine_alias, in_transaction, read_clock
from cronjobs.executors.attempts import attempt
from cronjobs.executors.leases import LeaseKeeper
from cronjobs.executors.live import LiveOutput
from cronjobs.executors.process import ForkServer, attempt_in_process, belongs_in_process
from cronjobs.executors.refusals import is_outage, record_apart
from cronjobs.executors.stops import pass_on_losses
from cronjobs.language import site_language
from cronjobs.logs import LogLine, output_captured
from cronjobs.models import Job, JobExecution, Trigger
from cronjobs.models.moves import Ending, claim_one, record
from cronjobs.runner import Claim, announce

logger = logging.getLogger(__name__)


def run_inline(
    job_name: str,
    *,
    params: Mapping[str, Any] | None = None,
    trigger: str = Trigger.MANUAL,
    requested_by: str = "",
    max_attempts: int | None = None,
) -> JobExecution:
    """Record an execution of the job, perform its first attempt here and now, and return the row.

    Limits do not hold it back. Further attempts, if any, are a node's. Raises `JobNotFound`
    and `InvalidParameters`.
    """
    clock = _clock()

    def requested_and_claimed() -> JobExecution:
        execution = JobExecution.objects.request(
            job_name, params=params, trigger=trigger, requested_by=requested_by, max_attempts=max_attempts
        )
        return claim_one(execution, node=_worker(), now=clock.now())

    # In one transaction: a node must not be faster.
    return _perform(in_transaction(engine_alias(JobExecution), requested_and_claimed), clock)


def perform_inline(execution: JobExecution, *, within_limits: bool = False) -> JobExecution:
    """Claim and perform one queued execution here; raise `ClaimLost` if a node was faster.

    `within_limits`: raise `AtLimit` while its job or its queue is paused, or does as much as it may.
    """
    clock = _clock()
    claimed = claim_one(execution, node=_worker(), now=clock.now(), within_limits=within_limits)
    return _perform(claimed, clock)


def _clock() -> SteadyClock:
    clock = SteadyClock()
    clock.set(read_clock(engine_alias(JobExecution)))
    return clock


def _worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:inline"


# Whoever asked may do so in another language.
@site_language()
def _perform(claimed: JobExecution, clock: SteadyClock) -> JobExecution:
    (claim,) = Claim.of_each([(claimed, Job.objects.in_bulk([claimed.job_id]).get(claimed.job_id or 0))])
    keeper = LeaseKeeper(held=lambda: [claimed], lost=lambda ids: pass_on_losses([claim], ids))
    live = LiveOutput(claim)
    # Inside a transaction the claim is nobody else's to see, and another thread could not renew it.
    if not connections[engine_alias(JobExecution)].in_atomic_block:
        keeper.start()
        live.start()
    try:
        with output_captured():
            ending = _attempt(claim, clock)
        lost = _record(live.close(), ending)
    finally:
        live.close()
        keeper.close()
    if lost:
        logger.warning("%s ended here after its claim was lost; nothing was recorded.", claimed)
    else:
        announce(ending)
    # The job may have deleted its own row.
    return JobExecution.objects.filter(pk=claimed.pk).first() or ending.apply()


def _attempt(claim: Claim, clock: SteadyClock) -> Ending:
    resolved = belongs_in_process(claim)
    if resolved is None or not _is_visible_elsewhere():
        return attempt(claim, now=clock.now)
    # For this one attempt: most processes that perform one never perform another.
    with ForkServer() as server:
        ending = attempt_in_process(claim, resolved, now=clock.now, server=server)
    assert ending is not None  # noqa: S101 - nobody stops it but its job's limits
    return ending


def _is_visible_elsewhere() -> bool:
    """Return whether another process sees the database as this one does: no open transaction, no database in memory."""
    connection = connections[engine_alias(JobExecution)]
    is_in_memory = getattr(connection, "is_in_memory_db", lambda: False)
    return not connection.in_atomic_block and not is_in_memory()


def _record(lines: list[LogLine], ending: Ending) -> set[int]:
    """Write log and ending; while the database is away, for as long as the lease would last, try again."""
    backoff = Backoff(engine_alias(JobExecution), "Recording")
    deadline = time.monotonic() + get_settings().lease.total_seconds()
    while True:
        try:
            return record(lines, [ending])
        except (DatabaseError, InterfaceError) as error:
            if not is_outage(error):
                return record_apart(lines, [ending], error)
            if time.monotonic() > deadline or connections[engine_alias(JobExecution)].in_atomic_block:
                raise
            time.sleep(backoff.failed(error))
