"""Runs a node: schedules, claims and performs executions until told to stop."""

from __future__ import annotations

import gc
import logging
import math
import os
import queue
import signal
import threading
import time
from argparse import ArgumentTypeError
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError, OperationalError, connections

from cronjobs.conf import get_settings
from cronjobs.health import NOT_MIGRATED, explain_database_error
from cronjobs.management.arguments import add_examples, as_json
from cronjobs.management.queues import unknown_queues
from cronjobs.management.shell import ShellCommand
from cronjobs.management.supervisor import Supervisor
from cronjobs.registry import is_valid_queue
from cronjobs.scheduler.node import NodeProcess

logger = logging.getLogger(__name__)

EXAMPLES = """\
examples:
  manage.py runcron
  manage.py runcron --workers 2 --queues heavy
  manage.py runcron --once                       perform what is due, then exit

exit codes:
  0  stopped or drained, and everything that ran has ended
  1  something failed, or work had to be given up
  2  the arguments make no sense
"""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Between two tries to reach the database at the start, in seconds.
_PATIENCE = 2.0
# Asked of a supervisor while the database does not answer at the start; each try may take a while.
_MORE_TIME = 60.0
# Between two looks at what the node is doing, in seconds.
_LOOK_INTERVAL = 0.5
# After the second signal, for a database that hangs.
_LAST_PATIENCE = 10.0


