"""`manage.py crondrain`: let a node finish what it runs, and end; or call that off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cronjobs.exceptions import NodeNotAlive, NodeNotFound
from cronjobs.journal import changed, record_changes
from cronjobs.management.actors import shell
from cronjobs.management.arguments import add_examples, as_json, who
from cronjobs.management.output import database_errors_explained
from cronjobs.management.shell import ShellCommand
from cronjobs.manager.status import node_document
from cronjobs.models import JobExecution, Node
from cronjobs.models.choices import NodeStatus
from cronjobs.models.draining import Answer, drain, undrain

EXAMPLES = """\
examples:
  manage.py crondrain web-1:4711:3fa9c1           claim nothing more; end when what runs has ended
  manage.py crondrain web-1:4711:3fa9c1 --wait    and return when it has
  manage.py crondrain web-1:4711:3fa9c1 --undo    keep working after all

cronstatus lists the nodes. The node sees it within two seconds. It has as long as what it runs
takes, unless DRAIN_GRACE is set, and then ends with exit code 0: a supervisor that restarts
what fails (systemd: Restart=on-failure) leaves it alone, one that restarts everything does not.

exit codes:
  0  asked (also if it was so already); with --wait: it has ended
  1  the SQL database cannot be used; with --wait: it fell silent, or somebody called it off
  2  the arguments are wrong: no such node, or one that is not alive
"""
# Between two looks at the node's row, in seconds.
_PAUSE = 0.5


class Command(ShellCommand):
    """A shell around one row."""

    help = "Ask a node to drain: to claim nothing more, and to end when what it runs has ended."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument("name", help="Name of the node, as cronstatus shows it.")
        verbs = parser.add_mutually_exclusive_group()
        verbs.add_argument("--wait", action="store_true", help="Return when the node has ended.")
        verbs.add_argument("--undo", action="store_true", help="Let it keep working.")
        parser.add_argument("--json", action="store_true", help="Print the node as JSON.")

    def handle(self, *, name: str, wait: bool, undo: bool, json: bool, **_: Any) -> None:
        with database_errors_explained(), _refusals_explained():
            answer = (undrain if undo else drain)(name, by=who())
            if answer.is_new:
                before = {"drain_requested_at": answer.drained_since}
                record_changes(shell("crondrain"), [changed(answer.node, before)])
            if not undo:
                self._warn()
            if not json:
                self.stdout.write(_undone(answer) if undo else _asked(answer))
            node = self._watch(answer.node) if wait else answer.node
        if json:
            self.stdout.write(as_json(node_document(node)))
        elif wait:
            self.stdout.write(f"Node {name} has ended.")

    def _warn(self) -> None:
        if not Node.objects.staff().at_work:
            sentence = "No other node takes work: due times will be decided when one does."
            self.warn(sentence)

    def _watch(self, node: Any) -> Any:
        """Return the node's row when it has ended."""
        rows: Any = Node.objects.filter(pk=node.pk).with_state().defer("memory_trend")
        while (found := rows.first()) is not None and found.state == NodeStatus.DRAINING:
            time.sleep(_PAUSE)
        if found is not None and found.state == NodeStatus.STOPPED:
            return found
        how = "was asked to keep working" if found is not None and found.state == NodeStatus.ALIVE else "fell silent"
        raise CommandError(f"Node {node.name} {how} before it had drained.")


def _asked(answer: Answer) -> str:
    node = answer.node
    if not answer.is_new:
        by = f", asked by {node.drain_requested_by}" if node.drain_requested_by else ""
        return f"Node {node} was draining already{by}. {_work(node)}"
    return f"Node {node} was asked to drain. {_work(node)}"


def _work(node: Node) -> str:
    running = JobExecution.objects.running().filter(node=node.name).count()
    if not running:
        return "It runs nothing, and ends."
    return f"It ends when what it runs has ended: {running} execution{'s' if running > 1 else ''} now."


def _undone(answer: Answer) -> str:
    return f"Node {answer.node} keeps working." if answer.is_new else f"Node {answer.node} was not draining."


@contextmanager
def _refusals_explained() -> Iterator[None]:
    try:
        yield
    except NodeNotFound as error:
        close = get_close_matches(error.name, Node.objects.alive().values_list("name", flat=True), n=1)
        advice = f" Did you mean {close[0]!r}?" if close else " cronstatus lists them."
        raise CommandError(f"{error}{advice}", returncode=2) from error
    except NodeNotAlive as error:
        raise CommandError(str(error), returncode=2) from error
