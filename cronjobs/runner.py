"""Performs one claimed execution: calls the job's function and decides how the attempt ended."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import async_to_sync
from django.db import DatabaseError, InterfaceError

from cronjobs import events
from cronjobs.conf import get_settings
from cronjobs.exceptions import CronJobsError, JobFailed, JobNotFound, Skip
from cronjobs.language import site_language
from cronjobs.logs import JobContext, JobLogger, LogCollector, Upstream, collecting
from cronjobs.models import Job, JobExecution
from cronjobs.models.execution import claim_time
from cronjobs.models.log_sizes import logged_bytes
from cronjobs.models.moves import Ending
from cronjobs.models.resolved import ResolvedJob
from cronjobs.progress import ProgressMeter
from cronjobs.retries import RetryPolicy
from cronjobs.states import FINAL, ExecutionStatus
from cronjobs.storable import bounded_json, storable_text

logger = logging.getLogger(__name__)

_TRACEBACK_MAX_BYTES = 64_000
_JOB: Any = JobExecution._meta.get_field("job")  # noqa: SLF001 - Django's documented API
_raised: ContextVar[list[BaseException] | None] = ContextVar("cronjobs_raised", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An execution that this process holds, with its job as read at the claim, its log and its progress.

    `node_stops` is set while its node waits for it in order to end.
    """

    execution: JobExecution
    job: Job | None
    log: LogCollector
    stop_requested: threading.Event = field(default_factory=threading.Event)
    node_stops: threading.Event = field(default_factory=threading.Event)
    progress: ProgressMeter = field(default_factory=ProgressMeter)

    @classmethod
    def of(cls, execution: JobExecution, job: Job | None, *, logged: int = 0) -> Claim:
        """Return the claim on `execution` with an empty log; earlier attempts have `logged` so many bytes."""
        log = LogCollector(execution_id=execution.pk, attempt=execution.attempt, logged=logged)
        if job is not None:
            # So observers need no statement to know it; a copy, which they may change. As an assignment would, in a
            # tenth of the time.
            _JOB.set_cached_value(execution, job.copied())
        return cls(execution=execution, job=job, log=log)

    @classmethod
    def of_each(cls, claimed: Sequence[tuple[JobExecution, Job | None]]) -> list[Claim]:
        """Return the claims on executions with their jobs; what earlier attempts have logged is looked up for all."""
        logged: dict[int, int] = {}
        try:
            logged = logged_bytes([execution.pk for execution, _ in claimed if execution.attempt > 1])
        except (DatabaseError, InterfaceError) as error:
            # They are claimed already, and a cap is not worth an attempt.
            logger.warning("What earlier attempts have logged cannot be counted: %s", type(error).__name__)
        return [cls.of(execution, job, logged=logged.get(execution.pk, 0)) for execution, job in claimed]

    def begins(self, now: datetime) -> None:
        """Take note that the attempt begins now, and not when it was claimed, which may be a little while ago."""
        execution = self.execution
        if execution.started_at is None or now <= execution.started_at:
            return
        if execution.first_started_at == execution.started_at:
            execution.first_started_at = now
        if execution.deadline_at is not None:
            execution.deadline_at += now - execution.started_at
        execution.started_at = now


def announce_start(claim: Claim) -> None:
    """Tell observers that the job's function is about to be called."""
    events.tell(events.execution_started, claim.execution)


# A job may choose a language of its own, and must not leave it to the next.
@site_language()
def perform(claim: Claim, *, now: Callable[[], datetime]) -> Ending:
    """Call the job's function and return how the attempt ended; never raises what the job raised.

    `now` is the engine's clock; the duration is measured on the monotonic one. Observers are told
    by `announce_start`, in the process that has any.
    """
    started = time.monotonic()
    verdict = _verdict(claim)
    ending = _ending(claim, verdict, now(), int((time.monotonic() - started) * 1000))
    return called_off(claim, ending) if claim.stop_requested.is_set() else ending


def never_begun(claim: Claim, now: datetime) -> Ending:
    """Return the ending of an attempt that was asked to stop before it began: its function is not called."""
    return called_off(claim, _ending(claim, _Verdict(ExecutionStatus.CANCELLED), now, 0))


