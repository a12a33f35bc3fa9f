"""Performs an execution on behalf of the caller, for commands, tests and requests without a node.

In the calling thread; in a process of its own if the job asks for that or has limits. Inside
a transaction, which no other process can see, it is the calling thread in any case.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from cronjobs.conf import get_settings
from cronjobs.database import SteadyClock, engine_alias, in_transaction, read_clock
from cronjobs.executors.custody import Custody, is_in_transaction
from cronjobs.executors.process import ForkServer
from cronjobs.models import Job, JobExecution, Trigger
from cronjobs.models.moves import Ending, claim_one
from cronjobs.runner import Claim


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


def perform_here(claimed: JobExecution, *, now: Callable[[], datetime]) -> JobExecution:
    """Perform a claim in this very thread, whatever its job's limits, by the clock `now`; return the row.

    For tests: nothing beside this thread looks after the claim, so no other connection has to see it.
    """
    return _row_of(_attempt(Custody(None, patience=0.0), claimed, now))


def _clock() -> SteadyClock:
    clock = SteadyClock()
    clock.set(read_clock(engine_alias(JobExecution)))
    return clock


def _worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:inline"


def _perform(claimed: JobExecution, clock: SteadyClock) -> JobExecution:
    # For this one attempt: most processes that perform one never perform another.
    with ForkServer() as server:
        # Whoever waits for it does so for as long as the lease would last.
        custody = Custody(server, patience=get_settings().lease.total_seconds())
        # Inside a transaction the claim is nobody else's to see, and another thread could not renew it.
        if not is_in_transaction():
            custody.start()
        try:
            ending = _attempt(custody, claimed, clock.now)
        finally:
            custody.close()
    return _row_of(ending)


def _attempt(custody: Custody, claimed: JobExecution, now: Callable[[], datetime]) -> Ending:
    (claim,) = Claim.of_each([(claimed, Job.objects.in_bulk([claimed.job_id]).get(claimed.job_id or 0))])
    return custody.perform(claim, now=now)


def _row_of(ending: Ending) -> JobExecution:
    # The job may have deleted its own row.
    return JobExecution.objects.filter(pk=ending.execution.pk).first() or ending.apply()
