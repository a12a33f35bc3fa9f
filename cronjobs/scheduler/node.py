"""A node: the clock, the dispatcher, the workers and the upkeep of one ``runcron`` process."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from datetime import timedelta

from cronjobs.conf import get_settings
from cronjobs.database import SteadyClock, engine_alias, read_clock
from cronjobs.executors.leases import LeaseKeeper
from cronjobs.executors.recorder import Recorder
from cronjobs.executors.stops import pass_on_stops
from cronjobs.executors.thread import ThreadExecutor
from cronjobs.logs import output_captured
from cronjobs.models import Job, JobExecution, Node, Queue
from cronjobs.models.moves import Ending
from cronjobs.models.pausing import why_everything_is_paused
from cronjobs.notifications.pinger import process_pinger
from cronjobs.notifications.sender import Sender
from cronjobs.registry import registry
from cronjobs.runner import Claim
from cronjobs.scheduler.clock import SET_BACK, Clock
from cronjobs.scheduler.courier import Courier
from cronjobs.scheduler.dispatcher import Dispatcher
from cronjobs.scheduler.followups import follow_up
from cronjobs.scheduler.heartbeat import Heartbeat
from cronjobs.scheduler.holdings import LONGEST_AHEAD, Holdings
from cronjobs.scheduler.looks import Look
from cronjobs.scheduler.overruns import Overruns
from cronjobs.scheduler.plans import reconcile
from cronjobs.scheduler.thread_watch import ThreadWatch
from cronjobs.scheduler.upkeep import NodeState, Upkeep
from cronjobs.scheduler.watcher import Watcher
from cronjobs.states import ExecutionStatus
from cronjobs.vitals import Vitals

logger = logging.getLogger(__name__)

# How long, in seconds, a node that stops waits for messages that are being sent, and `runcron --once` for all that are due.
_LAST_WORDS, _LAST_MESSAGES = 5.0, 30.0
# For each worker, at most: what runs, what has been claimed ahead, and what has ended and is not recorded yet.
_MOST_HELD = 32
# A node that has not looked for due times for longer than this sends no heartbeat.
_LONGEST_SILENCE = timedelta(seconds=10)


class NodeProcess:
    """Everything that one node does. Any number of nodes may share a database."""

    def __init__(self, *, workers: int | None = None, queues: Collection[str] | None = None) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self.queues = queues
        self.workers = workers or get_settings().workers
        self._time = SteadyClock()
        self._is_draining, self._drained = False, threading.Event()
        self._failure: BaseException | None = None
        self._vitals = Vitals(get_settings().stuck_after)
        self._overruns = Overruns(self._time.now)
        self._executor = ThreadExecutor(size=self.workers, now=self._time.now, done=self._attempt_done)
        self._held = Holdings(
            self.name,
            self._executor,
            most=_MOST_HELD * self.workers,
            ended=self._attempt_done,
            now=self._time.now,
        )
        self._recorder = Recorder(
            recorded=self._recorded,
            live=self._looked_after,
            on_death=self._fail,
            pulse=self._vitals.pulse("recorder"),
        )
        self._dispatcher = Dispatcher(
            node=self.name,
            time=self._time,
            executor=self._executor,
            held=self._held,
            queues=queues,
            on_death=self._fail,
            pulse=self._vitals.pulse("dispatcher"),
        )
        self.clock = Clock(
            time=self._time,
            node=self.name,
            on_look=self._heed,
            on_work=self._dispatcher.wake,
            on_stop=lambda: pass_on_stops(self._held.claims()),
            on_death=self._fail,
            pulse=self._vitals.pulse("clock"),
        )
        self._courier = self._make_courier() if get_settings().celery_app else None
        state = NodeState(
            name=self.name,
            workers=self.workers,
            time=self._time,
            clock=self.clock,
            # What has been claimed a little ahead runs not yet.
            running=lambda: min(self.running, self.workers),
            stuck=lambda: self.stuck,
        )
        self._upkeep = Upkeep(state)
        self._keeper = LeaseKeeper(
            held=self._held.executions,
            lost=self._held.lose,
            beat=self._upkeep.beat,
            failed=self._upkeep.distrust,
            pulse=self._vitals.pulse("leases"),
        )
        self._thread_watch = ThreadWatch(node=self.name, vitals=self._vitals, on_death=self._fail)
        self._sender = Sender(now=self._time.now, on_death=self._fail, pulse=self._vitals.pulse("sender"))
        self._heartbeat = Heartbeat(is_well=self._is_well)
        self._watcher = Watcher(
            time=self._time,
            is_calm=self._upkeep.is_calm,
            on_alert=self._sender.wake,
            on_death=self._fail,
            pulse=self._vitals.pulse("watcher"),
        )
        self._resources = ExitStack()

    def _make_courier(self) -> Courier:
        return Courier(
            node=self.name,
            time=self._time,
            queues=self.queues,
            on_death=self._fail,
            pulse=self._vitals.pulse("courier"),
        )

    @property
    def failure(self) -> BaseException | None:
        """What killed one of the node's threads; a node with a failure must be stopped."""
        return self._failure

    @property
    def is_drained(self) -> bool:
        """Whether the node was asked to drain and is done with it: nothing can call that off, and it must be stopped."""
        return self._drained.is_set()

    @property
    def is_draining(self) -> bool:
        """Whether the node was last seen to be asked to drain."""
        return self._is_draining

    @property
    def running(self) -> int:
        """How many executions this node holds now."""
        return len(self._held)

    @property
    def dispatched(self) -> int:
        """How many executions this node has handed to the broker of Celery."""
        return 0 if self._courier is None else self._courier.dispatched

    @property
    def stuck(self) -> tuple[str, ...]:
        """The names of those of the node's threads that have given no sign of life for too long; the database is not asked."""
        return tuple(each.name for each in self._vitals.stuck())

    def start(self) -> None:
        """Register the node, create missing jobs, and begin to schedule and to claim."""
        self._prepare()
        self._thread_watch.start()
        self._keeper.start()
        self.clock.start()
        self._dispatcher.start()
        self._dispatcher.wake()
        if self._courier is not None:
            self._courier.start()
        self._watcher.start()
        self._sender.start()
        if get_settings().heartbeat_url:
            self._heartbeat.start()
        self._executor.prepare()
        logger.info("Node %s started with %d workers.", self.name, self.workers, extra={"node": self.name})

    def run_once(self, *, enough: threading.Event | None = None) -> int:
        """Write what is due, perform everything that can be claimed now and what depends on it; return how many that was.

        What Celery is to perform is handed to the broker, and not waited for.
        Attempts that are to be repeated later stay queued. Setting `enough` ends the claiming,
        and so does the death of a thread; `stop` has to follow in any case.
        """
        self._prepare()
        self._keeper.start()
        self.clock.tick_once()
        self._dispatch_everything()
        total = 0
        while self._failure is None and not (enough and enough.is_set()):
            claimed = self._dispatcher.claim_once()
            if not claimed and not self.running:
                if not self._follow_up():
                    break
                self._dispatch_everything()
            total += claimed
            self._held.hand_back(older_than=LONGEST_AHEAD)
            self._held.wait(0.05)
        self._watcher.look_once()
        self._sender.send_what_is_due(timeout=_LAST_MESSAGES)
        return total

    def _dispatch_everything(self) -> None:
        if self._courier is not None:
            self._courier.dispatch_everything()

    def stop(self, *, grace: timedelta, hurry: threading.Event | None = None) -> bool:
        """Claim nothing more, wait up to `grace` for what runs, and return whether all of it ended.

        What did not is closed as lost (or queued again, with `rerun_lost`). Setting `hurry`
        ends the waiting.
        """
        self._heartbeat.close()
        if self.clock.running:
            self.clock.shutdown()
        self._dispatcher.close()
        if self._courier is not None:
            self._courier.close()
        self._held.hand_back(older_than=0.0)
        self._executor.shutdown()
        self._say_that_we_stop(is_stopping=True)
        hurry = hurry or threading.Event()
        is_drained = self._drain(grace, hurry)
        if not is_drained:
            # First what runs, then its rows: what is queued again must not meet its older self.
            self._executor.abort(hurry)
        # What has ended is written before the rest is given up: a job may have come to an end when it was told to.
        self._recorder.close(timeout=5.0)
        if not is_drained:
            self._held.give_up()
        patience = 0.0 if hurry.is_set() else _LAST_WORDS
        self._watcher.close(timeout=patience)
        self._say_last_words(patience)
        self._executor.close()
        self._keeper.close()
        self._thread_watch.close()
        self._upkeep.say_goodbye()
        self._resources.close()
        logger.info("Node %s stopped.", self.name, extra={"node": self.name})
        return is_drained

    def _say_last_words(self, patience: float) -> None:
        """Wait for messages and pings that are being sent, at most `patience` seconds for both."""
        deadline = time.monotonic() + patience
        self._sender.close(timeout=patience)
        process_pinger().flush(max(0.0, deadline - time.monotonic()))

    def _is_well(self) -> bool:
        """Whether the clock ticks and no thread hangs: then due times are served."""
        ticked_at, poll = self.clock.last_tick_at, get_settings().poll_interval
        is_ticking = ticked_at is not None and self._time.now() - ticked_at < max(_LONGEST_SILENCE, 5 * poll)
        return is_ticking and self._failure is None and not self.stuck

    def _prepare(self) -> None:
        now = read_clock(engine_alias(JobExecution))
        self._time.set(now)
        Job.objects.ensure(registry)
        Queue.objects.ensure()
        # While no node looked, the clock may have been set back: they were there at times that have not come yet.
        reconcile(now, rewind=Node.objects.filter(heartbeat_at__gt=now - SET_BACK).exists())
        self._upkeep.introduce()
        self._resources.enter_context(output_captured())
        self._recorder.start()

    def _follow_up(self) -> int:
        """Record what depends on executions that have ended; return how many of those there were."""
        return 0 if why_everything_is_paused() else follow_up(self._time.now()).decided

    def _heed(self, seen: Look) -> None:
        """Drain, or go on, as the last look says; once nothing runs any more, take leave."""
        self._dispatcher.heed(seen)
        is_held = seen.is_draining or seen.is_everything_paused
        paused = Queue.objects.paused_names() if seen.is_any_queue_paused else frozenset()
        self._held.hand_back(older_than=0.0 if is_held else LONGEST_AHEAD, queues=paused)
        if self._courier is not None:
            self._courier.heed(seen)
        if seen.is_draining != self._is_draining:
            self._is_draining = seen.is_draining
            self._say_what_is_asked()
            self._say_that_we_stop(is_stopping=seen.is_draining)
        if not seen.is_draining or self.is_drained:
            return
        if self._dispatcher.is_owed_an_answer:
            # What it has got may be ours to run.
            self._dispatcher.wake()
        is_idle = not self._dispatcher.is_owed_an_answer and not self.running
        if (is_idle or _has_drained_enough(seen)) and self._upkeep.leave():
            how = "has drained" if is_idle else "has drained for as long as DRAIN_GRACE lets it"
            logger.info("Node %s %s.", self.name, how, extra={"node": self.name})
            self._drained.set()

    def _say_what_is_asked(self) -> None:
        if self._is_draining:
            sentence = (
                "Node %s was asked to drain: it claims nothing more, and ends when what it runs has ended (%d now)."
            )
            logger.info(sentence, self.name, self.running, extra={"node": self.name})
        else:
            logger.info("Node %s was asked to keep working.", self.name, extra={"node": self.name})

    def _say_that_we_stop(self, *, is_stopping: bool) -> None:
        """Tell the jobs that run here whether they are waited for, or may take their time after all."""
        for claim in self._held.claims():
            if is_stopping:
                claim.node_stops.set()
            else:
                claim.node_stops.clear()

    def _drain(self, grace: timedelta, hurry: threading.Event) -> bool:
        deadline = time.monotonic() + grace.total_seconds()
        while self.running and not hurry.is_set() and time.monotonic() < deadline:
            self._held.wait(0.1)
            # What the last call could not tell.
            self._held.hand_back(older_than=0.0)
        return not self.running

    def _attempt_done(self, claim: Claim, ending: Ending) -> None:
        self._overruns.ended(claim)
        self._recorder.end(claim, ending)
        self._dispatcher.wake_if_waiting()

    def _recorded(self, batch: Sequence[tuple[Claim, Ending]]) -> None:
        self._held.let_go(claim for claim, _ in batch)
        self._dispatcher.wake_if_waiting()
        is_urgent = any(
            ending.status == ExecutionStatus.QUEUED or ending.execution.followup_due is not None for _, ending in batch
        )
        if (is_urgent or self._is_draining) and self.clock.running:
            # The next attempt, or what depends on this one, may be due before the clock looks again; or this was the last.
            self.clock.wakeup()

    def _looked_after(self) -> list[Claim]:
        """Return the claims whose lines are to be written, after a look at how long they take."""
        claims = self._held.claims()
        self._overruns.report(each for each in claims if not self._executor.is_waiting(each))
        return claims

    def _fail(self, error: BaseException) -> None:
        self._failure = error


def _has_drained_enough(seen: Look) -> bool:
    grace = get_settings().drain_grace
    return grace is not None and seen.drain_requested_at is not None and seen.now >= seen.drain_requested_at + grace
