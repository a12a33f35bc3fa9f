"""Performs jobs in the thread of a test, through the engine's own planner, claims and runner."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, NoReturn

from django.db.models import F, Q
from django.utils import timezone

from cronjobs import runner
from cronjobs.database import DatabaseNow, SteadyClock, engine_alias, in_transaction, read_clock
from cronjobs.exceptions import AtLimit, ClaimLost
from cronjobs.executors.inline import perform_here
from cronjobs.jobs import health_check, purge, rollups
from cronjobs.models import Job, JobExecution, Queue
from cronjobs.models.moves import claim_one
from cronjobs.models.pausing import why_everything_is_paused
from cronjobs.notifications.pinger import pings_kept
from cronjobs.notifications.pings import forget_addresses
from cronjobs.registry import JobDefinition, registry
from cronjobs.scheduler.followups import follow_up
from cronjobs.scheduler.rehearsal import write_due
from cronjobs.states import ExecutionStatus
from cronjobs.testing._given import Instant, JobLike, as_instant, find_job

# What the rows of executions have as their node.
_NODE: Final = "test"
# In one call. Whoever has more of them may have a job that enqueues itself.
_MOST: Final = 1_000
# What looks after the app itself, which is nothing that a project's tests are about.
_OF_THE_APP: Final = (health_check.NAME, purge.NAME, rollups.NAME)
_GOOD: Final = (ExecutionStatus.SUCCEEDED, ExecutionStatus.SKIPPED)
_INSTANT: Final = timedelta(microseconds=1)


def run_job(
    job: JobLike,
    /,
    *,
    params: Mapping[str, Any] | None = None,
    scheduled_for: Instant | None = None,
    retry: bool = False,
    dependents: bool = False,
    raise_exceptions: bool = True,
    **more_params: Any,
) -> JobExecution:
    """Perform a job here and now, and return its execution, with result, error and log as they were recorded.

    It makes one attempt; with `retry` as many as the job's policy allows, without waiting. `scheduled_for` is the
    time that it stands for (aware, or ISO text; None: now), and then the engine's clock shows that time as well.
    With `dependents`, what depends on it runs too. Pauses and limits hold nothing back, and the job's timeout and its
    limits of memory and CPU time are not enforced: it runs in this thread.

    What the last attempt raised is raised again once it has been recorded, unless `raise_exceptions` is False; what
    is no `Exception`, such as a Ctrl-C, is in any case. Raises `JobNotFound` and `InvalidParameters` as well.
    Parameters with the names of options go into `params`.
    """
    __tracebackhide__ = True
    name = find_job(job).name
    at = None if scheduled_for is None else as_instant(scheduled_for)
    performer = _Performer(now=_clock(at), retry=retry, raise_exceptions=raise_exceptions)

    def requested_and_claimed() -> JobExecution:
        execution = JobExecution.objects.request(
            name, params={**(params or {}), **more_params}, run_after=at, max_attempts=None if retry else 1
        )
        return performer.claim(execution)

    # In one transaction: a node that a test has started must not be faster.
    root = performer.perform(in_transaction(engine_alias(JobExecution), requested_and_claimed))
    if dependents:
        performer.work_off(Q(flow=root.root_id))
    return root


def run_queued(
    at: Instant | None = None,
    *,
    jobs: JobLike | Iterable[JobLike] | None = None,
    retry: bool = False,
    raise_exceptions: bool = True,
    most: int = _MOST,
) -> list[JobExecution]:
    """Perform what waits and is due at `at`, and what comes of that; return the executions by their due times.

    That is what has been enqueued without a time, or for one that has come (`at` is aware, or ISO text; None: now, by
    the database's clock). What is paused, or has no place within the limits of its job or queue, goes on waiting.
    `jobs`: only executions of these, and what depends on them. The other options are those of `run_job`; without
    `retry` an attempt that is to be repeated later goes on waiting as well. More than `most` executions are a failure.
    """
    __tracebackhide__ = True
    clock = _clock(None if at is None else as_instant(at))
    performer = _Performer(now=clock, retry=retry, raise_exceptions=raise_exceptions, most=most)
    performer.work_off(_of(None if jobs is None else _names(jobs)))
    return _executions(performer.performed)


def run_due(
    at: Instant | None = None,
    *,
    since: Instant | None = None,
    jobs: JobLike | Iterable[JobLike] | None = None,
    retry: bool = False,
    raise_exceptions: bool = True,
    most: int = _MOST,
) -> list[JobExecution]:
    """Do what a node does at `at`: write what schedules say is due, and perform it with all else that waits.

    `at` is aware, or ISO text; None: what Python's clock shows, which a test may have frozen. Due is what falls into
    that very second, or has since `since`, as if no node had been there meanwhile: then `misfire_grace` and `catch_up`
    decide. `jobs`: only these, and what depends on them; None: all but the three that look after cronjobs itself.

    Returns the executions that were written or performed, by their due times: also those that are skipped or missed,
    and those that go on waiting, as for their jitter. A due time has one execution, so the second call for it finds nothing.
    The other options are those of `run_queued`. Raises `ValueError` if `since` is not before `at`.
    """
    __tracebackhide__ = True
    now = timezone.now() if at is None else as_instant(at)
    start = now.replace(microsecond=0) - _INSTANT if since is None else as_instant(since)
    if start >= now:
        raise ValueError(f"since ({start.isoformat()}) has to be before at ({now.isoformat()}).")
    Job.objects.ensure(registry)
    Queue.objects.ensure()
    names = _names(_of_the_project() if jobs is None else jobs)
    written = write_due(now, since=start, names=names)
    performer = _Performer(now=lambda: now, retry=retry, raise_exceptions=raise_exceptions, most=most)
    performer.work_off(_of(None if jobs is None else names))
    return _executions({*written, *performer.performed})


@dataclass(slots=True, kw_only=True)
class _Performer:
    """Performs executions one after the other, by the clock `now`, and remembers which."""

    now: Callable[[], datetime]
    retry: bool
    raise_exceptions: bool
    most: int = _MOST
    performed: set[int] = field(default_factory=set)

    def claim(self, execution: JobExecution, *, within_limits: bool = False) -> JobExecution:
        return claim_one(execution, node=_NODE, now=self.now(), within_limits=within_limits)

    def perform(self, claimed: JobExecution) -> JobExecution:
        """Make an attempt, and the further ones if they are wanted; raise again what the last one raised."""
        __tracebackhide__ = True
        self.performed.add(claimed.pk)
        execution, error = self._attempt(claimed)
        while self.retry and execution.status == ExecutionStatus.QUEUED:
            execution, error = self._attempt(self.claim(execution))
        if error is not None and self.raise_exceptions and execution.status != ExecutionStatus.CANCELLED:
            _raise_again(error)
        return execution

    def work_off(self, wanted: Q) -> None:
        """Perform what waits, is due and is `wanted`, and what depends on it, until there is no more of it."""
        __tracebackhide__ = True
        while self._perform_each(wanted) or self._follow_up():
            pass

    def _perform_each(self, wanted: Q) -> int:
        __tracebackhide__ = True
        # What was enqueued to run as soon as possible is due, whatever time a test has chosen.
        is_due = Q(run_after__lte=self.now()) | Q(attempt=0, run_after__lte=F("queued_at"))
        waiting = JobExecution.objects.waiting().filter(wanted, is_due).order_by("claim_at", "pk")
        claims = 0
        for each in list(waiting):
            if len(self.performed) >= self.most:
                raise AssertionError(f"{self.most:,} executions have run, and more wait: does a job enqueue itself?")
            claimed = None
            with suppress(AtLimit, ClaimLost):
                claimed = self.claim(each, within_limits=True)
            # What the job raises is not to be suppressed.
            if claimed is not None:
                claims += 1
                self.perform(claimed)
        return claims

    def _follow_up(self) -> int:
        if why_everything_is_paused():
            return 0
        # Nodes go by the database's clock, for which a time that a test has chosen may be far ahead.
        ended = JobExecution.objects.filter(followup_due__gt=DatabaseNow())
        ended.update(followup_due=DatabaseNow())
        return follow_up(self.now()).decided

    def _attempt(self, claimed: JobExecution) -> tuple[JobExecution, BaseException | None]:
        __tracebackhide__ = True
        # No test calls anybody's monitor.
        forget_addresses()
        with runner.raised_kept() as raised, pings_kept():
            execution = perform_here(claimed, now=self.now)
        # A job that performs others may succeed although one of them has failed.
        error = raised[-1] if raised and execution.status not in _GOOD else None
        if error is not None and not isinstance(error, Exception | SystemExit):
            # Somebody wants the test to end, and not the job.
            _raise_again(error)
        return execution, error


def _clock(at: datetime | None) -> Callable[[], datetime]:
    """Return a clock that stands at `at`; None: one that goes as the database's does."""
    if at is not None:
        return lambda: at
    clock = SteadyClock()
    clock.set(read_clock(engine_alias(JobExecution)))
    return clock.now


def _of_the_project() -> list[Job]:
    return list(Job.objects.exclude(definition__in=_OF_THE_APP))


def _names(jobs: JobLike | Iterable[JobLike]) -> list[str]:
    given = [jobs] if isinstance(jobs, Job | JobDefinition | str) else jobs
    return [each.name if isinstance(each, Job) else find_job(each).name for each in given]


def _of(names: Collection[str] | None) -> Q:
    """Return the condition for executions of these jobs and of what depends on them; None: for any."""
    if names is None:
        return Q()
    own = JobExecution.objects.filter(job_name__in=names)
    return Q(job_name__in=names) | Q(flow__in=own.order_by().values("pk"))


def _executions(ids: Collection[int]) -> list[JobExecution]:
    return list(JobExecution.objects.filter(pk__in=ids).order_by("scheduled_for", "pk"))


def _raise_again(error: BaseException) -> NoReturn:
    __tracebackhide__ = True
    try:
        raise error.with_traceback(_from_the_job_on(error.__traceback__))
    finally:
        # It refers to this frame, and this frame to it.
        del error


def _from_the_job_on(frames: TracebackType | None) -> TracebackType | None:
    """Return the frames without the first ones, which are the runner's."""
    while frames is not None and frames.tb_next and frames.tb_frame.f_globals.get("__name__") == runner.__name__:
        frames = frames.tb_next
    return frames
