"""Whether threads of living nodes hang, and which attempts in threads take longer than they may."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cronjobs.conf import get_settings
from cronjobs.database import as_utc, engine_alias, read_clock
from cronjobs.health._engine import longest_silence
from cronjobs.health._probes import Probe, count, fail, fine, probe
from cronjobs.models import JobExecution, Node

_MOST_NAMED = 20


@probe("threads")
def check_threads() -> Probe:
    """Look for threads of living nodes that have given no sign of life for too long.

    An attempt that takes longer than its timeout, in a thread that nobody can stop, is no fault of
    the node's: such attempts are listed apart.
    """
    stuck = list(Node.objects.stuck().order_by("name").defer("memory_trend"))
    overrunning = _overrunning(read_clock(engine_alias(JobExecution)))
    details = {"stuck": {each.name: each.stuck_threads for each in stuck}, "overrunning": overrunning}
    if stuck:
        return fail(*map(stuck_sentence, stuck[:_MOST_NAMED]), **details)
    apart = f" {count(len(overrunning), 'execution')} running longer than the timeout." if overrunning else ""
    return fine(f"No thread of a node is stuck.{apart}", **details)


def check_node(where: Mapping[str, Any], *, called: str) -> Probe:
    """Look whether a node with these columns is alive, and every one that is alive works; `called` is its name in sentences.

    One that drains need not tick. This is for a probe of one machine, one container or one process.
    """
    return probe("node")(lambda: _look_at(where, called))()


def stuck_sentence(node: Node) -> str:
    """Return that threads of `node` are stuck, and which."""
    limit = get_settings().stuck_after.total_seconds()
    threads = ", ".join(node.stuck_threads)
    return f"Node {node.name} is stuck: {threads} gave no sign of life for {limit:g} s."


def _look_at(where: Mapping[str, Any], called: str) -> Probe:
    nodes = list(Node.objects.alive().filter(**where).order_by("name").defer("memory_trend"))
    details = {"nodes": [each.name for each in nodes]}
    if not nodes:
        return fail(f"{called} is not alive.", **details)
    now = read_clock(engine_alias(JobExecution))
    problems = [problem for each in nodes if (problem := _problem(each, now))]
    if problems:
        return fail(*problems, **details)
    return fine(f"{called} is alive.", **details)


def _problem(node: Node, now: datetime) -> str:
    if node.stuck_threads:
        return stuck_sentence(node)
    age = now - as_utc(node.last_tick_at or node.started_at)
    if node.drain_requested_at is None and age > longest_silence():
        return f"Node {node.name} is alive, but its last tick was {age.total_seconds():.0f} s ago."
    return ""


def _overrunning(now: datetime) -> list[str]:
    rows = JobExecution.objects.overrunning(now).order_by("pk").only("job_name")
    return [str(each) for each in rows[:_MOST_NAMED]]
