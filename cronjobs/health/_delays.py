"""How late due work is, though nothing but the engine keeps it from starting. This is what `lag` means, everywhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Sum

from cronjobs.database import as_utc, engine_alias, read_clock
from cronjobs.health._probes import Probe, fail, fine, nothing_there, probe, warn
from cronjobs.models import JobExecution, Node
from cronjobs.models.choices import WaitsFor
from cronjobs.models.moves import in_open_queues
from cronjobs.models.waiting import NO_WORKER, why_waiting
from cronjobs.scheduler.clock_rows import EARLIEST, own_rows

# What is late by less is no reason to worry: a node may just have ended, and another be about to begin.
LATE: Final = timedelta(minutes=1)

# So many that wait are asked, the oldest first, why they do.
_MOST_ASKED = 5


@probe("lag")
def check_lag() -> Probe:
    """See how late due work is, for which nodes and workers are there.

    The lag is the longer of two: since when the oldest due time has not been decided by any node, and
    since when the oldest due execution waits although a worker is free and no limit and no pause holds
    it back.
    """
    staff = Node.objects.at_work().aggregate(nodes=Count("pk"), running=Sum("running"), workers=Sum("workers"))
    if not staff["nodes"]:
        return nothing_there("No node takes work, so everything that is due waits.", lagSeconds=None)
    now = read_clock(engine_alias(JobExecution))
    is_worker_free = staff["running"] < staff["workers"]
    undecided, idle = _undecided_for(now), _idle_for(now) if is_worker_free else timedelta(0)
    details = {
        "lagSeconds": _seconds(max(undecided, idle)),
        "undecidedSeconds": _seconds(undecided),
        "waitSeconds": _seconds(idle),
    }
    if undecided > LATE:
        sentence = (
            f"A due time that came {undecided.total_seconds():.0f} s ago has not been decided, although nodes are "
            "alive: somebody may hold locks on rows of jobs."
        )
        return fail(sentence, **details)
    if idle > LATE:
        sentence = (
            f"An execution has been due for {idle.total_seconds():.0f} s, although a worker is free: perhaps no node "
            "serves its queue (runcron --queues)."
        )
        return warn(sentence, **details)
    return fine(f"Due work starts at once, or within {details['lagSeconds']:g} s.", **details)


def _undecided_for(now: datetime) -> timedelta:
    """Return for how long the oldest due time has been waiting for a node to decide it."""
    due = own_rows().filter(next_run_time__gte=EARLIEST).order_by("next_run_time")
    oldest = due.values_list("next_run_time", flat=True).first()
    return timedelta(0) if oldest is None else max(timedelta(0), now - as_utc(oldest))


def _idle_for(now: datetime) -> timedelta:
    """Return for how long the oldest due execution has been waiting for no other reason than that nobody claims it."""
    # Of what is Celery's to perform `check_celery` tells.
    rows = JobExecution.objects.claimable(now).filter(waits_for=WaitsFor.NODE)
    waiting = in_open_queues(rows).order_by("run_after")
    for each in waiting.defer("result", "traceback")[:_MOST_ASKED]:
        wait = now - each.run_after
        # Why it waits takes several statements to find out; of a short wait it does not matter.
        if wait <= LATE or why_waiting(each, now=now) == NO_WORKER:
            return max(timedelta(0), wait)
    return timedelta(0)


def _seconds(span: timedelta) -> float:
    return round(span.total_seconds(), 1)
