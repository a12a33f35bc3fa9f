"""Whether the engine works: nodes live and tick, every job can run, the queue moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core import checks
from django.db.models import QuerySet, Sum
from django.db.models.functions import Coalesce

from cronjobs.conf import get_settings
from cronjobs.database import as_utc, engine_alias, read_clock
from cronjobs.executors.leases import renewal_interval
from cronjobs.health._probes import Probe, count, fail, fine, nothing_there, notice, probe, warn
from cronjobs.models import Job, JobExecution, Node, Queue
from cronjobs.models.loading import load_jobs
from cronjobs.models.moves import in_open_queues
from cronjobs.models.pausing import PAUSED_BY_OPERATOR, PAUSED_BY_SETTINGS
from cronjobs.models.queue import EVERYTHING
from cronjobs.registry import JobDefinition, registry

# Waiting longer than this is worth a look; whether it is too long, only the operator knows.
LONG_WAIT = timedelta(minutes=5)

# What people are told wherever they wonder why nothing runs.
PAUSED = PAUSED_BY_SETTINGS

_MOST_NAMED = 20
_MOST_COUNTED = 10_000
# Reported by `check_definitions`.
_DEFINITION_PROBLEM = "cronjobs.W001"


def longest_silence() -> timedelta:
    """Return the age up to which a node's last tick, as its row tells it, is no reason to worry."""
    # The row is written with each renewal of the leases, of which one may fail.
    written_within = timedelta(seconds=2 * renewal_interval())
    return written_within + max(timedelta(seconds=10), 5 * get_settings().poll_interval)


@probe("nodes")
def check_nodes() -> Probe:
    """Count the nodes that are alive, and those among them that take no more work."""
    load = Node.objects.alive().aggregate(running=Sum("running"), workers=Sum("workers"))
    staff, silent = Node.objects.staff(), Node.objects.dead().count()
    details = {
        "alive": sum(staff),
        "draining": staff.draining,
        "silent": silent,
        "running": load["running"] or 0,
        "workers": load["workers"] or 0,
    }
    if not any(staff):
        return fail("No node is alive, so nothing runs: start manage.py runcron.", **details)
    if not staff.at_work:
        return fail("Every node that is alive is draining, so nothing new runs: start manage.py runcron.", **details)
    parts = [f"{count(sum(staff), 'node')} {'is' if sum(staff) == 1 else 'are'} alive"]
    parts += [f"{staff.draining} of them draining"] if staff.draining else []
    parts += [f"{silent} fell silent within a day"] if silent else []
    return fine(f"{', '.join(parts)}.", **details)


@probe("ticks")
def check_ticks() -> Probe:
    """See how long ago a node that takes work last looked for due jobs."""
    limit = longest_silence()
    ticked = Coalesce("last_tick_at", "started_at")
    newest = Node.objects.at_work().order_by(ticked.desc()).values_list(ticked, flat=True).first()
    if newest is None:
        why = "Every node that is alive is draining" if Node.objects.draining().exists() else "No node is alive"
        return nothing_there(f"{why}, so nothing ticks.", tickAgeSeconds=None)
    age = max(read_clock(engine_alias(JobExecution)) - as_utc(newest), timedelta(0))
    details = {"tickAgeSeconds": round(age.total_seconds(), 1), "limitSeconds": limit.total_seconds()}
    if age > limit:
        return fail(f"Nodes are alive, but the last tick was {age.total_seconds():.0f} s ago.", **details)
    return fine(f"The last tick that a node told of was {age.total_seconds():.1f} s ago.", **details)


@probe("jobs")
def check_jobs() -> Probe:
    """Look for enabled jobs that cannot run until somebody mends them."""
    # Without settings no job can run, and each would say the same.
    get_settings()
    jobs = load_jobs(Job.objects.filter(enabled=True).resolvable())
    broken = {job.name: reason for job in jobs if (reason := job.why_broken())}
    details = {"enabled": len(jobs), "broken": broken}
    if not broken:
        return fine(f"{count(len(jobs), 'job')} enabled, none broken.", **details)
    problems = [f"Job {name} is broken: {_sentence(reason)}" for name, reason in list(broken.items())[:_MOST_NAMED]]
    if len(broken) > _MOST_NAMED:
        problems.append(f"{count(len(broken) - _MOST_NAMED, 'more job')} cannot run.")
    return fail(*problems, **details)


