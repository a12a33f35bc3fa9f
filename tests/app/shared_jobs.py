"""Jobs that run wherever the settings say, and do what every executor has to deal with."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.utils import translation

from cronjobs import Retry, RetryPolicy, job
from cronjobs.logs import JobContext

Job = apps.get_model("cronjobs", "Job")
ONCE = RetryPolicy(max_attempts=1)


@job("shared-says", overlap="allow", retry=ONCE)
def says(context: JobContext, *, value: Any = 1) -> dict[str, Any]:
    """Say something by every way there is, and return what it was given, and who it is."""
    context.log.start("Beginning", data={"step": 1, "password": "hunter2"})
    logging.getLogger("somebody.else").warning("From %s", "elsewhere")
    print("Printed")
    print("Wrong", file=sys.stderr)
    context.progress(1, 2, "half of it")
    context.log.complete("Finished")
    return {"value": value, "pid": os.getpid(), "attempt": context.attempt, "execution": context.execution_id}


@job("shared-comes-back", retry=RetryPolicy(max_attempts=3))
def comes_back(context: JobContext) -> int:
    """Ask for another attempt, twice."""
    if context.attempt < 3:
        raise Retry("not yet", after=timedelta(milliseconds=50))
    return context.attempt


@job("shared-waits", overlap="allow", retry=ONCE)
def waits(context: JobContext, *, seconds: float = 60) -> dict[str, Any]:
    """Say so, and wait until somebody wants it to stop; tell whether somebody did, and whether who performs it stops."""
    context.log.start("Waiting", data={"pid": os.getpid()})
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not (context.stop_requested.is_set() or context.node_is_stopping):
        time.sleep(0.01)
    return {"tidied": context.stop_requested.is_set(), "stopping": context.node_is_stopping}


@job("shared-coroutine", retry=ONCE)
async def coroutine(context: JobContext) -> bool:
    """Use the database and the loop."""
    is_any = await Job.objects.aexists()
    await asyncio.sleep(0.01)
    context.log.complete("Awaited")
    return is_any


@job("shared-grows", retry=ONCE)
def grows(context: JobContext) -> None:
    """Use more and more memory."""
    ballast = []
    while True:
        ballast.append(bytearray(8 * 2**20))
        time.sleep(0.01)


@job("shared-speaks", overlap="allow", retry=ONCE)
def speaks(context: JobContext) -> str:
    """Tell which language it finds, and leave another one behind."""
    found = translation.get_language()
    translation.activate("de")
    return found
