"""Nodes for probes to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cronjobs.database import DatabaseNow
from cronjobs.models import Node


@pytest.fixture
def make_node(db: None) -> Callable[..., Node]:
    """Make the row of a node that is alive and has just ticked."""

    def make(name: str = "node-1", **columns: Any) -> Node:
        now = DatabaseNow()
        defaults = {"pid": 1, "workers": 8, "started_at": now, "heartbeat_at": now, "last_tick_at": now}
        return Node.objects.create(name=name, **{**defaults, **columns})

    return make
