"""What has been enqueued, and waits for somebody to perform it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cronjobs.conf import words_to_mask
from cronjobs.models import JobExecution
from cronjobs.storable import storable_json
from cronjobs.testing._given import Instant, JobLike, as_instant, find_job

# So much of what waits is told when something else was looked for.
_MOST_TOLD: Final = 20


def enqueued(
    job: JobLike | None = None, *, params: Mapping[str, Any] | None = None, run_at: Instant | None = None
) -> list[JobExecution]:
    """Return the executions that wait, oldest first: of `job` (None: of any), with these among their `params`.

    With `run_at` (aware, or ISO text) only those that are to run at that very time. Those that a schedule has written,
    and those between two attempts, wait as well. Raises `JobNotFound`.
    """
    waiting = JobExecution.objects.waiting().order_by("pk")
    if job is not None:
        waiting = waiting.filter(job_name=find_job(job).name)
    expected, moment = storable_json(dict(params or {})), None if run_at is None else as_instant(run_at)
    return [each for each in waiting if _has(each, expected) and moment in (None, each.run_after)]


def assert_enqueued(
    job: JobLike,
    *,
    params: Mapping[str, Any] | None = None,
    run_at: Instant | None = None,
    count: int | None = None,
) -> list[JobExecution]:
    """Fail unless such an execution waits (`count`: exactly so many of them); return those that do, as `enqueued`."""
    __tracebackhide__ = True
    found = enqueued(job, params=params, run_at=run_at)
    if len(found) != count if count is not None else not found:
        wanted = "no execution" if not found else "1 execution" if len(found) == 1 else f"{len(found)} executions"
        instead = "" if count is None else f", and not {count}"
        raise AssertionError(
            f"There is {wanted} of {_sought(job, params, run_at)} that waits{instead}.{_all_that_wait()}"
        )
    return found


def assert_not_enqueued(
    job: JobLike, *, params: Mapping[str, Any] | None = None, run_at: Instant | None = None
) -> None:
    """Fail if such an execution waits. Raises as `enqueued`."""
    __tracebackhide__ = True
    if found := enqueued(job, params=params, run_at=run_at):
        lines = "".join(f"\n  {_told(each)}" for each in found[:_MOST_TOLD])
        raise AssertionError(f"An execution of {_sought(job, params, run_at)} waits:{lines}")


def _has(execution: JobExecution, expected: Mapping[str, Any]) -> bool:
    # SQL may have written anything.
    params = execution.params if isinstance(execution.params, Mapping) else {}
    return all(name in params and params[name] == value for name, value in expected.items())


def _sought(job: JobLike, params: Mapping[str, Any] | None, run_at: Instant | None) -> str:
    name = job if isinstance(job, str) else job.name
    with_params = f" with {_masked(params)}" if params else ""
    return f"{name}{with_params}{'' if run_at is None else f' for {_time(as_instant(run_at))}'}"


def _all_that_wait() -> str:
    waiting = enqueued()
    if not waiting:
        return " Nothing does."
    more = len(waiting) - _MOST_TOLD
    lines = [*map(_told, waiting[:_MOST_TOLD]), *([f"and {more} more"] if more > 0 else [])]
    return " What waits:" + "".join(f"\n  {line}" for line in lines)


def _told(execution: JobExecution) -> str:
    later = "" if execution.run_after <= execution.queued_at else f", for {_time(execution.run_after)}"
    return f"{execution} with {_masked(execution.params)}{later}"


def _masked(params: Any) -> Any:
    shown = storable_json(params, mask=words_to_mask())
    # Databases differ in the order that they keep.
    return dict(sorted(shown.items())) if isinstance(shown, dict) else shown


def _time(at: datetime) -> str:
    return at.isoformat()
