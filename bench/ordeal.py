"""What programs that disturb nodes share: jobs with a witness, the evidence in the end, and how a verdict is printed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import _bench as bench
from bench.judge import Evidence, Row
from bench.witness import read_calls
from tests.private_servers import NO_SERVER, PrivateServer, ServerMissing, private_server

if TYPE_CHECKING:
    from cronjobs.models import Job

EVERY_SECOND = "bench-every-second"
# What is due before the end has had this long, with every node at work.
REST = timedelta(seconds=3)


def make_job(name: str, witness: Path, *, schedule: str = "", rerun_lost: bool = False, **params: Any) -> Job:
    """Make a job whose every call is recorded in the file `witness`."""
    from bench.jobs import WITNESSED
    from cronjobs.models import Job

    columns = {"rerun_lost": rerun_lost, "params": {"path": str(witness), **params}}
    return Job.objects.create(name=name, definition=WITNESSED, schedule=schedule, **columns)


def plan_jobs() -> datetime:
    """Plan the jobs, and return the time after which they are due."""
    from cronjobs.scheduler.plans import reconcile

    now = bench.database_now()
    reconcile(now)
    return now


def end_jobs() -> datetime:
    """Let nothing be due any more; return until when due times count: what came later may not have had its time."""
    from cronjobs.models import Job

    time.sleep(REST.total_seconds())
    now = bench.database_now()
    Job.objects.filter(name__startswith="bench-").update(enabled=False)
    return now - REST


def wait_until_nothing_is_open(*, lease: float) -> None:
    """Give what is open the time to end: to be found lost, to be repeated, to run.

    Nothing has to be open for a while: a node that read the jobs before they were disabled may still write what was due.
    """
    from cronjobs.models import JobExecution

    now = time.monotonic()
    deadline, open_at = now + 3 * lease + 45, now
    while now < min(deadline, open_at + REST.total_seconds()):
        time.sleep(0.2)
        now = time.monotonic()
        if JobExecution.objects.open().exists():
            open_at = now


def gather(witness: Path, start: datetime, until: datetime, *, killed: set[int] | None = None) -> Evidence:
    """Return the evidence on what was due after `start` and up to `until`."""
    return Evidence(
        expected=_due_times(start, until),
        rows=_rows(),
        calls=read_calls(witness),
        killed=frozenset(killed or ()),
    )


@contextmanager
def server_or_exit(kind: str) -> Iterator[PrivateServer]:
    """Run a server for this program alone; end the program with a sentence where there is none."""
    try:
        with private_server(kind) as server:
            yield server
    except ServerMissing as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(NO_SERVER)


def pronounce(facts: Mapping[str, Any], broken: Sequence[str], say: Callable[[str], object]) -> int:
    """Print the JSON object and what is broken; return the exit code."""
    for sentence in broken:
        say(f"BROKEN  {sentence}")
    sys.stdout.write(json.dumps({**facts, "broken": list(broken)}) + "\n")
    return 1 if broken else 0


def speaker(*, is_silent: bool) -> Callable[[str], object]:
    """Return what tells a person how things are going."""
    return (lambda text: None) if is_silent else (lambda text: sys.stderr.write(f"{text}\n"))


def _due_times(start: datetime, until: datetime) -> dict[str, list[datetime]]:
    from bench.jobs import WITNESSED
    from cronjobs.models import Job

    jobs = Job.objects.resolvable().filter(definition=WITNESSED).exclude(name=WITNESSED)
    schedules = {job.name: job.resolve().schedule for job in jobs}
    return {name: list(each.due_between(start, until)) for name, each in schedules.items() if each is not None}


def _rows() -> list[Row]:
    from cronjobs.models import Job, JobExecution
    from cronjobs.models.waiting import why_waiting

    now = bench.database_now()
    rerun = set(Job.objects.filter(rerun_lost=True).values_list("name", flat=True))
    rows = JobExecution.objects.filter(job_name__startswith="bench-").prefetch_related("attempts").order_by("pk")
    return [
        Row(
            pk=row.pk,
            job=row.job_name,
            due=row.scheduled_for,
            status=row.status,
            attempt=row.attempt,
            rerun_lost=row.job_name in rerun,
            has_lease=row.lease_expires_at is not None,
            attempts={each.attempt: (each.status, _pid_of(each.node)) for each in row.attempts.all()},
            missed=(row.missed_from, row.missed_until, row.missed_count) if row.status == "missed" else None,
            waits=why_waiting(row, now=now),
        )
        for row in rows
    ]


def _pid_of(node: str) -> int:
    return int(node.split(":")[-2])
