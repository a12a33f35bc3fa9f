"""A gallery of tiny jobs."""

from __future__ import annotations

import gc
import logging
import os
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django import forms
from django.apps import apps
from django.db import connections, transaction

from cronjobs import Retry, RetryPolicy, Skip, job
from cronjobs.logs import JobContext
from tests.app import process_jobs, shared_jobs  # noqa: F401 - register more

Job = apps.get_model("cronjobs", "Job")
JobExecution = apps.get_model("cronjobs", "JobExecution")
AT_ONCE = RetryPolicy(max_attempts=3, initial_delay=timedelta(0), jitter=0)


@job("succeeds")
def succeeds(context: JobContext, *, value: Any = 1) -> Any:
    """Return what it is given."""
    return {"value": value}


@job("noop", overlap="allow")
def noop(context: JobContext) -> None:
    """Do nothing, side by side."""


@job("fails", retry=RetryPolicy(max_attempts=1))
def fails(context: JobContext) -> None:
    """Fail."""
    raise RuntimeError("boom")


@job("fails-twice", retry=AT_ONCE)
def fails_twice(context: JobContext) -> str:
    """Fail on the first two attempts."""
    if context.attempt < 3:
        raise RuntimeError(f"attempt {context.attempt}")
    return "third time lucky"


@job("logs")
def logs(context: JobContext) -> None:
    """Log by every way there is."""
    context.log.start("Beginning", data={"step": 1, "password": "hunter2"})
    context.log.warn("Odd")
    context.log.error("Bad", ValueError("worse"))
    logging.getLogger("somebody.else").warning("From %s", "elsewhere")
    context.log.complete("Finished")


@job("prints-and-logs", overlap="allow")
def prints_and_logs(context: JobContext, *, tag: str, lines: int, together: int = 1) -> None:
    """Print and log in turns, once so many of its kind run."""
    while JobExecution.objects.filter(job_name="prints-and-logs", first_started_at__isnull=False).count() < together:
        time.sleep(0.01)
    for number in range(lines):
        print(f"{tag} prints {number}")
        logging.getLogger("chatter").warning("%s logs %d", tag, number)


@job("leaks", retry=RetryPolicy(max_attempts=1))
def leaks(context: JobContext, *, password: str, address: str) -> None:
    """Say its secrets by every way there is."""
    context.log.progress(
        f"Connecting with password={password}", data={"address": address, "args": f"--token {password}"}
    )
    logging.getLogger("somebody.else").warning("Authorization: Bearer %s", password)
    print("secret:", password)
    raise ConnectionError(f"{{'api_key': {password!r}}} is refused by {address}")


@job("skips")
def skips(context: JobContext) -> None:
    """Have nothing to do."""
    raise Skip("nothing to do")


@job("asks-again", retry=RetryPolicy(max_attempts=2))
def asks_again(context: JobContext) -> str:
    """Ask for another attempt in an hour."""
    raise Retry("not yet", after=timedelta(hours=1))


@job("marks", overlap="allow")
def marks(context: JobContext, *, path: str, seconds: float = 0.0) -> str:
    """Append one line to a file outside the database, then take its time."""
    line = f"{context.execution_id} {context.scheduled_for:%Y-%m-%dT%H:%M:%SZ} {os.getpid()} {context.attempt}\n"
    with Path(path).open("a", encoding="ascii") as file:
        file.write(line)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(min(0.05, seconds))
    return datetime.now(context.scheduled_for.tzinfo).isoformat()


@job("spans", overlap="allow")
def spans(context: JobContext, *, path: str, seconds: float) -> None:
    """Write down when it begins and when it ends."""

    def note(what: str) -> None:
        with Path(path).open("a", encoding="ascii") as file:
            file.write(f"{what} {context.execution_id} {time.monotonic():.6f}\n")

    note("begin")
    time.sleep(seconds)
    note("end")


@job("talks")
def talks(context: JobContext, *, seconds: float) -> None:
    """Say something and then take some time."""
    context.log.start("Beginning")
    time.sleep(seconds)


@job("advances", retry=AT_ONCE)
def advances(context: JobContext, *, done: int, seconds: float, fails: bool = False) -> None:
    """Say how far it has come, and stay there for some time."""
    for number in range(done + 1):
        context.progress(number, 8, f"row {number}, password=hunter2")
    context.log.start("There")
    context.stop_requested.wait(seconds)
    if fails:
        raise RuntimeError("boom")


class TellForm(forms.Form):
    """How much there is to tell."""

    lines = forms.IntegerField(min_value=1, max_value=1_000)


@job("tells", params_form=TellForm)
def tells(context: JobContext, *, lines: int) -> None:
    """Say so many things, one after the other, and then wait until somebody asks it to stop."""
    for number in range(1, lines + 1):
        context.log.progress(f"This is line {number}")
        context.stop_requested.wait(0.02)
    context.stop_requested.wait(120)


@job("naps")
def naps(context: JobContext, *, seconds: float) -> None:
    """Take some time and say nothing."""
    time.sleep(seconds)


@job("steps-aside")
def steps_aside(context: JobContext) -> dict[str, bool]:
    """Work until its node stops or somebody wants it to end, and tell which."""
    while not (context.node_is_stopping or context.cancelled):
        time.sleep(0.01)
    return {"nodeIsStopping": context.node_is_stopping}


@job("patient")
def patient(context: JobContext, *, seconds: float = 60) -> dict[str, bool]:
    """Wait until asked to stop, then tidy up."""
    return {"tidied": context.stop_requested.wait(seconds)}


@job("awaits", retry=RetryPolicy(max_attempts=1))
def awaits(context: JobContext, *, path: str) -> None:
    """Return when there is a file at `path`, or fail after a minute."""
    deadline = time.monotonic() + 60
    while not Path(path).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.02)


@job("counts")
def counts(context: JobContext) -> int:
    """Use the database."""
    return Job.objects.count()


@job("tells-what-is-frozen")
def tells_what_is_frozen(context: JobContext) -> int:
    return gc.get_freeze_count()


@job("opens-transaction")
def opens_transaction(context: JobContext) -> None:
    """Begin what it does not end."""
    transaction.atomic().__enter__()
    Job.objects.count()


@job("turns-autocommit-off")
def turns_autocommit_off(context: JobContext) -> None:
    """Leave the connection in a mode that nobody expects."""
    transaction.set_autocommit(False)
    Job.objects.count()


@job("closes-connections")
def closes_connections(context: JobContext) -> None:
    """Close what is not its own."""
    connections.close_all()


@job("deletes-itself")
def deletes_itself(context: JobContext) -> None:
    """Leave no trace."""
    JobExecution.objects.filter(pk=context.execution_id).delete()


@job("forks")
def forks(context: JobContext) -> dict[str, int]:
    """Split in two, of which only one goes on."""
    child = os.fork()
    if child == 0:
        return {"child": 0}
    os.waitpid(child, 0)
    return {"child": child}


@job("adds-up", overlap="allow", retry=RetryPolicy(max_attempts=1))
def adds_up(context: JobContext, *, value: int = 0) -> dict[str, int]:
    """Add to a value what the upstreams have returned."""
    results = [each.result["value"] for each in context.upstream.values() if each.result]
    return {"value": value + sum(results)}
