"""System checks of settings and job definitions."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.core import checks

from cronjobs.checks._common import advice, sound_settings
from cronjobs.conf import DEFAULT_SCHEDULES, Settings, configured_notifiers, words_to_mask
from cronjobs.dependencies import Graph, objection
from cronjobs.exceptions import CronJobsError, InvalidAlert, InvalidParameters, InvalidSettings
from cronjobs.notifications.configured import problems
from cronjobs.registry import Problem, registry
from cronjobs.schedules import parse_schedule, parse_time_zone
from cronjobs.storable import storable_text

STRICT = "cronjobs_strict"

_NOTIFIER_HINT = "Correct its entry in CRONJOBS['NOTIFIERS']: docs/alerts.md lists what each kind of notifier takes."


@checks.register("cronjobs")
def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """E001: CRONJOBS cannot be understood; E002: USE_TZ is off."""
    found: list[checks.CheckMessage] = []
    if not django_settings.USE_TZ:
        found.append(
            checks.Error(
                "cronjobs needs aware datetimes: USE_TZ is False.", hint="Set USE_TZ = True.", id="cronjobs.E002"
            )
        )
    mask = words_to_mask()
    return found + [
        checks.Error(
            storable_text(each, mask=mask),
            hint="Correct it in CRONJOBS: docs/reference/settings.md lists every key with its default.",
            id="cronjobs.E001",
        )
        for each in Settings.objections(getattr(django_settings, "CRONJOBS", {}), path="CRONJOBS")
    ]


@checks.register("cronjobs")
def check_schedules(**_: Any) -> list[checks.CheckMessage]:
    """W003: a zone or schedule in the settings is not valid; the jobs concerned will be broken."""
    settings = sound_settings()
    if settings is None:
        return []
    found = _mistake("CRONJOBS['TIME_ZONE']", parse_time_zone, settings.time_zone)
    for name, text in settings.schedules.items():
        if text:
            found += _mistake(f"CRONJOBS['SCHEDULES'][{name!r}]", parse_schedule, text)
    return found


@checks.register("cronjobs")
def check_scheduled_names(**_: Any) -> list[checks.CheckMessage]:
    """W004: SCHEDULES names what no definition is called, so no job will follow it unless somebody makes one."""
    settings = sound_settings()
    if settings is None:
        return []
    known = [each.name for each in registry]
    return [
        checks.Warning(
            f"CRONJOBS['SCHEDULES'] names {name!r}, but no job definition has that name.",
            hint=advice(name, known, "Correct the name or take it out, unless somebody makes that job in the admin."),
            id="cronjobs.W004",
        )
        for name in settings.schedules
        if name not in known and name not in DEFAULT_SCHEDULES
    ]


@checks.register("cronjobs")
def check_required_parameters(**_: Any) -> list[checks.CheckMessage]:
    """W005: a definition is scheduled but cannot be called without a parameter."""
    found: list[checks.CheckMessage] = []
    for each in registry:
        if each.schedule is None:
            continue
        try:
            each.clean({})
        except InvalidParameters as error:
            hint = "Give the parameter a default, or @job a params={…}."
            found.append(
                checks.Warning(f"{error} Yet it has a schedule.", hint=hint, obj=each.name, id="cronjobs.W005")
            )
    return found


@checks.register("cronjobs")
def check_dependencies(**_: Any) -> list[checks.CheckMessage]:
    """W007: a definition depends on what no definition is called, or in a way in which it could never run."""
    graph = {each.name: each.depends_on for each in registry}
    return [
        checks.Warning(f"{name} depends on other jobs: {text}", hint=_hint(name, graph), obj=name, id="cronjobs.W007")
        for name in graph
        if (text := objection(name, graph))
    ]


def _hint(name: str, graph: Graph) -> str:
    if graph.keys() >= graph[name].keys():
        return "Let depends_on name jobs that do not wait for this one, and that all begin with the same job."
    return "Correct the name. If it is that of a job that somebody makes in the admin, all is well."


@checks.register("cronjobs")
def check_definitions(**_: Any) -> list[checks.CheckMessage]:
    """W001: a job definition cannot be used."""
    return [_definition_message(checks.Warning, each) for each in _problems()]


@checks.register(STRICT, deploy=True)
def check_definitions_strictly(**_: Any) -> list[checks.CheckMessage]:
    """E003: as W001, with ``check --deploy``, also with ``--tag cronjobs_strict`` alone, which is to fail a build."""
    return [_definition_message(checks.Error, each) for each in _problems()]


@checks.register("cronjobs")
def check_cache(**_: Any) -> list[checks.CheckMessage]:
    """W009: there is no cache of the name that the settings say, so nothing is counted in it."""
    settings = sound_settings()
    if settings is None or settings.cache in django_settings.CACHES:
        return []
    text = f"CRONJOBS['CACHE'] is {settings.cache!r}, which CACHES does not have: no caller of the API is throttled."
    hint = advice(settings.cache, django_settings.CACHES, "Name one of CACHES, or add this one to them.")
    return [checks.Warning(text, hint=hint, id="cronjobs.W009")]


@checks.register("cronjobs")
def check_notifiers(**_: Any) -> list[checks.CheckMessage]:
    """W010: a notifier in the settings cannot be used, so nobody is alerted through it."""
    try:
        return [checks.Warning(each.why, hint=_NOTIFIER_HINT, obj=each.name, id="cronjobs.W010") for each in problems()]
    except InvalidSettings:
        return []


@checks.register("cronjobs")
def check_recipients(**_: Any) -> list[checks.CheckMessage]:
    """W011: alerts are to go to a notifier that the settings do not have, so nobody gets them."""
    settings = sound_settings()
    if settings is None:
        return []
    wanted = [("CRONJOBS['ALERTS']['TO']", settings.alerts.to)]
    wanted += [(f"Job {each.name!r}", each.alerts.to) for each in registry]
    hint = "Name one that CRONJOBS['NOTIFIERS'] has, or add it there (docs/alerts.md)."
    return [
        checks.Warning(f"{where}: {why}", hint=hint, id="cronjobs.W011")
        for where, names in wanted
        if (why := _no_notifier(names or ()))
    ]


def _no_notifier(names: tuple[str, ...]) -> str:
    try:
        configured_notifiers(names)
    except InvalidAlert as error:
        return str(error)
    return ""


def _problems() -> list[Problem]:
    for each in registry:
        # Whoever cannot answer becomes a problem.
        registry.is_available(each)
    return registry.problems


def _definition_message(level: Any, problem: Any) -> checks.CheckMessage:
    identity = "cronjobs.E003" if level is checks.Error else "cronjobs.W001"
    hint = problem.hint or "Correct the declaration: until then there is no such job."
    message: checks.CheckMessage = level(problem.message, hint=hint, obj=problem.where, id=identity)
    return message


def _mistake(key: str, parse: Any, value: str) -> list[checks.CheckMessage]:
    try:
        parse(value)
    except CronJobsError as error:
        hint = "Correct it: zones have IANA names, and a schedule is such as */5 * * * *, @daily or @every 90s."
        return [checks.Warning(f"{key}: {error}", hint=hint, id="cronjobs.W003")]
    return []
