"""`manage.py cronqueue`: what waits in each queue; pausing, resuming and limiting one, or pausing everything."""

from __future__ import annotations

from argparse import ArgumentTypeError
from difflib import get_close_matches
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cronjobs.conf import get_settings
from cronjobs.database import engine_alias
from cronjobs.exceptions import QueueNotFound
from cronjobs.journal import Change, record_changes
from cronjobs.management.actors import shell
from cronjobs.management.arguments import add_examples, as_json
from cronjobs.management.output import Painted, database_errors_explained, table, terminal_width
from cronjobs.management.queues import sentence, state
from cronjobs.management.shell import ShellCommand
from cronjobs.manager.status import queue_document
from cronjobs.models import JobExecution, Queue
from cronjobs.models.pausing import why_everything_is_paused
from cronjobs.models.queue import EVERYTHING, queues_in_use

EXAMPLES = """\
examples:
  manage.py cronqueue                      all queues, with what waits and what runs
  manage.py cronqueue --pause heavy        start nothing more of it; what runs goes on
  manage.py cronqueue --resume heavy
  manage.py cronqueue --limit heavy 2      at most two at once, over all nodes
  manage.py cronqueue --limit heavy none   any number
  manage.py cronqueue --pause-all          schedule nothing and start nothing
  manage.py cronqueue --resume-all         from now on: what was due meanwhile is not made up for

Nodes follow within two seconds. What waits in a paused queue is never lost, and never too late.

exit codes:
  0  shown, or done (also if it was so already)
  1  the SQL database cannot be used
  2  the arguments are wrong, or there is no such queue
"""
_MOST = 2_147_483_647


class Command(ShellCommand):
    """A shell around the queues' rows."""

    help = "Show the queues; pause, resume or limit one; pause or resume everything."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        verbs = parser.add_mutually_exclusive_group()
        verbs.add_argument("--pause", metavar="NAME", help="Start nothing more of this queue.")
        verbs.add_argument("--resume", metavar="NAME", help="Start what waits in this queue.")
        verbs.add_argument(
            "--limit", nargs=2, metavar=("NAME", "N"), help="Let at most N run at once; none: any number."
        )
        verbs.add_argument("--pause-all", action="store_true", help="Schedule nothing and start nothing.")
        verbs.add_argument("--resume-all", action="store_true", help="Schedule and start again, from now on.")
        parser.add_argument("--json", action="store_true", help="Print the queues as JSON.")

    def handle(self, *, json: bool, **options: Any) -> None:
        with database_errors_explained():
            try:
                names = _perform(**options)
            except QueueNotFound as error:
                raise CommandError(f"{error}{_advice(error.name)}", returncode=2) from error
            except ArgumentTypeError as error:
                raise CommandError(str(error), returncode=2) from error
            paused = why_everything_is_paused()
            queues: list[Any] = list(Queue.objects.exclude(name=EVERYTHING).with_counts())
            running = JobExecution.objects.running().count()
        if json:
            self.stdout.write(as_json({"paused": bool(paused), "queues": [queue_document(each) for each in queues]}))
        elif names is None:
            self._show(queues, paused)
        else:
            for each in queues:
                if each.name in names:
                    self.stdout.write(sentence(each))
            if paused or EVERYTHING in names:
                self._tell_of_everything(paused, running)

    def _tell_of_everything(self, paused: str, running: int) -> None:
        self.stdout.write(paused or "Nodes schedule and start what is due.")
        if paused and running:
            self.stdout.write(f"What runs goes on ({running:,} now): cronstatus shows it.")

    def _show(self, queues: list[Any], paused: str) -> None:
        columns = {"WAITING": "waiting", "WITH BROKER": "dispatched", "RUNNING": "running"}
        if not get_settings().celery_app:
            del columns["WITH BROKER"]
        rows = [
            (each.name, self._state(each), *(str(getattr(each, key)) for key in columns.values())) for each in queues
        ]
        first, *others = table(("QUEUE", "STATE", *columns), rows, width=terminal_width())
        self.stdout.write(self.style.MIGRATE_HEADING(first))
        for line in others:
            self.stdout.write(line)
        if not queues:
            self.stdout.write("No node has been started yet, so nothing is known of any queue.")
        if paused:
            self.stdout.write(self.style.WARNING(paused))

    def _state(self, queue: Queue) -> str:
        return Painted(state(queue), self.style.WARNING) if queue.paused else state(queue)


def _perform(
    *, pause: str | None, resume: str | None, limit: list[str] | None, pause_all: bool, resume_all: bool, **_: Any
) -> set[str] | None:
    """Do what was asked for, and return the names of the rows it was done to; None: only to show them."""
    if pause_all or pause is not None:
        return _each(EVERYTHING if pause_all else pause, paused=True)
    if resume_all or resume is not None:
        return _each(EVERYTHING if resume_all else resume, paused=False)
    if limit is not None:
        return _each(limit[0], limit=_number(limit[1]))
    return None


def _each(name: str | None, **values: Any) -> set[str]:
    if name == EVERYTHING and "paused" not in values:
        raise ArgumentTypeError("Only single queues are limited; WORKERS limits a node.")
    rows = Queue.objects.named(name or "")
    before = list(rows)
    rows.update(**values)
    record_changes(shell("cronqueue"), (_change(each, values) for each in before))
    return {each.name for each in before}


def _change(queue: Queue, values: dict[str, Any]) -> Change:
    return Change(queue, {column: getattr(queue, column) for column in values}, values).without_what_stayed()


def _number(text: str) -> int | None:
    if text == "none":
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST):
        raise ArgumentTypeError(f"A limit is a whole number of at least 1, or none, not {text!r}.")
    return int(text)


def _advice(name: str) -> str:
    known = queues_in_use(engine_alias(Queue)) | set(Queue.objects.values_list("name", flat=True))
    close = get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else " cronqueue lists them."