def called_off(claim: Claim, ending: Ending) -> Ending:
    """Return `ending` as that of an attempt that was asked to stop: whatever it came to, this is the end."""
    reason = storable_text(claim.execution.cancel_reason, max_bytes=2_000)
    return replace(
        ending,
        outcome=ExecutionStatus.CANCELLED,
        status=ExecutionStatus.CANCELLED,
        reason=reason,
        # A retry that will not be moves nothing.
        run_after=claim.execution.run_after,
        claim_at=claim.execution.claim_at,
    )


def imposed_ending(
    claim: Claim,
    error: Exception,
    *,
    outcome: ExecutionStatus = ExecutionStatus.FAILED,
    now: datetime,
    duration_ms: int,
) -> Ending:
    """Return the ending of an attempt that `error` put an end to from outside; it is retried like any failure."""
    try:
        verdict = _judge_error(claim, error, _resolve(claim).retry)
    except CronJobsError:
        verdict = _Verdict(outcome, error=error)
    return _ending(claim, replace(verdict, outcome=outcome), now, duration_ms)


def internal_failure(claim: Claim, error: BaseException, now: datetime) -> Ending:
    """Return the ending of an attempt that could not be performed or judged: a fault of ours, or of the machine."""
    logger.critical("%s could not be performed: %r", claim.execution, error, exc_info=error)
    return _ending(claim, _Verdict(ExecutionStatus.FAILED, error=error), now, 0)


