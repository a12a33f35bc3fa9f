"""System checks of the project around the app: its databases, routers, log, templates and URLs. Nothing is connected to."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router
from django.db.models import Model
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.urls import URLResolver, get_resolver

from cronjobs.checks._common import sound_settings
from cronjobs.database import engine_alias
from cronjobs.models import JobExecution

_VENDORS: Final = ("sqlite", "postgresql", "mysql")
_UTC: Final = (None, "", "UTC", "Etc/UTC")
# What psycopg's pool has if nobody says otherwise.
_POOL_SIZE: Final = 4
# The threads of a node that use the database, beside its workers.
_OWN_THREADS: Final = 7
_TEMPLATE: Final = "cronjobs/mail/alert.txt"


@checks.register("cronjobs")
def check_engine_database(**_: Any) -> list[checks.CheckMessage]:
    """E006, E007: the engine cannot work with this database, or this zone. W028, W029: it is too small, or nobody else's."""
    alias = engine_alias(JobExecution)
    connection = connections[alias]
    if connection.vendor not in _VENDORS:
        text = (
            f"The engine's tables are to be in {connection.display_name} (DATABASES[{alias!r}]), which it cannot use."
        )
        hint = "Use PostgreSQL, MariaDB or SQLite; a database router can give the app a database of its own."
        return [checks.Error(text, hint=hint, id="cronjobs.E006")]
    found: list[checks.CheckMessage] = []
    if connection.vendor != "postgresql" and connection.settings_dict.get("TIME_ZONE") not in _UTC:
        found.append(
            checks.Error(
                f"DATABASES[{alias!r}]['TIME_ZONE'] is not UTC: the engine compares what is stored with the "
                "database's clock in UTC, so leases and due times would be off by hours.",
                hint="Leave it out. In which zone times are shown is TIME_ZONE's business.",
                id="cronjobs.E007",
            )
        )
    if connection.vendor == "sqlite" and str(connection.settings_dict["NAME"]) == ":memory:":
        found.append(
            checks.Warning(
                f"DATABASES[{alias!r}] is SQLite in memory: each thread has one of its own, so a node finds no tables.",
                hint="Name a file, or use PostgreSQL or MariaDB.",
                id="cronjobs.W029",
            )
        )
    return [*found, *_of_pool(alias)]


@checks.register("cronjobs")
def check_routers(**_: Any) -> list[checks.CheckMessage]:
    """E008: routers put the engine's tables into several databases. W031: they keep them from being made. W032: the users are elsewhere."""
    models = [each for name in ("cronjobs", "django_apscheduler") for each in _tables(name)]
    places: dict[str, list[str]] = {}
    for each in models:
        places.setdefault(engine_alias(each), []).append(each._meta.label)  # noqa: SLF001 - Django's documented API
    if len(places) > 1:
        where = "; ".join(f"{alias!r} ({', '.join(sorted(labels))})" for alias, labels in sorted(places.items()))
        return [
            checks.Error(
                f"DATABASE_ROUTERS put the engine's tables into several databases: {where}. It writes them in one transaction.",
                hint="Let them give the apps cronjobs and django_apscheduler the same database.",
                id="cronjobs.E008",
            )
        ]
    return [*_not_migrated(models), *_of_users()]


@checks.register("cronjobs")
def check_log(**_: Any) -> list[checks.CheckMessage]:
    """W030: LOGGING lets no warning of the app through, so nobody reads what a node says of an outage."""
    return [
        checks.Warning(
            f"{why}: what a node says of outages, of lost work and of threads that hang is lost.",
            hint=hint,
            id="cronjobs.W030",
        )
        for why, hint in _silences()
    ]


@checks.register(checks.Tags.templates)
def check_templates(**_: Any) -> list[checks.CheckMessage]:
    """W033: the app's templates are not found, so there are no letters, and no pages in the admin."""
    settings = sound_settings()
    if not apps.is_installed("django.contrib.admin") and not (settings and settings.notifiers):
        return []
    try:
        get_template(_TEMPLATE)
    except (TemplateDoesNotExist, ImproperlyConfigured):
        text = "The app's templates are not found: letters about alerts, and its pages in the admin, cannot be made."
        hint = "Let TEMPLATES have DjangoTemplates with APP_DIRS, or the loader app_directories."
        return [checks.Warning(text, hint=hint, id="cronjobs.W033")]
    return []


# Not with the others, which nodes run when they start: it imports every view of the project.
@checks.register(checks.Tags.urls)
def check_mount(**_: Any) -> list[checks.CheckMessage]:
    """W034: the API is mounted so that it hides other pages, or has other addresses than those that are documented."""
    found: list[checks.CheckMessage] = []
    for each in mounts():
        if not each.prefix and each.hides_others:
            text = "cronjobs.api.urls is included without a prefix: it answers every address, and what comes after is never reached."
            hint = 'Write path("cron/", include("cronjobs.api.urls")), or let it come last.'
            found.append(checks.Warning(text, hint=hint, id="cronjobs.W034"))
        elif each.prefix and not each.prefix.endswith("/"):
            text = f"cronjobs.api.urls is included at {each.prefix!r}, without a slash: its addresses are such as /{each.prefix}status."
            hint = f'Write path("{each.prefix}/", include("cronjobs.api.urls")).'
            found.append(checks.Warning(text, hint=hint, id="cronjobs.W034"))
    return found


