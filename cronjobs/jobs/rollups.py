"""Keeps what the history comes to, so that figures of long ranges are read and not counted, and outlive it."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from cronjobs.history import RolledUp, roll_up
from cronjobs.logs import JobContext, create_job_logger
from cronjobs.registry import job
from cronjobs.storable import rfc3339

NAME = "roll-up-history"

# After so many executions there is a line in the log.
_TELLING = 100_000


# A few minutes past, for what is written late. It starts where the last one stopped, so one is enough after an outage.
@job(NAME, schedule="6 * * * *", executor="thread", catch_up="latest", rerun_lost=True)
def roll_up_history(context: JobContext | None = None) -> dict[str, Any]:
    """Add up what ended of each job in each hour that is over, since the last time.

    The first time this is the whole history, in steps. Running it twice changes nothing more.
    """
    log = create_job_logger(NAME) if context is None else context.log

    told = 0

    def tell(done: RolledUp) -> None:
        nonlocal told
        if done.executions - told >= _TELLING:
            told = done.executions
            log.progress(f"Rolled up {told} executions that ended before {rfc3339(done.until)}")

    done = roll_up(progress=tell)
    log.complete(f"Rolled up {done.hours + done.renewed} hours with {done.executions} executions")
    return {
        "success": True,
        "until": rfc3339(done.until),
        "hours": done.hours,
        "renewedHours": done.renewed,
        "executions": done.executions,
        "timestamp": rfc3339(timezone.now()),
    }
