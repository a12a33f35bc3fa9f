"""System checks of what job definitions say, where the decorator alone cannot tell that it makes no sense."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.core import checks

from cronjobs.alerts import AlertKind
from cronjobs.checks._common import Mistake, advice, sound_settings, span
from cronjobs.conf import Settings
from cronjobs.registry import JobDefinition, registry


@checks.register("cronjobs")
def check_parameters(**_: Any) -> list[checks.CheckMessage]:
    """W025: the parameters that a definition gives, or asks for by its form, are not those that its function takes."""
    return [
        checks.Warning(text, hint=hint, obj=each.name, id="cronjobs.W025")
        for each in registry
        for text, hint in _of_parameters(each)
    ]


@checks.register("cronjobs")
def check_generators(**_: Any) -> list[checks.CheckMessage]:
    """W026: the function of a definition is a generator, so to call it does nothing."""
    return [
        checks.Warning(
            "Its function has a yield: to call it makes a generator, and runs nothing of it.",
            hint="Return a result instead, or put what yields into a function of its own and loop over it.",
            obj=each.name,
            id="cronjobs.W026",
        )
        for each in registry
        if inspect.isgeneratorfunction(each.func) or inspect.isasyncgenfunction(each.func)
    ]


@checks.register("cronjobs")
def check_options(**_: Any) -> list[checks.CheckMessage]:
    """W027: an option of a definition has no effect, or not the one that was meant, beside the others or the settings."""
    settings = sound_settings()
    return [
        checks.Warning(text, hint=hint, obj=each.name, id="cronjobs.W027")
        for each in registry
        for text, hint in [*_of_options(each), *(_beside_settings(each, settings) if settings else ())]
    ]


@checks.register("cronjobs")
def check_past_schedules(**_: Any) -> list[checks.CheckMessage]:
    """I003: the schedule of a definition has no due time any more."""
    now = datetime.now(UTC)
    return [
        checks.Info(
            f"Its schedule, {each.schedule}, has no due time any more.",
            hint="Take the schedule out, or the definition, once its job is not needed.",
            obj=each.name,
            id="cronjobs.I003",
        )
        for each in registry
        if each.schedule is not None and each.schedule.next_after(now) is None
    ]


def _of_parameters(definition: JobDefinition) -> Iterator[Mistake]:
    taken = dict(list(inspect.signature(definition.func).parameters.items())[1:])
    takes_any = any(each.kind is each.VAR_KEYWORD for each in taken.values())
    named = {name: each for name, each in taken.items() if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)}
    asked = None if definition.params_form is None else set(definition.params_form.base_fields)
    for name in sorted(definition.params):
        if asked is not None and name not in asked:
            yield Mistake(
                f"Its params have {name!r}, which its params_form does not: every execution fails.",
                advice(name, asked, "Add the field to the form, or take the parameter out."),
            )
        elif asked is None and name not in named and not takes_any:
            yield Mistake(
                f"Its params have {name!r}, which its function does not take: every execution fails.",
                advice(name, named, "Add the parameter to the function, or take it out of params."),
            )
    if asked is None:
        return
    for name in sorted(asked - named.keys()) if not takes_any else ():
        yield Mistake(
            f"Its params_form asks for {name!r}, which its function does not take: an execution with it fails.",
            advice(name, named, "Add the parameter to the function, or take the field out of the form."),
        )
    for name, each in named.items():
        if each.default is each.empty and name not in asked:
            yield Mistake(
                f"Its function requires {name!r}, which its params_form does not ask for: every execution fails.",
                advice(name, asked, "Add the field to the form, or give the parameter a default."),
            )


def _of_options(definition: JobDefinition) -> Iterator[Mistake]:
    retry, overlap = definition.retry, definition.overlap
    if (definition.max_instances or 1) > 1 and overlap != "allow":
        yield Mistake(
            f"max_instances={definition.max_instances} counts only with overlap='allow': with {overlap!r} one execution "
            "runs at a time.",
            "Say overlap='allow', or leave max_instances out.",
        )
    if retry and retry.max_delay is not None and retry.initial_delay > retry.max_delay:
        yield Mistake(
            f"Its RetryPolicy has initial_delay ({span(retry.initial_delay)}) longer than max_delay "
            f"({span(retry.max_delay)}), which every wait is cut to.",
            "Raise max_delay, or lower initial_delay.",
        )


def _beside_settings(definition: JobDefinition, settings: Settings) -> Iterator[Mistake]:
    from cronjobs.retention import kept_at_least

    # The app's own say so for whoever allows it.
    is_own = str(getattr(definition.func, "__module__", "")).startswith("cronjobs.jobs")
    if definition.rerun_lost and settings.max_lost == 0 and not is_own:
        yield Mistake(
            "rerun_lost=True has no effect: CRONJOBS['MAX_LOST'] is 0, so what is lost is never queued again.",
            "Raise MAX_LOST, or leave rerun_lost out.",
        )
    grace = definition.misfire_grace
    if grace is not None and grace > kept_at_least():
        yield Mistake(
            f"misfire_grace ({span(grace)}) is longer than executions are kept for certain ({span(kept_at_least())}): of "
            "a due time that is caught up so late nothing may show any more that it has run.",
            "Lower it, or keep executions longer (HISTORY_RETENTION; HISTORY_PER_JOB keeps a day for certain).",
        )
    limits = {
        AlertKind.LATE: ("late_after", settings.alerts.late_after),
        AlertKind.NO_SUCCESS: ("no_success_after", settings.alerts.no_success_after),
    }
    for kind in definition.alerts.on or ():
        name, usual = limits.get(kind, ("", None))
        if name and getattr(definition.alerts, name) is None and usual is None:
            yield Mistake(
                f"Its alerts are to tell of {kind.value!r}, and nothing says from when on: nobody is told.",
                f"Say {name} in its AlertPolicy, or {name.upper()} in CRONJOBS['ALERTS'].",
            )
