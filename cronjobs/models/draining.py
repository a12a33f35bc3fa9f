"""Asking a node to drain: to claim nothing more, and to end by itself when what it runs has ended; and calling that off."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cronjobs.database import DatabaseNow, in_transaction
from cronjobs.exceptions import NodeNotAlive, NodeNotFound
from cronjobs.language import gettext as _
from cronjobs.language import gettext_noop
from cronjobs.models.choices import NodeStatus
from cronjobs.models.node import Node, NodeQuerySet
from cronjobs.storable import storable_text

logger = logging.getLogger(__name__)

_BY_MAX_LENGTH = 150
_WHY_NOT = {NodeStatus.SILENT: gettext_noop("has fallen silent"), NodeStatus.STOPPED: gettext_noop("has stopped")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A node with its `state`, as it stands now, and since when it drained before (None: it did not)."""

    # Its `state` is annotated.
    node: Any
    drained_since: datetime | None

    @property
    def is_new(self) -> bool:
        """Whether it stood otherwise before it was asked."""
        return (self.drained_since is None) != (self.node.drain_requested_at is None)


def drain(name: str, *, by: str) -> Answer:
    """Ask the node `name` to drain, on behalf of `by`, a user's name. It sees that at its next look at the database.

    Who asked first stays as it was. Raises `NodeNotFound`, and `NodeNotAlive` where nobody would hear.
    """
    by = storable_text(by)[:_BY_MAX_LENGTH]
    request = {"drain_requested_at": DatabaseNow(), "drain_requested_by": by}
    answer = _asked(name, lambda rows: rows.at_work().update(**request))
    if answer.is_new:
        logger.info("Node %s was asked to drain by %s.", name, by or "the program", extra={"node": name})
    return answer


def undrain(name: str, *, by: str) -> Answer:
    """Ask the node `name` to keep working. Raises `NodeNotFound`, and `NodeNotAlive` if it has ended already."""
    nothing = {"drain_requested_at": None, "drain_requested_by": ""}
    answer = _asked(name, lambda rows: rows.draining().update(**nothing))
    if answer.is_new:
        by = storable_text(by) or "the program"
        logger.info("Node %s was asked to keep working by %s.", name, by, extra={"node": name})
    return answer


def _asked(name: str, ask: Callable[[NodeQuerySet], int]) -> Answer:
    """Change the row of `name` by `ask`, and return what it is then: the node can follow only after that."""
    rows = _named(name)

    def work() -> Answer:
        before = rows.select_for_update().values_list("drain_requested_at", flat=True).first()
        ask(rows)
        return Answer(node=_existing(rows, name), drained_since=before)

    return in_transaction(rows.db, work)


def _named(name: str) -> NodeQuerySet:
    # Nothing else can be a name, and a database may refuse to look for it.
    if storable_text(name) != name:
        raise NodeNotFound(name)
    return Node.objects.filter(name=name)


def _existing(rows: NodeQuerySet, name: str) -> Any:
    node: Any = rows.with_state().defer("memory_trend").first()
    if node is None:
        raise NodeNotFound(name)
    if node.state in _WHY_NOT:
        raise NodeNotAlive(name, _(_WHY_NOT[node.state]))
    return node
