"""System checks of settings and job definitions."""

from __future__ import annotations

import difflib
from typing import Any

from django.conf import settings as django_settings
from django.core import checks

from cronjobs.conf import DEFAULT_SCHEDULES, configured_notifiers, get_settings, words_to_mask
from cronjobs.dependencies import Graph, objection
from cronjobs.exceptions import CronJobsError, InvalidAlert, InvalidParameters, InvalidSettings
from cronjobs.notifications.configured import problems
from cronjobs.registry import Problem, registry
from cronjobs.schedules import parse_schedule, parse_time_zone
from cronjobs.storable import storable_text

STRICT = "cronjobs_strict"


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
    try:
        get_settings()
    except InvalidSettings as error:
        found.append(
            checks.Error(
                storable_text(error, mask=words_to_mask()),
                hint="See docs/reference/settings.md.",
                id="cronjobs.E001",
            )
        )
    return found


@checks.register("cronjobs")
def check_schedules(**_: Any) -> list[checks.CheckMessage]:
    """W003: a zone or schedule in the settings is not valid; the jobs concerned will be broken."""
    try:
        settings = get_settings()
    except InvalidSettings:
        return []
    found = _mistake("CRONJOBS['TIME_ZONE']", parse_time_zone, settings.time_zone)
    for name, text in settings.schedules.items():
        if text:
            found += _mistake(f"CRONJOBS['SCHEDULES'][{name!r}]", parse_schedule, text)
    return found


@checks.register("cronjobs")
def check_scheduled_names(**_: Any) -> list[checks.CheckMessage]:
    """W004: SCHEDULES names what no definition is called, so no job will follow it unless somebody makes one."""
    try:
        schedules = get_settings().schedules
    except InvalidSettings:
        return []
    known = [each.name for each in registry]
    return [
        checks.Warning(
            f"CRONJOBS['SCHEDULES'] names {name!r}, but no job definition has that name.",
            hint=_did_you_mean(name, known),
            id="cronjobs.W004",
        )
        for name in schedules
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
    hint = "If its name is that of a job that somebody makes in the admin, all is well."
    return [
        checks.Warning(
            f"{name} depends on other jobs: {text}", hint=_hint(name, graph, hint), obj=name, id="cronjobs.W007"
        )
        for name in graph
        if (text := objection(name, graph))
    ]


def _hint(name: str, graph: Graph, hint: str) -> str | None:
    return None if graph.keys() >= graph[name].keys() else hint


@checks.register("cronjobs")
def check_definitions(**_: Any) -> list[checks.CheckMessage]:
    """W001: a job definition cannot be used."""
    return [_definition_message(checks.Warning, each) for each in _problems()]


@checks.register(STRICT, deploy=True)
def check_definitions_strictly(**_: Any) -> list[checks.CheckMessage]:
    """E003: as W001, for ``check --tag cronjobs_strict``, which is to fail a build."""
    return [_definition_message(checks.Error, each) for each in _problems()]


@checks.register("cronjobs")
def check_cache(**_: Any) -> list[checks.CheckMessage]:
    """W009: there is no cache of the name that the settings say, so nothing is counted in it."""
    try:
        name = get_settings().cache
    except InvalidSettings:
        return []
    if name in django_settings.CACHES:
        return []
    text = f"CRONJOBS['CACHE'] is {name!r}, which CACHES does not have: no caller of the API is throttled."
    return [checks.Warning(text, hint=_did_you_mean(name, list(django_settings.CACHES)), id="cronjobs.W009")]


@checks.register("cronjobs")
def check_notifiers(**_: Any) -> list[checks.CheckMessage]:
    """W010: a notifier in the settings cannot be used, so nobody is alerted through it."""
    try:
        return [
            checks.Warning(each.why, hint="See docs/alerts.md.", obj=each.name, id="cronjobs.W010")
            for each in problems()
        ]
    except InvalidSettings:
        return []


@checks.register("cronjobs")
def check_recipients(**_: Any) -> list[checks.CheckMessage]:
    """W011: alerts are to go to a notifier that the settings do not have, so nobody gets them."""
    try:
        wanted = [("CRONJOBS['ALERTS']['TO']", get_settings().alerts.to)]
    except InvalidSettings:
        return []
    wanted += [(f"Job {each.name!r}", each.alerts.to) for each in registry]
    return [
        checks.Warning(f"{where}: {why}", hint="See docs/alerts.md.", id="cronjobs.W011")
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
    message: checks.CheckMessage = level(problem.message, hint=problem.hint or None, obj=problem.where, id=identity)
    return message


def _mistake(key: str, parse: Any, value: str) -> list[checks.CheckMessage]:
    try:
        parse(value)
    except CronJobsError as error:
        return [checks.Warning(f"{key}: {error}", id="cronjobs.W003")]
    return []


def _did_you_mean(name: str, known: list[str]) -> str | None:
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else None