@probe("definitions")
def check_definitions() -> Probe:
    """Look for job definitions that this process could not use."""
    # Whoever cannot answer becomes a problem.
    without = [each for each in registry if not registry.is_available(each)]
    problems = [f"{each.where}: {_sentence(each.message)}" for each in registry.problems]
    known = len(list(registry))
    if problems:
        return fail(*problems, definitions=known)
    return fine(f"{count(known, 'job definition')} registered{_without_job(without)}.", definitions=known)


def _without_job(definitions: Sequence[JobDefinition]) -> str:
    """Return how many of the definitions have no job here, and why; empty if there are none."""
    whys = Counter(getattr(each.only_if, "__name__", "only_if").replace("<lambda>", "only_if") for each in definitions)
    return "".join(f", {number} of them without a job here, since {why} says no" for why, number in whys.items())


@probe("notifiers")
def check_notifiers() -> Probe:
    """See whether there is anybody to tell when a job fails."""
    names = list(get_settings().notifiers)
    if names:
        return fine(f"{count(len(names), 'notifier')} configured: {', '.join(names)}.", notifiers=names)
    return nothing_there(
        "CRONJOBS['NOTIFIERS'] is empty, so nobody is told when a job fails. The shortest: "
        '"NOTIFIERS": {"ops": {"CLASS": "email", "TO": ["ops@example.com"]}}; '
        "manage.py cronalert test tries it.",
        notifiers=names,
    )


@probe("configuration")
def check_configuration() -> Probe:
    """Run the app's system checks."""
    found = checks.run_checks(tags=["cronjobs"], databases=[engine_alias(JobExecution)])
    messages = [each for each in found if each.id != _DEFINITION_PROBLEM and not each.is_silenced()]
    if not messages:
        return (
            notice(f"{PAUSED} Otherwise they are sound.") if get_settings().paused else fine("The settings are sound.")
        )
    gravest, ids = max(each.level for each in messages), [each.id for each in messages]
    problems = [f"{each.msg} {each.hint or ''}".strip() for each in messages]
    if gravest < checks.WARNING:
        return notice(" ".join(problems), ids=ids)
    return (fail if gravest >= checks.ERROR else warn)(*problems, ids=ids)


@probe("queue")
def check_queue() -> Probe:
    """See what is due but waits for a worker, and for how long; what a pause holds back is counted apart."""
    now = read_clock(engine_alias(JobExecution))
    waiting = in_open_queues(JobExecution.objects.claimable(now))
    oldest = waiting.order_by("run_after").values_list("run_after", flat=True).first()
    depth = waiting.order_by()[: _MOST_COUNTED + 1].count()
    wait = timedelta(0) if oldest is None else now - as_utc(oldest)
    paused = _held_back()
    details = {
        "waiting": depth,
        "running": JobExecution.objects.running().count(),
        "paused": {name: number for name, number in paused.items() if name != EVERYTHING},
        "oldestWaitSeconds": round(wait.total_seconds(), 1),
    }
    shown = f"more than {_MOST_COUNTED:,} executions" if depth > _MOST_COUNTED else count(depth, "execution")
    if wait > LONG_WAIT:
        return warn(f"{_capitalized(shown)} waiting, the oldest for {wait.total_seconds() / 60:.0f} min.", **details)
    if EVERYTHING in paused:
        return notice(PAUSED_BY_OPERATOR, **details)
    held = [f" Queue {name} is paused: {count(number, 'execution')} held back." for name, number in paused.items()]
    sentence = f"{_capitalized(shown)} waiting, {details['running']} running.{''.join(held[:_MOST_NAMED])}"
    return (notice if held else fine)(sentence, **details)


def _held_back() -> dict[str, int]:
    """Return how many executions wait in each paused queue."""
    queues: QuerySet[Any] = Queue.objects.paused().order_by("name").with_counts()
    return {each.name: each.waiting for each in queues}


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]
