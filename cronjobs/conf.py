"""What an operator may change: the ``CRONJOBS`` setting, parsed once into one frozen object."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, ClassVar, Self, get_type_hints

from django.conf import settings as django_settings

from cronjobs.alerts import MOST_FAILURES, AlertKind, parse_kinds, parse_notifiers
from cronjobs.exceptions import InvalidAlert, InvalidSettings
from cronjobs.limits import RateLimit, parse_rate_limit
from cronjobs.parsing import PARSERS, Address, Bytes, Parser, did_you_mean, exceeded, rates

DEFAULT_SCHEDULES: Mapping[str, str | None] = types.MappingProxyType(
    {
        "cleanup-legacy-conversations": "*/5 * * * *",
        "cleanup-old-quotes": "0 2 * * *",
        "health-check": "*/10 * * * *",
        "roll-up-history": "6 * * * *",
    }
)
# Requests of one caller to the HTTP API; of `refused`, answers 401 and 403 to one address.
DEFAULT_THROTTLES: Mapping[str, RateLimit | None] = types.MappingProxyType(
    {
        scope: parse_rate_limit(rate)
        for scope, rate in (("read", "12000/min"), ("write", "1200/min"), ("execute", "600/min"), ("refused", "60/min"))
    }
)

_NOTHING: Mapping[str, Any] = types.MappingProxyType({})
EXECUTORS = ("thread", "process", "celery")


def _setting(
    meaning: str, *, default: Any, low: float | None = None, high: float | None = None, one_of: tuple[str, ...] = ()
) -> Any:
    """Declare a field with what the documentation and the parser need to know about it."""
    metadata = {"meaning": meaning, "low": low, "high": high, "one_of": one_of}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


class Parsed:
    """A frozen dataclass that is filled from a mapping with upper-case keys. Fields know `low`, `high` and `one_of`."""

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any], *, path: str) -> Self:
        """Return the object that `raw` describes; raise `InvalidSettings` for what it does not know."""
        if not isinstance(raw, Mapping):
            raise InvalidSettings(f"{path} must be a dict, not {type(raw).__name__}.")
        known = {each.name.upper(): each for each in fields(cls)}  # type: ignore[arg-type]  # subclasses are dataclasses
        for key in raw:
            if key not in known:
                raise InvalidSettings(f"{path} has no key {key!r}.{did_you_mean(str(key), known)}")
        hints = get_type_hints(cls)
        values = {
            known[key].name: _parse(hints[known[key].name], value, known[key].metadata, f"{path}[{key!r}]")
            for key, value in raw.items()
        }
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings(Parsed):
    """How often and how soon a failed attempt is tried again, where a definition does not say."""

    max_attempts: int = _setting("Attempts in all, the first included.", default=3, low=1)
    initial_delay: timedelta = _setting("Wait after the first failed attempt.", default=timedelta(seconds=1), low=0)
    max_delay: timedelta = _setting("No wait is longer than this.", default=timedelta(seconds=30), low=0)
    backoff_multiplier: float = _setting("Each wait is this many times the one before.", default=2.0, low=1)
    jitter: float = _setting("Each wait is spread by up to this fraction of itself.", default=0.1, low=0, high=1)
    never: tuple[str, ...] = _setting(
        "Qualified class names, beside the built-in ones, that are never retried.", default=()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings(Parsed):
    """Of what, whom and when people are told, where neither job nor definition says."""

    on: tuple[AlertKind, ...] = _setting(
        "Kinds of alerts. Of the site's own, the others are off.", default=tuple(AlertKind)
    )
    to: tuple[str, ...] | None = _setting("Names of NOTIFIERS. None: all of them.", default=None)
    after: int = _setting("Executions in a row that have to fail.", default=1, low=1, high=MOST_FAILURES)
    late_after: timedelta | None = _setting("How long an execution may wait for its start.", default=None, low=1)
    expected_duration: timedelta | None = _setting("How long an attempt may run.", default=None, low=1)
    no_success_after: timedelta | None = _setting("How long a job may be without a success.", default=None, low=1)
    queue_stuck_after: timedelta = _setting(
        "How long executions of a queue may be due while nothing of it runs.", default=timedelta(minutes=5), low=1
    )
    interval: timedelta = _setting("How often a node looks.", default=timedelta(seconds=5), low=0.1)
    log_lines: int = _setting("Last lines of the log in a message.", default=20, low=0, high=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Parsed):
    """Every key of ``CRONJOBS``; each has a safe default."""

    time_zone: str = _setting("Zone of every schedule that names none (an IANA name).", default="UTC")
    schedules: Mapping[str, str | None] = _setting(
        "Schedule by job name; overrides the definition's own. None: on demand only.", default=DEFAULT_SCHEDULES
    )
    retry: RetrySettings = field(
        default_factory=RetrySettings,
        metadata={
            "meaning": "Defaults for jobs that set no retry policy: MAX_ATTEMPTS, INITIAL_DELAY, MAX_DELAY, "
            "BACKOFF_MULTIPLIER, JITTER, NEVER."
        },
    )
    alerts: AlertSettings = field(
        default_factory=AlertSettings,
        metadata={
            "meaning": "Of what, whom and when people are told: ON, TO, AFTER, LATE_AFTER, EXPECTED_DURATION, "
            "NO_SUCCESS_AFTER, QUEUE_STUCK_AFTER, INTERVAL, LOG_LINES; docs/alerts.md explains them."
        },
    )
    paused: bool = _setting("True: nothing is scheduled and nothing is claimed.", default=False)
    misfire_grace: timedelta = _setting("How late an occurrence may still start.", default=timedelta(hours=1), low=0)
    catch_up: str = _setting(
        "Which occurrences within the grace run after an outage: skip (none), latest or all.",
        default="latest",
        one_of=("skip", "latest", "all"),
    )
    catch_up_cap: int = _setting("With catch_up all: at most so many occurrences, the newest.", default=100, low=1)
    workers: int = _setting("Executions that one node performs at the same time.", default=8, low=1)
    executor: str = _setting(
        "Where attempts run if neither job, queue nor definition says: thread, process or celery. "
        "A job with a limit gets a process, on the node or on the Celery worker.",
        default="thread",
        one_of=EXECUTORS,
    )
    queue_executors: Mapping[str, str] = _setting(
        "EXECUTOR for the jobs of one queue: name of the queue to thread, process or celery.", default=_NOTHING
    )
    celery_app: str = _setting(
        "The project's Celery app, as in project.celery.app, whose workers perform jobs. Empty: there is none.",
        default="",
    )
    dispatch_limit: int = _setting(
        "So many executions of one queue, about, are with the broker at once. Further ones wait in the database, by priority.",
        default=100,
        low=1,
    )
    dispatch_timeout: timedelta = _setting(
        "An execution that no Celery worker has begun so long after it was handed to the broker is handed to it again.",
        default=timedelta(minutes=2),
        low=1,
    )
    kill_grace: timedelta = _setting(
        "How long a process that is to end has between SIGTERM and SIGKILL.", default=timedelta(seconds=5), low=0
    )
    poll_interval: timedelta = _setting(
        "A node looks for work at least this often.", default=timedelta(seconds=1), low=0.05
    )
    lease: timedelta = _setting(
        "A claim that is not renewed for this long is lost (3 s at least).", default=timedelta(seconds=30), low=3
    )
    shutdown_grace: timedelta = _setting(
        "How long a stopping node waits for what is running.", default=timedelta(seconds=30), low=0
    )
    drain_grace: timedelta | None = _setting(
        "How long a node that is asked to drain waits for what is running. None: as long as it takes.",
        default=None,
        low=0,
    )
    stuck_after: timedelta = _setting(
        "A thread of a node that gives no sign of life for so long is stuck: cronstatus, the probe scheduling, "
        "the admin and the log tell of it, and systemd's watchdog is not fed.",
        default=timedelta(seconds=60),
        low=1,
    )
    max_lost: int = _setting("A job with rerun_lost is queued again at most this many times.", default=3, low=0)
    execute_timeout: timedelta = _setting(
        "How long POST execute waits for the result before it answers 202.", default=timedelta(seconds=25), low=0
    )
    execute_max_waiting: int = _setting(
        "Requests per web process that may wait for a result at once.", default=4, low=0
    )
    execute_inline: str = _setting(
        "auto: POST execute performs the job itself when no node is alive; never: it answers 202.",
        default="auto",
        one_of=("auto", "never"),
    )
    api_max_body: Bytes = _setting("Longest body of a request to the HTTP API, in bytes.", default=1_000_000, low=100)
    throttles: Mapping[str, RateLimit | None] = _setting(
        "How many requests of one caller the HTTP API answers: what reads, what writes, and what runs jobs; "
        "and how often one address is refused before it is told to wait. None: any number.",
        default=DEFAULT_THROTTLES,
    )
    cache: str = _setting(
        "The one of CACHES in which THROTTLES are counted. One of its own keeps what the site caches from pushing counts out.",
        default="default",
    )
    suspicious_refusals: int = _setting(
        "An address, or a user, that the HTTP API refuses so often within SUSPICIOUS_WINDOW is reported.",
        default=10,
        low=1,
    )
    suspicious_window: timedelta = _setting(
        "The time for SUSPICIOUS_REFUSALS (a minute at least); an address is reported once in it.",
        default=timedelta(minutes=5),
        low=60,
    )
    log_max_bytes: int = _setting(
        "Log text kept per execution; the rest is counted, not kept. Each further attempt may keep a tenth of it in any case.",
        default=1_000_000,
        low=1_000,
    )
    log_message_max_bytes: int = _setting(
        "Longest single log message, and longest data of one; longer ones are cut.", default=16_000, low=100
    )
    result_max_bytes: int = _setting("Largest result stored as it is; larger ones are cut.", default=64_000, low=100)
    mask: tuple[str, ...] = _setting(
        "Values under names that contain one of these words are masked: in parameters wherever they are shown, in results and log data, "
        "and in text (log messages, errors, tracebacks, reasons) where they follow such a name, as in password=x or Authorization: Bearer x.",
        default=(
            "password",
            "passwd",
            "secret",
            "token",
            "api_key",
            "apikey",
            "authorization",
            "cookie",
            "private_key",
        ),
    )
    history_retention: timedelta = _setting(
        "Executions are kept this long (a day at least); cronbackfill goes further back only with --force.",
        default=timedelta(days=30),
        low=86_400,
    )
    failure_retention: timedelta = _setting(
        "The same for those that failed, timed out or were lost.", default=timedelta(days=90), low=86_400
    )
    history_per_job: int | None = _setting(
        "Of what ended more than a day ago, only so many are kept of each job, and as many failures. None: any number.",
        default=None,
        low=1,
    )
    audit_retention: timedelta = _setting(
        "What the HTTP API was asked and refused is kept this long (a day at least).",
        default=timedelta(days=90),
        low=86_400,
    )
    alert_retention: timedelta = _setting(
        "What people were told of, and what became of each message, is kept this long (a day at least).",
        default=timedelta(days=90),
        low=86_400,
    )
    rollup_retention: timedelta = _setting(
        "The figures of each job and hour are kept this long (a day at least).",
        default=timedelta(days=730),
        low=86_400,
    )
    mongodb_uri: str = _setting("mongodb://… of the conversation database; empty: not configured.", default="")
    mongodb_timeout: timedelta = _setting(
        "How long to look for a MongoDB server before giving up.", default=timedelta(seconds=3), low=0.1
    )
    legacy_minutes: int = _setting("An active conversation older than this is stale.", default=10, low=1)
    quote_retention: timedelta = _setting(
        "Quotes are deleted this long after createdAt.", default=timedelta(days=90), low=0
    )
    base_url: Address = _setting(
        "Where people reach this site, such as https://ops.example.com: messages link to its admin. Empty: no links.",
        default="",
    )
    notifiers: Mapping[str, Mapping[str, Any]] = _setting(
        "Whom alerts are sent to: name to a dict with CLASS (email, webhook or a dotted path) and its options.",
        default=_NOTHING,
    )
    ping_hosts: tuple[str, ...] = _setting(
        "The only hosts that a job's ping URL may lead to; .example.com: that one and all below it. Empty: any.",
        default=(),
    )
    heartbeat_url: Address = _setting(
        "A ping URL that nodes call as long as they are well, for a monitor that notices when none is. Empty: none.",
        default="",
    )
    heartbeat_interval: timedelta = _setting(
        "How often each node calls HEARTBEAT_URL.", default=timedelta(minutes=1), low=1
    )
    unregister_stock_admin: bool = _setting(
        "Hide django-apscheduler's own admin pages, which unpickle rows.", default=True
    )

    def __post_init__(self) -> None:
        """Refuse what each for itself may be, and not together."""
        if not self.celery_app and "celery" in (self.executor, *self.queue_executors.values()):
            raise InvalidSettings("CRONJOBS wants Celery to perform jobs, and CRONJOBS['CELERY_APP'] names no app.")


class _Known:
    """What CRONJOBS was when it was read last, and what it came to; replaced as one, since threads read settings."""

    last: ClassVar[tuple[object, Settings]] = ({}, Settings())


def get_settings() -> Settings:
    """Return the current settings; raise `InvalidSettings` if they cannot be understood."""
    raw = getattr(django_settings, "CRONJOBS", _NOTHING)
    known, parsed = _Known.last
    # By identity: a setting is replaced, not changed in place.
    if raw is not known:
        parsed = Settings.from_mapping(raw, path="CRONJOBS")
        _Known.last = (raw, parsed)
    return parsed


def configured_notifiers(value: str | Iterable[str]) -> tuple[str, ...]:
    """Return the names that text with commas, or a list, has; raise `InvalidAlert` for one that NOTIFIERS does not have."""
    names, known = parse_notifiers(value), get_settings().notifiers
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) if known else " There are none."
            raise InvalidAlert(f"CRONJOBS['NOTIFIERS'] has no {name!r}.{hint}")
    return names


def settings_or_defaults() -> Settings:
    """Return the current settings; the defaults where they cannot be understood and life must go on all the same."""
    try:
        return get_settings()
    except InvalidSettings:
        return Settings()


def words_to_mask() -> tuple[str, ...]:
    """Return MASK, whatever is wrong with the rest of the settings."""
    return settings_or_defaults().mask


def _parse(hint: Any, value: Any, metadata: Mapping[str, Any], path: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, Parsed):
        return hint.from_mapping(value, path=path)
    parsed = _PARSERS[hint](value, path)
    one_of = metadata["one_of"]
    if one_of and parsed not in one_of:
        raise InvalidSettings(f"{path} must be one of {', '.join(map(repr, one_of))}, not {value!r}.")
    if limit := exceeded(parsed, metadata["low"], metadata["high"]):
        raise InvalidSettings(f"{path} must be {limit}, not {value!r}.")
    return parsed


def _schedules(value: Any, path: str) -> Mapping[str, str | None]:
    if not isinstance(value, Mapping):
        raise InvalidSettings(f"{path} must be a dict of job name to schedule, not {value!r}.")
    for name, schedule in value.items():
        if not isinstance(name, str) or not isinstance(schedule, str | None):
            raise InvalidSettings(f"{path}[{name!r}] must be a schedule as text, or None, not {schedule!r}.")
    return types.MappingProxyType({**DEFAULT_SCHEDULES, **value})


# They stand in comma lists, and in short columns.
_NOTIFIER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}", re.ASCII)


def _notifiers(value: Any, path: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the entries as they are, in a mapping that does not change. What they say may be secret: nothing is quoted."""
    if not isinstance(value, Mapping):
        raise InvalidSettings(f"{path} must be a dict of name to options, not {type(value).__name__}.")
    for name, options in value.items():
        if not isinstance(name, str) or not _NOTIFIER_NAME.fullmatch(name):
            raise InvalidSettings(
                f"{path} has a name that is none: {name!r}. Use up to 50 lower-case letters, digits, hyphens and underscores."
            )
        if not isinstance(options, Mapping) or not isinstance(options.get("CLASS"), str):
            raise InvalidSettings(f"{path}[{name!r}] must be a dict that has at least CLASS: email, webhook or a path.")
    return types.MappingProxyType(dict(value))


