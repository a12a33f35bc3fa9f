"""System checks of settings that are each sound, and do not go together or lead nowhere."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core import checks

from cronjobs.addresses import split_address
from cronjobs.checks._common import Mistake, advice, sound_settings, span
from cronjobs.checks._names import mistake_in_class_name
from cronjobs.conf import AlertSettings, Settings
from cronjobs.exceptions import InvalidAddress
from cronjobs.registry import registry


@checks.register("cronjobs")
def check_combinations(**_: Any) -> list[checks.CheckMessage]:
    """W019: two settings do not go together."""
    settings = sound_settings()
    if settings is None:
        return []
    found = [*_of_times(settings), *_of_keeping(settings), *_of_alerts(settings.alerts), *_of_texts(settings)]
    return [checks.Warning(text, hint=hint, id="cronjobs.W019") for text, hint in found]


@checks.register("cronjobs")
def check_queue_executors(**_: Any) -> list[checks.CheckMessage]:
    """W020: QUEUE_EXECUTORS names a queue that no definition uses, so it decides nothing unless somebody uses it."""
    settings = sound_settings()
    if settings is None:
        return []
    queues = {each.queue for each in registry}
    otherwise = "Correct the name or take it out, unless somebody gives a job that queue in the admin."
    return [
        checks.Warning(
            f"CRONJOBS['QUEUE_EXECUTORS'] names the queue {name!r}, which no job definition uses.",
            hint=advice(name, sorted(queues), otherwise),
            id="cronjobs.W020",
        )
        for name in settings.queue_executors
        if name not in queues
    ]


@checks.register("cronjobs")
def check_never_retried(**_: Any) -> list[checks.CheckMessage]:
    """W021: what is never to be retried is named in a way that no error is called, so it is retried."""
    settings = sound_settings()
    wanted: list[tuple[str, str | None, tuple[str, ...]]] = []
    if settings:
        wanted.append(("CRONJOBS['RETRY']['NEVER']", None, settings.retry.never))
    wanted += [("never_retry", each.name, each.retry.never_retry) for each in registry if each.retry]
    return [
        checks.Warning(f"{where} names {name!r}: {mistake.why}", hint=mistake.hint, obj=job, id="cronjobs.W021")
        for where, job, names in wanted
        for name in names
        if (mistake := mistake_in_class_name(name))
    ]


@checks.register("cronjobs")
def check_ping_hosts(**_: Any) -> list[checks.CheckMessage]:
    """W022: PING_HOSTS has what is no host, or keeps the pings of a definition from their monitor."""
    settings = sound_settings()
    if settings is None or not settings.ping_hosts:
        return []
    found: list[checks.CheckMessage] = [
        checks.Warning(
            f"CRONJOBS['PING_HOSTS'] has {each!r}, which is no host: no ping goes there.",
            hint="Name the host alone, as in hc-ping.com, or .example.com for all below it.",
            id="cronjobs.W022",
        )
        for each in settings.ping_hosts
        if not _is_host(each.removeprefix("."))
    ]
    return found + [
        checks.Warning(
            f"Its ping_url leads to {host}, which CRONJOBS['PING_HOSTS'] does not have: its monitor hears nothing.",
            hint="Add the host to PING_HOSTS, or leave ping_url out.",
            obj=each.name,
            id="cronjobs.W022",
        )
        for each in registry
        if each.ping_url and (host := urlsplit(each.ping_url).hostname) and not _is_allowed(each.ping_url, settings)
    ]


@checks.register("cronjobs")
def check_name_of_settings(**_: Any) -> list[checks.CheckMessage]:
    """W023: there is no CRONJOBS, and a setting that is called nearly so."""
    if hasattr(django_settings, "CRONJOBS"):
        return []
    near = difflib.get_close_matches("CRONJOBS", [each for each in dir(django_settings) if each.isupper()], cutoff=0.85)
    return [
        checks.Warning(
            f"There is a setting {name}, and none that is called CRONJOBS: the app does not look at it.",
            hint="Did you mean 'CRONJOBS'?",
            id="cronjobs.W023",
        )
        for name in near
        if isinstance(getattr(django_settings, name), Mapping)
    ]


@checks.register("cronjobs")
def check_mongodb(**_: Any) -> list[checks.CheckMessage]:
    """W024: MONGODB_URI cannot be used, so the jobs that need MongoDB fail. It is not quoted: it may hold a password."""
    settings = sound_settings()
    if settings is None or not settings.mongodb_uri:
        return []
    if not settings.mongodb_uri.startswith(("mongodb://", "mongodb+srv://")):
        text = "CRONJOBS['MONGODB_URI'] begins neither with mongodb:// nor with mongodb+srv://."
        hint = "It has the form mongodb://user:password@host:port/database?options; leave it out where there is none."
        return [checks.Warning(text, hint=hint, id="cronjobs.W024")]
    missing = [name for name in ("mongoengine", "pymongo") if find_spec(name) is None]
    if not missing:
        return []
    text = (
        f"CRONJOBS['MONGODB_URI'] is set, and {' and '.join(missing)} cannot be imported: the jobs that need it fail."
    )
    return [checks.Warning(text, hint="Install the extra: pip install 'cronjobs[mongo]'.", id="cronjobs.W024")]


@checks.register("cronjobs")
def check_body_limit(**_: Any) -> list[checks.CheckMessage]:
    """W035: Django refuses bodies that API_MAX_BODY would let in."""
    settings = sound_settings()
    # None: any number.
    most: Any = django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if settings is None or most is None or settings.api_max_body <= most:
        return []
    text = (
        f"CRONJOBS['API_MAX_BODY'] is {settings.api_max_body}, and Django takes no body of more than {most} bytes "
        "(DATA_UPLOAD_MAX_MEMORY_SIZE)."
    )
    return [checks.Warning(text, hint="Raise the latter as well, or lower API_MAX_BODY.", id="cronjobs.W035")]


def _of_times(settings: Settings) -> Iterator[Mistake]:
    from cronjobs.scheduler.planner import ON_TIME

    retry, grace, poll = settings.retry, settings.misfire_grace, settings.poll_interval
    if retry.initial_delay > retry.max_delay:
        yield Mistake(
            f"CRONJOBS['RETRY']: INITIAL_DELAY ({span(retry.initial_delay)}) is longer than MAX_DELAY "
            f"({span(retry.max_delay)}), which every wait is cut to.",
            "Raise MAX_DELAY, or lower INITIAL_DELAY.",
        )
    if poll > max(grace, ON_TIME):
        yield Mistake(
            f"CRONJOBS: MISFIRE_GRACE ({span(grace)}) is shorter than POLL_INTERVAL ({span(poll)}): what a node sees "
            "only with its next look may be missed by then.",
            "Raise MISFIRE_GRACE above POLL_INTERVAL, or lower POLL_INTERVAL.",
        )


def _of_keeping(settings: Settings) -> Iterator[Mistake]:
    from cronjobs.retention import kept_at_least

    if settings.misfire_grace > kept_at_least():
        yield Mistake(
            f"CRONJOBS: MISFIRE_GRACE ({span(settings.misfire_grace)}) is longer than executions are kept for certain "
            f"({span(kept_at_least())}): of a due time that is caught up so late nothing may show any more that it has run.",
            "Lower MISFIRE_GRACE, or keep executions longer (HISTORY_RETENTION; HISTORY_PER_JOB keeps a day for certain).",
        )
    if settings.failure_retention < settings.history_retention:
        yield Mistake(
            f"CRONJOBS: FAILURE_RETENTION ({span(settings.failure_retention)}) is shorter than HISTORY_RETENTION "
            f"({span(settings.history_retention)}): failures are deleted before what went well.",
            "Raise FAILURE_RETENTION to at least HISTORY_RETENTION.",
        )
    if settings.rollup_retention < settings.history_retention:
        yield Mistake(
            f"CRONJOBS: ROLLUP_RETENTION ({span(settings.rollup_retention)}) is shorter than HISTORY_RETENTION "
            f"({span(settings.history_retention)}): figures are deleted before the executions that they add up.",
            "Raise ROLLUP_RETENTION to at least HISTORY_RETENTION.",
        )


def _of_alerts(alerts: AlertSettings) -> Iterator[Mistake]:
    for name in ("late_after", "expected_duration", "no_success_after", "queue_stuck_after"):
        limit = getattr(alerts, name)
        if limit is not None and alerts.interval > limit:
            yield Mistake(
                f"CRONJOBS['ALERTS']: INTERVAL ({span(alerts.interval)}) is longer than {name.upper()} ({span(limit)}): "
                "what is wrong for that long may be over before a node looks.",
                f"Lower INTERVAL, or raise {name.upper()}.",
            )


def _of_texts(settings: Settings) -> Iterator[Mistake]:
    if settings.log_message_max_bytes > settings.log_max_bytes:
        yield Mistake(
            f"CRONJOBS: LOG_MESSAGE_MAX_BYTES ({settings.log_message_max_bytes}) is more than LOG_MAX_BYTES "
            f"({settings.log_max_bytes}): one message may be longer than all of an execution's log.",
            "Raise LOG_MAX_BYTES, or lower LOG_MESSAGE_MAX_BYTES.",
        )
    base = urlsplit(settings.base_url)
    if base.query or base.fragment:
        yield Mistake(
            "CRONJOBS['BASE_URL'] has more behind its path, so the links that are made of it lead nowhere.",
            "End it before ? and #, as in https://ops.example.com.",
        )


def _is_host(text: str) -> bool:
    try:
        parts = split_address(f"https://[{text}]/" if ":" in text else f"https://{text}/")
    except InvalidAddress:
        return False
    # With a port or a path it would be the name of no host.
    return parts.hostname == text.lower()


def _is_allowed(address: str, settings: Settings) -> bool:
    try:
        split_address(address, hosts=settings.ping_hosts)
    except InvalidAddress:
        return False
    return True
