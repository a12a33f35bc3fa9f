"""A job definition: a function with its defaults, and what its parameters may be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.apps import apps

from cronjobs.alerts import AlertPolicy
from cronjobs.conf import words_to_mask
from cronjobs.dependencies import Dependencies
from cronjobs.exceptions import InvalidDefinition, InvalidParameters
from cronjobs.language import gettext as _
from cronjobs.limits import RateLimit
from cronjobs.masking import MASKED, is_secret
from cronjobs.registry._names import PRIORITIES
from cronjobs.retries import RetryPolicy
from cronjobs.schedules import CatchUp, Schedule
from cronjobs.storable import storable_text

if TYPE_CHECKING:
    from django import forms


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
    alerts: AlertPolicy = field(default_factory=AlertPolicy)
    ping_url: str = ""
    runbook_url: str = ""
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
    _parameters: dict[str, inspect.Parameter] | None = field(default=None, init=False, repr=False, compare=False)

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

    def enqueue_many(
        self, params: Iterable[Mapping[str, Any]], *, run_at: datetime | None = None, priority: int | None = None
    ) -> list[Any]:
        """Record an execution with each of `params`, as `enqueue` does, and return their rows in that order.

        Many take few statements. Nothing is recorded if any of `params` does not fit.
        """
        executions = apps.get_model("cronjobs", "JobExecution").objects
        rows: list[Any] = executions.request_many(self.name, params, run_after=run_at, priority=priority)
        return rows

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
            raise InvalidParameters(self.name, {name: [_("There is no such parameter.")] for name in unknown})
        initial = {name: each.initial for name, each in form_class.base_fields.items() if each.initial is not None}
        form = form_class(data={**initial, **params})
        if not form.is_valid():
            errors = {name: list(map(str, texts)) for name, texts in form.errors.items()}
            raise InvalidParameters(self.name, _without_secrets(errors, params))
        # A field left empty keeps the function's own default.
        return {name: value for name, value in form.cleaned_data.items() if value is not None or name in params}

    def _check_signature(self, params: Mapping[str, Any]) -> None:
        if (known := self._parameters) is None:
            known = _parameters_of(self.func)
            # Once is enough, and every attempt asks.
            object.__setattr__(self, "_parameters", known)
        if any(each.kind is each.VAR_KEYWORD for each in known.values()):
            return
        errors = {name: [_("There is no such parameter.")] for name in params if name not in known}
        for name, each in known.items():
            if each.default is each.empty and each.kind is not each.VAR_POSITIONAL and name not in params:
                errors[name] = [_("This parameter is required.")]
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