def _queue_executors(value: Any, path: str) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise InvalidSettings(f"{path} must be a dict of queue name to executor, not {value!r}.")
    for name, executor in value.items():
        if not isinstance(name, str) or executor not in EXECUTORS:
            raise InvalidSettings(
                f"{path}[{name!r}] must be one of {', '.join(map(repr, EXECUTORS))}, not {executor!r}."
            )
    return types.MappingProxyType(dict(value))


def _throttles(value: Any, path: str) -> Mapping[str, RateLimit | None]:
    return rates(value, path, defaults=DEFAULT_THROTTLES)


def _kinds(value: Any, path: str) -> tuple[AlertKind, ...]:
    try:
        return parse_kinds(value)
    except InvalidAlert as error:
        raise InvalidSettings(f"{path}: {error}") from None


def _notifiers_or_none(value: Any, path: str) -> tuple[str, ...] | None:
    try:
        return None if value is None else parse_notifiers(value)
    except InvalidAlert as error:
        raise InvalidSettings(f"{path}: {error}") from None


_PARSERS: Mapping[Any, Parser] = {
    **PARSERS,
    tuple[AlertKind, ...]: _kinds,
    tuple[str, ...] | None: _notifiers_or_none,
    Mapping[str, str]: _queue_executors,
    Mapping[str, str | None]: _schedules,
    Mapping[str, RateLimit | None]: _throttles,
    Mapping[str, Mapping[str, Any]]: _notifiers,
}
