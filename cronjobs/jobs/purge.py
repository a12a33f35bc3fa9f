"""Deletes what is older than the history is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from cronjobs.database import engine_alias, read_clock
from cronjobs.logs import JobContext, create_job_logger
from cronjobs.models import JobExecution
from cronjobs.registry import job
from cronjobs.retention import Pace, Purge, current_policy
from cronjobs.retention.pace import Rest, sleep
from cronjobs.retention.purge import Report
from cronjobs.retention.report import count_document, sentence, time_document
from cronjobs.storable import rfc3339

NAME = "purge-history"


# At a time of the night at which few other jobs are due; missed, it is made up for within the day.
@job(
    NAME,
    schedule="47 3 * * *",
    executor="thread",
    priority="background",
    misfire_grace=timedelta(hours=20),
    rerun_lost=True,
)
def purge_history(context: JobContext | None = None) -> dict[str, Any]:
    """Delete the executions, logs and other records that are older than the settings let them become.

    It stops early when somebody cancels it or its node stops; the next run goes on where it ended.
    """
    log = create_job_logger(NAME) if context is None else context.log
    policy = current_policy(read_clock(engine_alias(JobExecution)))
    log.start("Looking for what is old enough", data=time_document(policy))
    if policy.held_back is not None:
        log.warn("What the roll-ups have not counted yet is kept.", data={"countedUntil": rfc3339(policy.held_back)})
    pace = Pace(rest=_rest(context))
    purge = Purge(policy, pace=pace, report=_report(context))
    purged = purge.perform()
    if not purge.is_complete:
        log.warn("Stopped before the end. The next run goes on from here.")
    log.complete(sentence(purged))
    return {
        "success": True,
        "complete": purge.is_complete,
        **count_document(purged),
        **time_document(policy),
        # For how long others have had to wait at most.
        "longestBatchMs": round(pace.longest * 1_000),
        "timestamp": rfc3339(timezone.now()),
    }


def _rest(context: JobContext | None) -> Rest:
    if context is None:
        return sleep
    # Whoever cancels need not wait for the end of a rest.
    return lambda seconds: context.stop_requested.wait(seconds) or context.node_is_stopping


def _report(context: JobContext | None) -> Report:
    if context is None:
        return lambda *_: None
    return lambda done, total, deleted: context.progress(done, total, f"{deleted:,} executions deleted")
