"""What to think of before a site goes into production, for `manage.py check --deploy`: W1xx, and I1xx where it may be meant so.

Nothing here asks the database: whether nodes are alive is for `croncheck --require-node`, once they should be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.conf import settings as django_settings
from django.core import checks
from django.db import connections

from cronjobs.alerts import AlertPolicy
from cronjobs.checks._common import sound_settings
from cronjobs.checks._project import mounts
from cronjobs.conf import Settings
from cronjobs.database import engine_alias
from cronjobs.masking import is_secret
from cronjobs.models import JobExecution
from cronjobs.notifications.configured import SHORT_NAMES
from cronjobs.registry import registry

DEPLOYMENT: Final = "cronjobs_deployment"

_PURGE: Final = "purge-history"
_DJANGOS_SENDER: Final = "webmaster@localhost"
# Backends of Django's that send nothing to anybody.
_SENDS_NOTHING: Final = ("console", "dummy", "filebased", "locmem")
_PER_PROCESS: Final = {
    "django.core.cache.backends.locmem.LocMemCache": "each web process counts for itself, and lets as many through",
    "django.core.cache.backends.dummy.DummyCache": "nothing is counted, and everything let through",
}


@checks.register(DEPLOYMENT, deploy=True)
def check_deployment(**_: Any) -> list[checks.CheckMessage]:
    """W101, W107, W109, W110, W112, I102: what the engine is to work with and for, in production."""
    settings = sound_settings()
    return [] if settings is None else [*_of_engine(settings), *_of_stored(settings)]


@checks.register(DEPLOYMENT, deploy=True)
def check_telling(**_: Any) -> list[checks.CheckMessage]:
    """W102, W103, W104, W108, I101: whether anybody hears that something is wrong."""
    settings = sound_settings()
    return [] if settings is None else [*_of_people(settings), *_of_letters(settings)]


@checks.register(DEPLOYMENT, deploy=True)
def check_api_limits(**_: Any) -> list[checks.CheckMessage]:
    """W105, W106, W111: whether the API, if there is one, is limited as it seems to be."""
    settings = sound_settings()
    return [] if settings is None or not mounts() else [*_of_limits(settings), *_of_proxies()]


def _of_engine(settings: Settings) -> Iterator[checks.CheckMessage]:
    connection = connections[engine_alias(JobExecution)]
    if connection.vendor == "sqlite":
        yield checks.Warning(
            "The engine's tables are in SQLite, which has one writer: fine for one machine, and not for several.",
            hint="Use PostgreSQL or MariaDB for several machines, or for much work. Silence this where one machine is all.",
            id="cronjobs.W101",
        )
    if settings.paused:
        yield checks.Warning(
            "CRONJOBS['PAUSED'] is True: nothing is scheduled, and nothing runs.",
            hint="Take it out. For a while, cronqueue --pause-all does the same, and needs no new settings.",
            id="cronjobs.W107",
        )
    wants_celery = settings.executor == "celery" or "celery" in settings.queue_executors.values()
    has_pool = connection.settings_dict.get("OPTIONS", {}).get("pool")
    if wants_celery and connection.settings_dict.get("CONN_MAX_AGE") == 0 and not has_pool:
        yield checks.Info(
            "CONN_MAX_AGE is 0: on Celery workers each execution opens a connection to the database, and closes it.",
            hint="Set CONN_MAX_AGE to 60 or more for workers, with CONN_HEALTH_CHECKS.",
            id="cronjobs.I102",
        )


def _of_stored(settings: Settings) -> Iterator[checks.CheckMessage]:
    shown = [each for each in Settings().mask if not is_secret(each, settings.mask)]
    if shown:
        yield checks.Warning(
            f"CRONJOBS['MASK'] does not cover {', '.join(shown)}: values under such names are stored and shown as they are.",
            hint="MASK replaces the words that are masked by themselves: write them beside your own.",
            id="cronjobs.W109",
        )
    if not settings.unregister_stock_admin and apps.is_installed("django.contrib.admin"):
        yield checks.Warning(
            "CRONJOBS['UNREGISTER_STOCK_ADMIN'] is False: django-apscheduler's own pages unpickle rows, and let whoever may "
            "look at them run jobs.",
            hint="Leave it at True, unless nobody but you can use the admin.",
            id="cronjobs.W110",
        )
    definition = registry.get(_PURGE)
    usual_schedule = definition.schedule if definition else None
    if not settings.schedules.get(_PURGE, usual_schedule):
        yield checks.Warning(
            f"CRONJOBS['SCHEDULES'] turns {_PURGE} off: the history grows for ever.",
            hint="Take it out of SCHEDULES, or let purge_executions run by other means.",
            id="cronjobs.W112",
        )


def _of_people(settings: Settings) -> Iterator[checks.CheckMessage]:
    if settings.notifiers and not settings.base_url:
        yield checks.Warning(
            "There are notifiers, and CRONJOBS['BASE_URL'] is empty: messages have no links to what they tell of.",
            hint='Set BASE_URL to where people reach this site, such as "https://ops.example.com".',
            id="cronjobs.W102",
        )
    if not settings.notifiers or not any(_is_told(each, settings) for each in (AlertPolicy(), *_own_policies())):
        why = "CRONJOBS['ALERTS'] tells nobody of anything" if settings.notifiers else "There is no notifier"
        yield checks.Warning(
            f"{why}: that a job fails is seen by whoever looks, and by nobody else.",
            hint="Set NOTIFIERS (docs/alerts.md). Silence this where something else watches, such as Prometheus.",
            id="cronjobs.W103",
        )
    if not settings.heartbeat_url:
        yield checks.Warning(
            "CRONJOBS['HEARTBEAT_URL'] is empty: that no node is alive, no node can tell.",
            hint="Set it to a ping URL of a monitor. Silence this where one asks GET /cron/scheduling, or cronstatus.",
            id="cronjobs.W104",
        )
    if not settings.ping_hosts:
        yield checks.Info(
            "CRONJOBS['PING_HOSTS'] is empty: whoever may change a job can let nodes call any address that they reach.",
            hint="Name the hosts of your monitors, as in ['hc-ping.com'].",
            id="cronjobs.I101",
        )


def _own_policies() -> Iterator[AlertPolicy]:
    return (each.alerts for each in registry)


def _is_told(policy: AlertPolicy, settings: Settings) -> bool:
    kinds = settings.alerts.on if policy.on is None else policy.on
    return bool(kinds) and (settings.alerts.to if policy.to is None else policy.to) != ()


def _of_letters(settings: Settings) -> Iterator[checks.CheckMessage]:
    entries = [each for each in settings.notifiers.values() if each["CLASS"] in ("email", SHORT_NAMES["email"])]
    # With Django 6.1's MAILERS it is another setting, which each site has filled itself.
    if not entries or getattr(django_settings, "MAILERS", None):
        return
    backend = str(django_settings.EMAIL_BACKEND)
    if backend in {f"django.core.mail.backends.{each}.EmailBackend" for each in _SENDS_NOTHING}:
        yield checks.Warning(
            f"A notifier is to write letters, and EMAIL_BACKEND is {backend}: they reach nobody.",
            hint="Set EMAIL_BACKEND to one that sends, and try it with manage.py cronalert test.",
            id="cronjobs.W108",
        )
    elif django_settings.DEFAULT_FROM_EMAIL == _DJANGOS_SENDER and not all(each.get("FROM_EMAIL") for each in entries):
        yield checks.Warning(
            f"Letters about alerts come from {_DJANGOS_SENDER}, Django's own default, which many servers refuse.",
            hint="Set DEFAULT_FROM_EMAIL, or FROM_EMAIL of the notifier, and try it with manage.py cronalert test.",
            id="cronjobs.W108",
        )


def _of_limits(settings: Settings) -> Iterator[checks.CheckMessage]:
    off = [name for name, rate in settings.throttles.items() if rate is None]
    if off:
        yield checks.Warning(
            f"CRONJOBS['THROTTLES'] has no limit for {', '.join(off)}: one caller may ask, or guess, as often as it can.",
            hint="Give each a rate, such as 600/min.",
            id="cronjobs.W105",
        )
    if len(off) == len(settings.throttles):
        return
    backend = str(django_settings.CACHES.get(settings.cache, {}).get("BACKEND", ""))
    if why := _PER_PROCESS.get(backend):
        yield checks.Warning(
            f"CRONJOBS['THROTTLES'] are counted in the cache {settings.cache!r}, a {backend.rpartition('.')[2]}: {why}.",
            hint="Use a cache that all web processes share, such as Redis or Memcached, and name it in CRONJOBS['CACHE'].",
            id="cronjobs.W106",
        )


def _of_proxies() -> Iterator[checks.CheckMessage]:
    """Yield what is wrong where the settings say themselves that a proxy stands before the site."""
    is_behind = bool(django_settings.SECURE_PROXY_SSL_HEADER or django_settings.USE_X_FORWARDED_HOST)
    proxies = (getattr(django_settings, "REST_FRAMEWORK", None) or {}).get("NUM_PROXIES")
    if is_behind and not proxies:
        yield checks.Warning(
            "A proxy stands before this site, and REST_FRAMEWORK['NUM_PROXIES'] does not count it: all callers have its "
            "address, share its limits, and are recorded under it.",
            hint="Set NUM_PROXIES to how many proxies add to X-Forwarded-For, such as 1.",
            id="cronjobs.W111",
        )
