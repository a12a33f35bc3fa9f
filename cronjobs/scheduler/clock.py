"""The APScheduler scheduler that keeps time: it writes executions when they are due and runs nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, NoReturn

from apscheduler.executors.base import BaseExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import STATE_RUNNING, STATE_STOPPED

from cronjobs.conf import get_settings
from cronjobs.database import Backoff, SteadyClock, belongs_to_the_engine, drop_connection, engine_alias
from cronjobs.exceptions import CronJobsError
from cronjobs.models import JobExecution
from cronjobs.scheduler.followups import follow_up
from cronjobs.scheduler.looks import Look, look
from cronjobs.scheduler.plans import BATCH, mend, reconcile, restore, sync
from cronjobs.scheduler.store import ClockStore
from cronjobs.scheduler.ticks import tick
from cronjobs.vitals import Pulse

logger = logging.getLogger(__name__)

# A database clock that went back by more than this was set, not read late.
SET_BACK = timedelta(seconds=-2)
# How long to leave rows alone that somebody has locked, at first; then twice as long each time.
_FIRST_PATIENCE = 0.025
# So many of those that were foreseen are written apart from the others.
_FIRST = 100
# Between two searches for clock rows that other programs have deleted.
_RESTORE_INTERVAL = 60.0


class Clock(BackgroundScheduler):
    """Looks at the database at least once a poll interval, exactly when something is due, or when woken.

    `on_look` is told what each tick has seen in the end. `on_work` is called whenever an execution
    can be claimed now, `on_stop` whenever a running one is asked to stop, `on_death` if the thread
    ends other than by `shutdown`. While `node` is asked to drain it only looks: others write what
    is due.
    """

    def __init__(
        self,
        *,
        time: SteadyClock,
        node: str = "",
        on_look: Callable[[Look], None] = lambda seen: None,
        on_work: Callable[[], None] = lambda: None,
        on_stop: Callable[[], None] = lambda: None,
        on_death: Callable[[BaseException], None] = lambda error: None,
        pulse: Pulse | None = None,
    ) -> None:
        self._node, self._on_look = node, on_look
        self._pulse = pulse or Pulse("clock")
        self._time, self._on_work, self._on_stop, self._on_death = time, on_work, on_stop, on_death
        self._alias_of_database = engine_alias(JobExecution)
        self._poll = get_settings().poll_interval.total_seconds()
        self._backoff = Backoff(self._alias_of_database, "The tick")
        self._is_held_up = False
        self._patience = _FIRST_PATIENCE
        self._restored_at = monotonic()
        self.last_tick_at: datetime | None = None
        # What the last look says is due next.
        self._foreseen: datetime | None = None
        super().__init__(timezone=UTC)

    def tick_once(self) -> Look:
        """Look, plan what was edited, write everything that is due; return the last look."""
        self._write_what_was_foreseen()
        seen = self._look()
        if seen.is_draining:
            return self._stand_by(seen)
        if seen.is_stale:
            while sync(seen.now) == BATCH:
                self._pulse.beat()
            seen = self._look()
        if seen.is_broken and mend(seen.now):
            seen = self._look()
        self._restore_now_and_then(seen.now)
        seen = self._follow_up(self._write_what_is_due(seen))
        if seen.is_stopping:
            self._on_stop()
        self._on_look(seen)
        self.last_tick_at = seen.now
        self._foreseen = seen.next_due
        return seen

    def export_jobs(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise CronJobsError("APScheduler exports jobs as pickles; use Django's dumpdata for cronjobs.Job.")

    def import_jobs(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise CronJobsError("APScheduler imports jobs as pickles; use Django's loaddata for cronjobs.Job.")

    def _create_default_jobstore(self) -> ClockStore:
        return ClockStore()

    def _create_default_executor(self) -> BaseExecutor:
        return _NoExecutor()

    def _main_loop(self) -> None:
        wait: float | None = 0.0
        belongs_to_the_engine(get_settings().lease / 2)
        try:
            with self._pulse.watched():
                while self.state != STATE_STOPPED:
                    self._pulse.beat(rest=wait or 0.0)
                    self._event.wait(wait)
                    self._event.clear()
                    if self.state != STATE_STOPPED:
                        wait = self._process_jobs()
        except BaseException as error:
            logger.critical("The clock has stopped: %r", error)
            self._on_death(error)
            raise
        finally:
            drop_connection(self._alias_of_database)

    def _process_jobs(self) -> float:
        if self.state != STATE_RUNNING:
            return self._poll
        try:
            seen = self.tick_once()
        except Exception as error:  # noqa: BLE001 - the loop cannot die of a database
            return self._backoff.failed(error)
        self._backoff.succeeded()
        return self._wait_until_next(seen)

    def _stand_by(self, seen: Look) -> Look:
        """Do what is left to a node that drains: what runs here may be asked to stop."""
        self._is_held_up = False
        if seen.is_stopping:
            self._on_stop()
        self._on_look(seen)
        return seen

    def _look(self) -> Look:
        self._pulse.beat()
        seen = look(self._node)
        if self._time.set(seen.now) < SET_BACK:
            logger.warning("The database's clock was set back; planning what is due again.")
            reconcile(seen.now, rewind=True)
        return seen

    def _write_what_was_foreseen(self) -> None:
        """Write what the last look saw coming, if it is due now: another look first would only make it late.

        Who edits a job meanwhile, or pauses, is heeded by the tick as well. Of many only the first: they are
        performed while the others are written.
        """
        due, self._foreseen = self._foreseen, None
        if due is not None and due <= self._time.now() and tick(limit=_FIRST):
            self._on_work()

    def _write_what_is_due(self, seen: Look) -> Look:
        """Write it; return what there is to be seen then."""
        self._is_held_up = False
        while seen.next_due is not None and seen.next_due <= seen.now:
            if tick(seen.now) == 0:
                # Somebody has the rows locked: another node, which is writing them, or a person.
                self._is_held_up = True
                break
            if not seen.is_everything_paused:
                # Before the next look, which takes a while.
                self._on_work()
            seen = self._look()
        return seen

    def _follow_up(self, seen: Look) -> Look:
        """Record what depends on executions that have ended; return what there is to be seen then."""
        if not seen.is_followup_due or seen.is_everything_paused:
            return seen
        sweep = follow_up(seen.now)
        self._is_held_up = self._is_held_up or sweep.is_held_up
        return self._look() if sweep.decided else seen

    def _restore_now_and_then(self, now: datetime) -> None:
        if monotonic() - self._restored_at >= _RESTORE_INTERVAL:
            self._restored_at = monotonic()
            restore(now)

    def _wait_until_next(self, seen: Look) -> float:
        if seen.is_claimable and not seen.is_everything_paused:
            # From here on it waits for a free worker, not for the clock.
            self._on_work()
        if self._is_held_up:
            self._patience = min(self._patience * 2, self._poll)
            return self._patience
        self._patience = _FIRST_PATIENCE
        if seen.is_draining:
            # What is due is for others, however long they leave it.
            return self._poll
        now = self._time.now()
        waits = [(each - now).total_seconds() for each in (seen.next_due, seen.next_claim) if each is not None]
        return max(0.0, min([self._poll, *waits]))


class _NoExecutor(BaseExecutor):
    """Refuses work: executions are performed by cronjobs' executors, never by APScheduler's."""

    def _do_submit_job(self, job: Any, run_times: Any) -> NoReturn:
        raise CronJobsError("The clock only writes executions; it runs nothing.")