class Command(ShellCommand):
    """Shell around `NodeProcess`."""

    # Checking everything would import every view of the project into a process that shows none.
    requires_system_checks = ("cronjobs",)

    help = (
        "Run a node: write executions when they are due and perform them. Any number of nodes may "
        "share a database.\n\n"
        "SIGTERM or Ctrl-C: claim nothing more, wait for what runs, exit. A second one: end at once. "
        "So does a node that is asked to drain (crondrain), for as long as what runs takes.\n\n"
        "Under systemd (Type=notify) it tells that it is ready after the first tick, what it is doing, and "
        "that it lives (WatchdogSec=): the latter only while none of its threads is stuck."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument("--once", action="store_true", help="Perform what is due now, then exit.")
        parser.add_argument("--workers", type=_positive, metavar="N", help="Executions at the same time.")
        parser.add_argument("--queues", type=_names, metavar="A,B", help="Claim from these queues only (default: all).")
        parser.add_argument(
            "--grace", type=_seconds, metavar="SECONDS", help="Wait this long for what runs at the end."
        )
        parser.add_argument("--json", action="store_true", help="With --once: print the numbers as JSON.")

    def handle(
        self,
        *,
        once: bool,
        workers: int | None,
        queues: list[str] | None,
        grace: timedelta | None,
        json: bool,
        **options: Any,
    ) -> None:
        if json and not once:
            raise CommandError("--json goes with --once: what a node does for long, it logs.", returncode=2)
        _ensure_logging()
        # First of all: what the variables say is not for the processes of jobs.
        supervisor = Supervisor.from_environment()
        node = NodeProcess(workers=workers, queues=queues)
        grace = get_settings().shutdown_grace if grace is None else grace
        # put() may be called from a signal handler, unlike most of what threads share.
        received: queue.SimpleQueue[int] = queue.SimpleQueue()
        for each in _SIGNALS:
            signal.signal(each, lambda number, _frame: received.put(number))
        if once:
            self._run_once(node, received, json=json)
        elif self._start(node, received, supervisor):
            _wait(node, received, supervisor)
            supervisor.stopping()
            # What drained may have been given all the time that there is for that.
            grace = timedelta(0) if node.is_drained else grace
            self.stderr.write(_farewell(node, grace))
        else:
            return
        is_drained = _stop(node, received, grace)
        if node.failure is not None:
            self._leave(f"Node {node.name} ended because a thread died: {node.failure!r}")
        if not is_drained:
            self._leave(f"Node {node.name} ended before everything that ran on it had.")

    def _run_once(self, node: NodeProcess, received: queue.SimpleQueue[int], *, json: bool) -> None:
        """Perform what is due on another thread, while this one listens for signals."""
        enough = threading.Event()
        outcome: queue.SimpleQueue[int | Exception] = queue.SimpleQueue()

        def work() -> None:
            try:
                outcome.put(node.run_once(enough=enough))
            except Exception as error:  # noqa: BLE001 - raised again by the thread that waits
                outcome.put(error)
            finally:
                connections.close_all()

        _join(threading.Thread(target=work, name="cronjobs-once"), received, enough)
        performed = outcome.get()
        if isinstance(performed, Exception):
            with _explained():
                raise performed
        if json:
            self.stdout.write(as_json({"performed": performed, "dispatched": node.dispatched}))
            return
        handed = f" {node.dispatched} handed to Celery." if get_settings().celery_app else ""
        self.stdout.write(f"{performed} executions performed.{handed}")

    def _start(self, node: NodeProcess, received: queue.SimpleQueue[int], supervisor: Supervisor) -> bool:
        """Start the node as soon as the database answers; return False if a signal came first."""
        while True:
            try:
                with _explained():
                    node.start()
                break
            except OperationalError as error:
                self.stderr.write(f"{explain_database_error(error)} Trying again in {_PATIENCE:g} s.")
                supervisor.say("Waiting for the database.")
                supervisor.wait(seconds=_MORE_TIME)
            with suppress(queue.Empty):
                received.get(timeout=_PATIENCE)
                return False
        self.stderr.write(f"Node {node.name} is running. Ctrl-C stops it.")
        self._warn(node)
        _leave_alone_what_stays()
        # This thread only listens for signals from here on.
        connections.close_all()
        return True

    def _warn(self, node: NodeProcess) -> None:
        """Say what keeps a node that has started from doing anything."""
        if get_settings().paused:
            self.warn("CRONJOBS['PAUSED'] is set: nothing is scheduled and nothing runs.")
        with suppress(DatabaseError):
            for name in unknown_queues(node.queues or ()):
                # Not refused: the job may be on its way, by a deployment or an operator.
                self.warn(f"No job uses the queue {name!r} so far; cronqueue lists those in use.")

    def _leave(self, sentence: str) -> None:
        """Exit with status 1 although worker threads may still run: they cannot be stopped, only left."""
        # As Django writes what ends a command: in colour where there is one.
        self.stderr.write(sentence)
        logging.shutdown()
        os._exit(1)


def _leave_alone_what_stays() -> None:
    """Let collections of garbage pass by what has been imported and made up to now.

    To look through all of it takes tens of milliseconds, in which every thread waits.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def _explained() -> Iterator[None]:
    """Turn tables that are not there into a sentence; a database that is away is left to the caller."""
    try:
        yield
    except DatabaseError as error:
        sentence = explain_database_error(error)
        if sentence == NOT_MIGRATED or not isinstance(error, OperationalError):
            raise CommandError(sentence) from error
        raise


def _farewell(node: NodeProcess, grace: timedelta) -> str:
    running = node.running
    if node.is_drained:
        return (
            "Stopping: it was asked to drain, and nothing runs any more."
            if not running
            else "Stopping: CRONJOBS['DRAIN_GRACE'] has passed."
        )
    if not running:
        return "Stopping."
    work = "1 execution" if running == 1 else f"{running} executions"
    return f"Stopping: {work} may take up to {grace.total_seconds():g} s to end. A second signal ends at once."


def _wait(node: NodeProcess, received: queue.SimpleQueue[int], supervisor: Supervisor) -> None:
    """Return when a signal arrives, the node has drained, or a thread of it has died; meanwhile report to `supervisor`."""
    is_ready, pause = False, min(_LOOK_INTERVAL, supervisor.interval / 2)
    while node.failure is None and not node.is_drained:
        if not is_ready and node.clock.last_tick_at is not None:
            supervisor.ready()
            is_ready = True
        _report(node, supervisor)
        try:
            received.get(timeout=pause)
        except queue.Empty:
            continue
        return


def _report(node: NodeProcess, supervisor: Supervisor) -> None:
    """Say what the node is doing; and that it lives, unless one of its threads is stuck.

    A database that is away is no reason to end a node: its threads go on trying, and so live.
    """
    stuck = node.stuck
    if not stuck:
        supervisor.feed()
    supervisor.say(_status(node, stuck))


def _status(node: NodeProcess, stuck: Sequence[str]) -> str:
    if stuck:
        return f"Stuck: {', '.join(stuck)}."
    drains = "Draining. " if node.is_draining else ""
    return f"{drains}{node.running} of {node.workers} workers busy."


def _stop(node: NodeProcess, received: queue.SimpleQueue[int], grace: timedelta) -> bool:
    """Stop the node on another thread, while this one waits for the second signal."""
    hurry = threading.Event()
    outcome: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def work() -> None:
        try:
            outcome.put(node.stop(grace=grace, hurry=hurry))
        finally:
            connections.close_all()

    stopper = threading.Thread(target=work, name="cronjobs-stop", daemon=True)
    _join(stopper, received, hurry, patience=_LAST_PATIENCE)
    return not outcome.empty() and outcome.get()


def _join(
    thread: threading.Thread,
    received: queue.SimpleQueue[int],
    on_signal: threading.Event,
    *,
    patience: float = math.inf,
) -> None:
    """Run `thread` to its end, or until `patience` seconds after a signal, which `on_signal` passes on."""
    thread.start()
    deadline = math.inf
    while thread.is_alive() and time.monotonic() < deadline:
        with suppress(queue.Empty):
            received.get(timeout=0.05)
            on_signal.set()
            deadline = min(deadline, time.monotonic() + patience)


def _ensure_logging() -> None:
    """Show what the node does where the project has configured no logging of its own."""
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1000.")
    return int(text)


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ArgumentTypeError("name at least one queue.")
    for name in names:
        if not is_valid_queue(name):
            raise ArgumentTypeError(
                f"{name!r} cannot name a queue: up to 50 characters; without --queues, all of them."
            )
    return names


def _seconds(text: str) -> timedelta:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 86400.")
    return timedelta(seconds=seconds)
