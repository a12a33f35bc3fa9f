"""What a command says of nodes, and of how they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cronjobs.health import Probe, report
from cronjobs.management.output import distance, from_now, mebibytes
from cronjobs.models import Node

NODE_HEADER = ("NODE", "STATE", "BUSY", "LAST TICK", "MEMORY", "UP")


def node_row(node: Node, now: datetime) -> tuple[str, ...]:
    """Return what the columns of `NODE_HEADER` say of a node that is alive."""
    tick = "none yet" if node.last_tick_at is None else from_now(node.last_tick_at, now)
    busy = f"{node.running}/{node.workers}"
    state = "alive" if node.drain_requested_at is None else "draining"
    return node.name, state, busy, tick, mebibytes(node.rss_bytes), distance(now - node.started_at)


def health_document(probes: Sequence[Probe]) -> dict[str, Any]:
    """Return what probes found, and whether that is healthy, as JSON data."""
    return {"healthy": all(each.is_healthy for each in probes), **report(probes)}