def announce(ending: Ending) -> None:
    """Tell observers about an ending that the database has; what they raise is logged and ignored."""
    execution = ending.apply()
    is_retried = execution.status == ExecutionStatus.QUEUED
    event = events.execution_retried if is_retried else events.execution_finished
    _log_ending(ending)
    events.tell(event, execution)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What an attempt came to: the outcome, and the delay before the next attempt if there is one."""

    outcome: ExecutionStatus
    delay: timedelta | None = None
    result: Any = None
    error: BaseException | None = None
    reason: str = ""


def _verdict(claim: Claim) -> _Verdict:
    try:
        resolved = _resolve(claim)
    except CronJobsError as error:
        _keep(error)
        # The job is broken or gone: another attempt would meet the same.
        return _Verdict(ExecutionStatus.FAILED, error=error)
    try:
        return _Verdict(ExecutionStatus.SUCCEEDED, result=_call(claim, resolved))
    except BaseException as error:  # noqa: BLE001 - whatever a job raises is the execution's failure, not the worker's
        _keep(error)
        return _judge_error(claim, error, resolved.retry)


@contextmanager
def raised_kept() -> Iterator[list[BaseException]]:
    """Keep what makes attempts fail that this thread (or task) performs meanwhile, in order, beside recording it."""
    kept: list[BaseException] = []
    token = _raised.set(kept)
    try:
        yield kept
    finally:
        _raised.reset(token)


def _keep(error: BaseException) -> None:
    kept = _raised.get()
    if kept is not None and not isinstance(error, Skip):
        kept.append(error)


def _resolve(claim: Claim) -> ResolvedJob:
    if claim.job is None:
        raise JobNotFound(claim.execution.job_name)
    return claim.job.resolve()


def _call(claim: Claim, resolved: ResolvedJob) -> Any:
    execution, definition = claim.execution, resolved.definition
    arguments = definition.clean(execution.params)
    context = JobContext(
        execution_id=execution.pk,
        job_name=execution.job_name,
        trigger=execution.trigger,
        scheduled_for=execution.scheduled_for,
        attempt=execution.attempt,
        max_attempts=execution.max_attempts,
        log=JobLogger(execution.job_name, claim.log),
        params=execution.params,
        upstream=_upstream(execution, resolved),
        stop_requested=claim.stop_requested,
        node_stops=claim.node_stops,
        meter=claim.progress,
    )
    with closing(claim.log), collecting(claim.log), context.log.collecting_prints():
        result = definition.func(context, **arguments)
        # A function without "async" may return what still has to run; so may an object's __call__.
        # Asked of the type: what a job returns may raise when it is looked at.
        return async_to_sync(_awaited)(result) if hasattr(type(result), "__await__") else result


def _upstream(execution: JobExecution, resolved: ResolvedJob) -> dict[str, Upstream]:
    """Return what the execution runs after: of each job it depends on, what ended last in its flow."""
    if execution.flow is None or not resolved.depends_on:
        return {}
    # By the database, since the attempt may run in another process than the claim.
    ended = JobExecution.objects.filter(job_name__in=resolved.depends_on, status__in=FINAL)
    members = ended.only("job_name", "status", "result").of_flow(execution.flow)
    return {each.job_name: Upstream(execution_id=each.pk, status=each.status, result=each.result) for each in members}


_awaiting: set[asyncio.Task[Any]] = set()


async def _awaited(result: Awaitable[Any]) -> Any:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - for the type checker: this is a coroutine
    _awaiting.add(task)
    try:
        return await result
    finally:
        _awaiting.discard(task)


def cancel_coroutines() -> bool:
    """Cancel the jobs that this process awaits; return whether there are any. A signal handler may call it."""
    tasks = list(_awaiting)
    for each in tasks:
        each.get_loop().call_soon_threadsafe(each.cancel)
    return bool(tasks)


def _judge_error(claim: Claim, error: BaseException, retry: RetryPolicy) -> _Verdict:
    if isinstance(error, Skip):
        return _Verdict(ExecutionStatus.SKIPPED, reason=error.reason or str(error))
    # The number of attempts was fixed when the row was written.
    policy = replace(retry, max_attempts=max(1, claim.execution.max_attempts))
    delay = policy.delay_after(claim.execution.attempt, error)
    result = error.result if isinstance(error, JobFailed) else None
    return _Verdict(ExecutionStatus.FAILED, error=error, delay=delay, result=result)


def _ending(claim: Claim, verdict: _Verdict, now: datetime, duration_ms: int) -> Ending:
    execution = claim.execution
    again = verdict.delay is not None
    run_after = now + verdict.delay if verdict.delay is not None else execution.run_after
    error, mask = verdict.error, get_settings().mask
    return Ending(
        execution=execution,
        outcome=verdict.outcome,
        status=ExecutionStatus.QUEUED if again else verdict.outcome,
        # A clock that was set back must not let an execution end before it began.
        finished_at=max(now, execution.started_at or now),
        duration_ms=duration_ms,
        run_after=run_after,
        claim_at=claim_time(run_after, execution.priority),
        result=_storable_result(verdict.result),
        error_type="" if error is None else storable_text(_type_name(error), max_bytes=200),
        error_message="" if error is None else storable_text(error, max_bytes=_TRACEBACK_MAX_BYTES, mask=mask),
        traceback="" if error is None else storable_text(_traceback(error), max_bytes=_TRACEBACK_MAX_BYTES, mask=mask),
        reason=storable_text(verdict.reason, max_bytes=2_000, mask=mask),
        progress=claim.progress.newest(),
    )


def _storable_result(result: Any) -> Any:
    if result is None:
        return None
    settings = get_settings()
    return bounded_json(result, max_bytes=settings.result_max_bytes, mask=settings.mask)[0]


def _type_name(error: BaseException) -> str:
    cls = type(error)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _traceback(error: BaseException) -> str:
    # The first frames are the runner's own.
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__") == __name__ and frames.tb_next:
        frames = frames.tb_next
    try:
        return "".join(traceback.format_exception(type(error), error, frames))
    except Exception as broken:  # noqa: BLE001 - an exception may break while it is formatted
        return f"{_type_name(error)} (its traceback cannot be shown: {type(broken).__name__})"


def _log_ending(ending: Ending) -> None:
    execution = ending.execution
    level = logging.INFO if ending.outcome in (ExecutionStatus.SUCCEEDED, ExecutionStatus.SKIPPED) else logging.WARNING
    if not logger.isEnabledFor(level):
        return
    extra = {
        "job": execution.job_name,
        "execution_id": execution.pk,
        "status": execution.status,
        "attempt": execution.attempt,
        "duration_ms": ending.duration_ms,
    }
    suffix = f": {ending.error_type}: {ending.error_message}"[:300] if ending.error_type else ""
    if execution.status == ExecutionStatus.QUEUED:
        wait = (ending.run_after - ending.finished_at).total_seconds()
        suffix = f"; the next one follows in {wait:.1f} s{suffix}"
    attempt = f" (attempt {execution.attempt} of {execution.max_attempts})" if execution.max_attempts > 1 else ""
    message = "%s%s %s in %d ms%s"
    logger.log(level, message, execution, attempt, ending.outcome, ending.duration_ms, suffix, extra=extra)
