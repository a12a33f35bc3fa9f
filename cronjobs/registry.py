"""Which functions are jobs: the ``@job`` decorator, what it declares, and where declarations are kept."""

from __future__ import annotations

import difflib
import importlib
import inspect
import logging
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.utils.module_loading import module_has_submodule

from cronjobs.conf import words_to_mask
from cronjobs.dependencies import Dependencies, parse_dependencies
from cronjobs.exceptions import (
    DefinitionNotFound,
    InvalidDefinition,
    InvalidParameters,
    InvalidRequest,
)
from cronjobs.limits import RateLimit, parse_bytes, parse_rate_limit
from cronjobs.masking import MASKED, is_secret
from cronjobs.retries import RetryPolicy
from cronjobs.schedules import CatchUp, Schedule, parse_schedule, parse_time_zone
from cronjobs.storable import storable_text

if TYPE_CHECKING:
    from django import forms

logger = logging.getLogger(__name__)

NAME_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?")
NAME_MAX_LENGTH = 100
OVERLAPS = ("forbid", "allow", "queue", "replace")
EXECUTORS = ("thread", "process")
PRIORITIES = {"background": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A declaration that cannot be used, for the system check and the admin to show."""

    where: str
    message: str
    hint: str = ""
    # The definition that is missing because of it; None: whatever the module would have defined.
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefinition:
    """A function registered with ``@job``, and its defaults. Calling it calls the function."""

    name: str
    func: Callable[..., Any]
    description: str = ""
    schedule: Schedule | None = None
    time_zone: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    params_form: type[forms.Form] | None = None
    retry: RetryPolicy | None = None
    queue: str = "default"
    priority: int = PRIORITIES["medium"]
    overlap: str = "forbid"
    max_instances: int | None = None
    jitter: timedelta | None = None
    misfire_grace: timedelta | None = None
    catch_up: CatchUp | None = None
    rerun_lost: bool = False
    executor: str | None = None
    timeout: timedelta | None = None
    memory_limit: int | None = None
    cpu_limit: timedelta | None = None
    rate_limit: RateLimit | None = None
    depends_on: Dependencies = field(default_factory=dict)
    only_if: Callable[[], bool] = field(default=lambda: True)

    def __post_init__(self) -> None:
        """Refuse what no executor can do."""
        if self.executor == "thread" and (self.memory_limit or self.cpu_limit):
            raise InvalidDefinition(
                "a thread cannot be limited in memory or CPU time: leave executor out, or say 'process'."
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.func(*args, **kwargs)

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit that only a process can be held to."""
        return bool(self.timeout or self.memory_limit or self.cpu_limit)

    def enqueue(
        self,
        *,
        run_at: datetime | None = None,
        priority: int | None = None,
        key: str | None = None,
        **params: Any,
    ) -> Any:
        """Record an execution of this definition in the caller's transaction and return its row.

        A node starts it at `run_at` (aware; None: as soon as there is a free worker). `key`
        makes a repeated call return the first call's row. Raises `InvalidParameters`, and
        `JobNotFound` before `migrate` has made the definition's job.
        """
        # The app registry, not an import: rows live above this module.
        executions = apps.get_model("cronjobs", "JobExecution").objects
        return executions.request(self.name, params=params, run_after=run_at, priority=priority, key=key)

    def clean(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keyword arguments that `params` make; raise `InvalidParameters` if they do not fit."""
        params = {**self.params, **params}
        if self.params_form is not None:
            return self._clean_by_form(self.params_form, params)
        self._check_signature(params)
        return params

    def _clean_by_form(self, form_class: type[forms.Form], params: Mapping[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(params) - set(form_class.base_fields))
        if unknown:
            raise InvalidParameters(self.name, {name: ["There is no such parameter."] for name in unknown})
        initial = {name: each.initial for name, each in form_class.base_fields.items() if each.initial is not None}
        form = form_class(data={**initial, **params})
        if not form.is_valid():
            errors = {name: list(map(str, texts)) for name, texts in form.errors.items()}
            raise InvalidParameters(self.name, _without_secrets(errors, params))
        # A field left empty keeps the function's own default.
        return {name: value for name, value in form.cleaned_data.items() if value is not None or name in params}

    def _check_signature(self, params: Mapping[str, Any]) -> None:
        known = _parameters_of(self.func)
        if any(each.kind is each.VAR_KEYWORD for each in known.values()):
            return
        errors = {name: ["There is no such parameter."] for name in params if name not in known}
        for name, each in known.items():
            if each.default is each.empty and each.kind is not each.VAR_POSITIONAL and name not in params:
                errors[name] = ["This parameter is required."]
        if errors:
            raise InvalidParameters(self.name, errors)


def _without_secrets(errors: Mapping[str, list[str]], params: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return a form's messages without the values they may quote, where these are secrets."""
    mask = words_to_mask()
    secrets = [text for name, value in params.items() if is_secret(name, mask) and (text := storable_text(value))]
    return {name: [_without(secrets, text) for text in texts] for name, texts in errors.items()}


def _without(secrets: Iterable[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, MASKED)
    return text


def _parameters_of(func: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters after the first one, which receives the context."""
    return dict(list(inspect.signature(func).parameters.items())[1:])


class Registry:
    """Definitions by name, and the problems met while collecting them."""

    def __init__(self) -> None:
        self._definitions: dict[str, JobDefinition] = {}
        self.problems: list[Problem] = []

    def __getitem__(self, name: str) -> JobDefinition:
        try:
            return self._definitions[name]
        except KeyError:
            raise DefinitionNotFound(name, self._reasons(name)) from None

    def _reasons(self, name: str) -> list[str]:
        """Return what may be why there is no definition of that name: its own mistakes, else what cannot be imported."""
        own = [each.message for each in self.problems if each.name == name]
        return own or [each.message for each in self.problems if each.name is None]

    def get(self, name: str) -> JobDefinition | None:
        """Return the definition of that name, or None."""
        return self._definitions.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._definitions

    def __iter__(self) -> Iterator[JobDefinition]:
        return iter(sorted(self._definitions.values(), key=lambda each: each.name))

    def add(self, definition: JobDefinition) -> None:
        """Register `definition`; a second one of the same name is a problem, not a replacement."""
        known = self._definitions.get(definition.name)
        if known is not None and _origin(known.func) != _origin(definition.func):
            message = f"Two functions are registered as {definition.name!r}: {_origin(known.func)} came first."
            self.problems.append(
                Problem(
                    where=_origin(definition.func), message=message, hint="Rename one of them.", name=definition.name
                )
            )
            return
        self._definitions[definition.name] = definition

    def remove(self, name: str) -> None:
        """Forget the definition of that name, if there is one."""
        self._definitions.pop(name, None)

    def is_available(self, definition: JobDefinition) -> bool:
        """Return whether `definition` is to have a job here, as its `only_if` says.

        One whose `only_if` raises is not, and becomes a problem.
        """
        try:
            return bool(definition.only_if())
        except Exception as error:  # noqa: BLE001 - a job's own function may raise anything
            reason = f"{type(error).__name__}: {storable_text(error, max_bytes=500)}"
        problem = Problem(
            where=_origin(definition.func),
            message=f"Job {definition.name!r}: only_if fails: {reason}",
            hint="No job is made of it until it answers.",
            name=definition.name,
        )
        if problem not in self.problems:
            logger.error("%s", problem.message)
            self.problems.append(problem)
        return False

    def discover(self) -> None:
        """Import the ``jobs`` module, or every module of the ``jobs`` package, of every installed app.

        A module that cannot be imported becomes a problem and stops nobody else.
        """
        for config in apps.get_app_configs():
            if config.module is not None and module_has_submodule(config.module, "jobs"):
                self._import(f"{config.name}.jobs")

    def _import(self, name: str) -> None:
        try:
            module = importlib.import_module(name)
        except Exception as error:
            # One line for people who run commands; the frames for whoever looks for the fault.
            reason = storable_text(error, max_bytes=500).partition("\n")[0]
            line = _line_of(error, name)
            where = "" if line is None else f" (line {line})"
            message = f"{name} cannot be imported{where}: {type(error).__name__}: {reason}"
            logger.error("%s", message, extra={"module_name": name})  # noqa: TRY400 - as said above
            logger.debug("How %s failed:", name, exc_info=error)
            jobs = "Its jobs" if line is None else "The jobs that it defines below that line"
            hint = f"{jobs} are not available until it can."
            self.problems.append(Problem(where=name, message=message, hint=hint))
            return
        for each in pkgutil.iter_modules(getattr(module, "__path__", [])):
            self._import(f"{name}.{each.name}")


def _line_of(error: BaseException, module: str) -> int | None:
    """Return the line of `module` that failed; None if none of it ran (a SyntaxError says its line itself)."""
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_globals.get("__name__") == module]
    return lines[-1] if lines else None


registry = Registry()


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
    depends_on: Mapping[str, str] | Iterable[str] | str = (),
    description: str = "",
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
    ``{"extract": "failure"}``. The other options are the fields of `JobDefinition`; None means its default.

    A mistake does not raise, since that would take down every process that imports the
    module: it becomes a system check warning, and the definition is not registered.
    """
    bare: Any = name
    if callable(bare):
        # "@job" without parentheses. The function stays what it is: who else uses it must not break for this.
        message = f'{_origin(bare)}: @job needs a name, as in @job("{_name_for(bare)}").'
        registry.problems.append(Problem(where=_origin(bare), message=message))
        return bare  # type: ignore[no-any-return]  # the decorated function

    def register(func: Callable[..., Any]) -> JobDefinition:
        try:
            definition = JobDefinition(
                name=_checked_name(name),
                func=_checked_function(func),
                description=_checked_text(description, "description") or _first_line(func),
                schedule=_checked_schedule(schedule, time_zone),
                time_zone=time_zone,
                priority=parse_priority(priority),
                catch_up=None if catch_up is None else CatchUp(catch_up),
                misfire_grace=_as_duration(misfire_grace, "misfire_grace"),
                jitter=_as_duration(jitter, "jitter"),
                timeout=_as_limit(timeout, "timeout"),
                cpu_limit=_as_limit(cpu_limit, "cpu_limit"),
                memory_limit=None if memory_limit is None else parse_bytes(memory_limit),
                rate_limit=None if rate_limit is None else parse_rate_limit(rate_limit),
                depends_on=parse_dependencies(depends_on),
                **_checked_options(options),
            )
        except Exception as error:  # noqa: BLE001 - a value of a foreign class may raise anything when it is looked at
            message = f"Job {storable_text(name)!r}: {storable_text(error)}"
            registry.problems.append(Problem(where=_origin(func), message=message, name=storable_text(name)))
            return JobDefinition(name=storable_text(name), func=func)
        registry.add(definition)
        return definition

    return register


def is_valid_name(name: str) -> bool:
    """Return whether `name` may name a job: lower-case letters, digits, inner hyphens and underscores."""
    return len(name) <= NAME_MAX_LENGTH and NAME_PATTERN.fullmatch(name) is not None


def is_valid_queue(name: str) -> bool:
    """Return whether `name` may name a queue: short, on one line, and what ``--queues A,B`` can say; ``*`` is all."""
    return 0 < len(name) <= 50 and name == name.strip() and name.isprintable() and "," not in name and name != "*"


def parse_priority(priority: int | str) -> int:
    """Return the number that `priority`, a number or a name, stands for; raise `InvalidRequest` if there is none."""
    number: Any = PRIORITIES.get(priority, 0) if isinstance(priority, str) else priority
    # bool is an int to Python, and 1.0 the same as 1.
    if isinstance(number, bool) or not isinstance(number, int) or number not in PRIORITIES.values():
        raise InvalidRequest(f"priority is 1 to 5 or one of {', '.join(PRIORITIES)}, not {priority!r}.")
    return int(number)


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not is_valid_name(name):
        raise InvalidDefinition(
            "a name is up to 100 lower-case letters, digits, hyphens and underscores, "
            "beginning and ending with a letter or digit."
        )
    return name


def _checked_function(func: Any) -> Callable[..., Any]:
    if not callable(func) or inspect.isclass(func):
        raise InvalidDefinition(f"{func!r} is not a function.")
    first = next(iter(inspect.signature(func).parameters.values()), None)
    if first is None or first.kind in (first.KEYWORD_ONLY, first.VAR_KEYWORD):
        raise InvalidDefinition("the function needs a first parameter for the context, which is passed by position.")
    checked: Callable[..., Any] = func
    return checked


def _checked_text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise InvalidDefinition(f"{name} must be text, not {value!r}.")
    return value


def _first_line(func: Callable[..., Any]) -> str:
    return (inspect.getdoc(func) or "").strip().partition("\n")[0]


def _checked_schedule(schedule: Any, time_zone: str | None) -> Schedule | None:
    if time_zone is not None:
        parse_time_zone(time_zone)
    parsed = parse_schedule(schedule) if isinstance(schedule, str) else schedule
    if not isinstance(parsed, Schedule | None):
        raise InvalidDefinition(f"schedule must be text or a Schedule, not {parsed!r}.")
    if parsed is None or time_zone is None:
        return parsed
    return parsed.in_zone(time_zone)


# What each further option must be, and how to say so.
_OPTIONS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "params": (lambda value: isinstance(value, Mapping), "a dict"),
    "params_form": (lambda value: inspect.isclass(value) and hasattr(value, "base_fields"), "a Django form class"),
    "retry": (lambda value: isinstance(value, RetryPolicy), "a RetryPolicy"),
    "queue": (
        lambda value: isinstance(value, str) and is_valid_queue(value),
        "a name of up to 50 characters without commas, other than *",
    ),
    "overlap": (lambda value: value in OVERLAPS, f"one of {', '.join(map(repr, OVERLAPS))}"),
    "max_instances": (lambda value: type(value) is int and value >= 1, "a whole number of at least 1"),
    "rerun_lost": (lambda value: isinstance(value, bool), "True or False"),
    "executor": (lambda value: value in EXECUTORS, f"one of {', '.join(map(repr, EXECUTORS))}"),
    "only_if": (callable, "a function without parameters"),
}


def _checked_options(options: dict[str, Any]) -> dict[str, Any]:
    for name, value in options.items():
        if name not in _OPTIONS:
            close = difflib.get_close_matches(name, [*_OPTIONS, *inspect.signature(job).parameters], n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise InvalidDefinition(f"there is no option {name!r}.{hint}")
        fits, meaning = _OPTIONS[name]
        if value is not None and not fits(value):
            raise InvalidDefinition(f"{name} must be {meaning}, not {value!r}.")
    return {name: value for name, value in options.items() if value is not None}


def _as_duration(value: Any, name: str) -> timedelta | None:
    duration = value if value is None or isinstance(value, timedelta) else _seconds(value, name)
    if duration is not None and duration < timedelta(0):
        raise InvalidDefinition(f"{name} must not be negative.")
    return duration


def _as_limit(value: Any, name: str) -> timedelta | None:
    limit = _as_duration(value, name)
    if limit == timedelta(0):
        raise InvalidDefinition(f"{name} must be more than nothing.")
    return limit


def _seconds(value: Any, name: str) -> timedelta:
    # bool is an int to Python, not to the person who wrote the definition.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidDefinition(f"{name} must be a timedelta or a number of seconds, not {value!r}.")
    try:
        return timedelta(seconds=value)
    except (OverflowError, ValueError):
        raise InvalidDefinition(f"{name} is not a usable number of seconds: {value!r}.") from None


def _name_for(func: Callable[..., Any]) -> str:
    return getattr(func, "__name__", "a-name").lower().strip("_").replace("_", "-")


def _origin(func: Any) -> str:
    return f"{getattr(func, '__module__', '?')}.{getattr(func, '__qualname__', repr(func))}"
