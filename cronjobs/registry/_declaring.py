"""The ``@job`` decorator."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from cronjobs.dependencies import parse_dependencies
from cronjobs.limits import parse_bytes, parse_rate_limit
from cronjobs.registry._collection import Problem, origin_of, registry
from cronjobs.registry._definitions import JobDefinition
from cronjobs.registry._names import parse_priority
from cronjobs.registry._options import (
    as_duration,
    as_limit,
    checked_address,
    checked_function,
    checked_name,
    checked_options,
    checked_schedule,
    checked_text,
    first_line,
)
from cronjobs.schedules import CatchUp, Schedule
from cronjobs.storable import storable_text


def job(
    name: str,
    *,
    schedule: Schedule | str | None = None,
    time_zone: str | None = None,
    priority: int | str = "medium",
    catch_up: CatchUp | str | None = None,
    misfire_grace: timedelta | float | None = None,
    jitter: timedelta | float | None = None,
    timeout: timedelta | float | None = None,
    cpu_limit: timedelta | float | None = None,
    memory_limit: int | str | None = None,
    rate_limit: str | None = None,
    depends_on: Mapping[str, str] | Iterable[str] | str | None = (),
    description: str = "",
    ping_url: str = "",
    runbook_url: str = "",
    **options: Any,
) -> Callable[[Callable[..., Any]], JobDefinition]:
    """Register the decorated function as the job definition `name`.

    The function's first parameter receives the `JobContext`; the others are the job's
    parameters. `schedule` is a cron expression, ``@every 90s``, ``@at <ISO time>`` or a
    `Schedule`; without one the job runs on demand. `time_zone` is an IANA name (default: the
    setting). `priority` is 1-5 or background/low/medium/high/critical. `misfire_grace`,
    `jitter`, `timeout` and `cpu_limit` are a ``timedelta`` or seconds; `memory_limit` is a
    number of bytes or ``"512M"``; `rate_limit` starts per period, such as ``"10/m"``;
    `depends_on` names upstream jobs: ``"extract"``, ``["extract", "load:always"]`` or
    ``{"extract": "failure"}``; `ping_url` is the address of a monitor that is told of starts and
    ends, `runbook_url` that of a page which says what to do; `alerts` is an `AlertPolicy`. The other options are the fields of `JobDefinition`; None means its default.

    A mistake does not raise, since that would take down every process that imports the
    module: it becomes a system check warning, and the definition is not registered.
    """
    bare: Any = name
    if callable(bare):
        # "@job" without parentheses. The function stays what it is: who else uses it must not break for this.
        message = f'{origin_of(bare)}: @job needs a name, as in @job("{_name_for(bare)}").'
        registry.problems.append(Problem(where=origin_of(bare), message=message))
        return bare  # type: ignore[no-any-return]  # the decorated function

    def register(func: Callable[..., Any]) -> JobDefinition:
        try:
            definition = JobDefinition(
                name=checked_name(name),
                func=checked_function(func),
                description=checked_text(description, "description") or first_line(func),
                schedule=checked_schedule(schedule, time_zone),
                time_zone=time_zone,
                priority=parse_priority(priority),
                catch_up=None if catch_up is None else CatchUp(catch_up),
                misfire_grace=as_duration(misfire_grace, "misfire_grace"),
                jitter=as_duration(jitter, "jitter"),
                timeout=as_limit(timeout, "timeout"),
                cpu_limit=as_limit(cpu_limit, "cpu_limit"),
                memory_limit=None if memory_limit is None else parse_bytes(memory_limit),
                rate_limit=None if rate_limit is None else parse_rate_limit(rate_limit),
                depends_on=parse_dependencies(() if depends_on is None else depends_on),
                ping_url=checked_address(ping_url, "ping_url"),
                runbook_url=checked_address(runbook_url, "runbook_url"),
                **checked_options(options, known=inspect.signature(job).parameters),
            )
        except Exception as error:  # noqa: BLE001 - a value of a foreign class may raise anything when it is looked at
            message = f"Job {storable_text(name)!r}: {storable_text(error)}"
            registry.problems.append(Problem(where=origin_of(func), message=message, name=storable_text(name)))
            return JobDefinition(name=storable_text(name), func=func)
        registry.add(definition)
        return definition

    return register


def _name_for(func: Callable[..., Any]) -> str:
    return getattr(func, "__name__", "a-name").lower().strip("_").replace("_", "-")