class Mount(NamedTuple):
    """A place at which the project's URLs include the API: what addresses begin with, and whether others come after it."""

    prefix: str
    hides_others: bool


def mounts() -> list[Mount]:
    """Return where the project's URLs include the API; nowhere, if it has none or they cannot be imported."""
    if not getattr(django_settings, "ROOT_URLCONF", None):
        return []
    try:
        return list(_mounts_in(get_resolver(), "", is_last=True))
    except Exception:  # noqa: BLE001 - they are the project's own, and Django's check of URLs tells of it
        return []


def _mounts_in(resolver: URLResolver, prefix: str, *, is_last: bool) -> Iterator[Mount]:
    patterns = resolver.url_patterns
    for number, each in enumerate(patterns, start=1):
        if not isinstance(each, URLResolver):
            continue
        inner, ends = prefix + str(each.pattern).removeprefix("^"), is_last and number == len(patterns)
        if each.app_name == "cronjobs":
            yield Mount(inner, hides_others=not ends)
        else:
            yield from _mounts_in(each, inner, is_last=ends)


def _tables(app: str) -> list[type[Model]]:
    models = apps.get_app_config(app).get_models()
    return [each for each in models if each._meta.managed and not each._meta.proxy]  # noqa: SLF001 - Django's documented API


def _not_migrated(models: list[type[Model]]) -> Iterator[checks.CheckMessage]:
    kept = sorted(each._meta.label for each in models if not router.allow_migrate_model(engine_alias(each), each))  # noqa: SLF001 - Django's documented API
    if kept:
        yield checks.Warning(
            f"DATABASE_ROUTERS do not let migrate make the tables of {', '.join(kept)} in {engine_alias(JobExecution)!r}, "
            "where the engine looks for them.",
            hint="Let allow_migrate answer True, or None, for the database that db_for_write names.",
            id="cronjobs.W031",
        )


def _of_users() -> Iterator[checks.CheckMessage]:
    try:
        users, here = engine_alias(get_user_model()), engine_alias(JobExecution)
    except ImproperlyConfigured:
        # Django's own checks tell of it.
        return
    if users != here:
        yield checks.Warning(
            f"DATABASE_ROUTERS put users into {users!r} and the app into {here!r}: keys of the API, which belong to users, "
            "cannot be made there.",
            hint="Give users and cronjobs the same database, or let programs use tokens.",
            id="cronjobs.W032",
        )


def _of_pool(alias: str) -> Iterator[checks.CheckMessage]:
    settings, connection = sound_settings(), connections[alias]
    pool = connection.settings_dict.get("OPTIONS", {}).get("pool")
    if not pool or connection.vendor != "postgresql" or settings is None:
        return
    size = (pool.get("max_size") or pool.get("min_size", _POOL_SIZE)) if isinstance(pool, Mapping) else _POOL_SIZE
    needed = settings.workers + _OWN_THREADS
    if size < needed:
        yield checks.Warning(
            f"The pool of DATABASES[{alias!r}] has {size} connections, and a node uses up to {needed} (WORKERS + "
            f"{_OWN_THREADS}): its threads would wait for each other.",
            hint=f"Set OPTIONS['pool'] = {{'max_size': {needed}}} for nodes, or leave the pool out there.",
            id="cronjobs.W028",
        )


def _silences() -> Iterator[tuple[str, str]]:
    known = logging.root.manager.loggerDict.items()
    ours = [(name, each) for name, each in known if name == "cronjobs" or name.startswith("cronjobs.")]
    if disabled := sorted(name for name, each in ours if getattr(each, "disabled", False)):
        yield (
            f"The log of {', '.join(disabled[:3])} is disabled",
            "Set disable_existing_loggers to False in LOGGING.",
        )
    # By what is configured: commands that say themselves what happened keep the log quiet meanwhile.
    configured = (getattr(django_settings, "LOGGING", None) or {}).get("loggers", {}).get("cronjobs", {})
    level = configured.get("level") or logging.getLogger().level
    number = level if isinstance(level, int) else logging.getLevelNamesMapping().get(str(level).upper(), 0)
    if number > logging.WARNING:
        yield (
            f"LOGGING lets nothing of cronjobs through below {logging.getLevelName(number)}",
            "Give the logger cronjobs the level WARNING, or INFO.",
        )
    handlers = _handlers()
    if handlers and all(isinstance(each, logging.NullHandler) for each in handlers):
        yield ("LOGGING gives what cronjobs logs to nobody but a NullHandler", "Give it a handler that writes.")


def _handlers() -> list[logging.Handler]:
    logger: logging.Logger | None = logging.getLogger("cronjobs")
    found: list[logging.Handler] = []
    while logger is not None:
        found += logger.handlers
        logger = logger.parent if logger.propagate else None
    return found
