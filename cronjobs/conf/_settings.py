"""Every key of ``CRONJOBS``, with what it means, its default and its limits."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cronjobs.alerts import MOST_FAILURES, AlertKind
from cronjobs.conf._parsed import Parsed, setting
from cronjobs.conf._values import DEFAULT_SCHEDULES, DEFAULT_THROTTLES, EXECUTORS
from cronjobs.exceptions import InvalidSettings
from cronjobs.limits import RateLimit
from cronjobs.parsing import Address, Bytes

_NOTHING: Mapping[str, Any] = types.MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings(Parsed):
    """How often and how soon a failed attempt is tried again, where a definition does not say."""

    max_attempts: int = setting("Attempts in all, the first included.", default=3, low=1)
    initial_delay: timedelta = setting("Wait after the first failed attempt.", default=timedelta(seconds=1), low=0)
    max_delay: timedelta = setting("No wait is longer than this.", default=timedelta(seconds=30), low=0)
    backoff_multiplier: float = setting("Each wait is this many times the one before.", default=2.0, low=1)
    jitter: float = setting("Each wait is spread by up to this fraction of itself.", default=0.1, low=0, high=1)
    never: tuple[str, ...] = setting(
        "Qualified class names, beside the built-in ones, that are never retried.", default=()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings(Parsed):
    """Of what, whom and when people are told, where neither job nor definition says."""

    on: tuple[AlertKind, ...] = setting(
        "Kinds of alerts. Of the site's own, the others are off.", default=tuple(AlertKind)
    )
    to: tuple[str, ...] | None = setting("Names of NOTIFIERS. None: all of them.", default=None)
    after: int = setting("Executions in a row that have to fail.", default=1, low=1, high=MOST_FAILURES)
    late_after: timedelta | None = setting("How long an execution may wait for its start.", default=None, low=1)
    expected_duration: timedelta | None = setting("How long an attempt may run.", default=None, low=1)
    no_success_after: timedelta | None = setting("How long a job may be without a success.", default=None, low=1)
    queue_stuck_after: timedelta = setting(
        "How long executions of a queue may be due while nothing of it runs.", default=timedelta(minutes=5), low=1
    )
    interval: timedelta = setting("How often a node looks.", default=timedelta(seconds=5), low=0.1)
    log_lines: int = setting("Last lines of the log in a message.", default=20, low=0, high=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Parsed):
    """Every key of ``CRONJOBS``; each has a safe default."""

    time_zone: str = setting("Zone of every schedule that names none (an IANA name).", default="UTC")
    schedules: Mapping[str, str | None] = setting(
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
    paused: bool = setting("True: nothing is scheduled and nothing is claimed.", default=False)
    misfire_grace: timedelta = setting("How late an occurrence may still start.", default=timedelta(hours=1), low=0)
    catch_up: str = setting(
        "Which occurrences within the grace run after an outage: skip (none), latest or all.",
        default="latest",
        one_of=("skip", "latest", "all"),
    )
    catch_up_cap: int = setting("With catch_up all: at most so many occurrences, the newest.", default=100, low=1)
    workers: int = setting("Executions that one node performs at the same time.", default=8, low=1)
    executor: str = setting(
        "Where attempts run if neither job, queue nor definition says: thread, process or celery. "
        "A job with a limit gets a process, on the node or on the Celery worker.",
        default="thread",
        one_of=EXECUTORS,
    )
    queue_executors: Mapping[str, str] = setting(
        "EXECUTOR for the jobs of one queue: name of the queue to thread, process or celery.", default=_NOTHING
    )
    celery_app: str = setting(
        "The project's Celery app, as in project.celery.app, whose workers perform jobs. Empty: there is none.",
        default="",
    )
    dispatch_limit: int = setting(
        "So many executions of one queue, about, are with the broker at once. Further ones wait in the database, by priority.",
        default=100,
        low=1,
    )
    dispatch_timeout: timedelta = setting(
        "An execution that no Celery worker has begun so long after it was handed to the broker is handed to it again.",
        default=timedelta(minutes=2),
        low=1,
    )
    kill_grace: timedelta = setting(
        "How long a process that is to end has between SIGTERM and SIGKILL.", default=timedelta(seconds=5), low=0
    )
    poll_interval: timedelta = setting(
        "A node looks for work at least this often.", default=timedelta(seconds=1), low=0.05
    )
    lease: timedelta = setting(
        "A claim that is not renewed for this long is lost (3 s at least).", default=timedelta(seconds=30), low=3
    )
    shutdown_grace: timedelta = setting(
        "How long a stopping node waits for what is running.", default=timedelta(seconds=30), low=0
    )
    drain_grace: timedelta | None = setting(
        "How long a node that is asked to drain waits for what is running. None: as long as it takes.",
        default=None,
        low=0,
    )
    stuck_after: timedelta = setting(
        "A thread of a node that gives no sign of life for so long is stuck: cronstatus, the probe scheduling, "
        "the admin and the log tell of it, and systemd's watchdog is not fed.",
        default=timedelta(seconds=60),
        low=1,
    )
    max_lost: int = setting("A job with rerun_lost is queued again at most this many times.", default=3, low=0)
    execute_timeout: timedelta = setting(
        "How long POST execute waits for the result before it answers 202.", default=timedelta(seconds=25), low=0
    )
    execute_max_waiting: int = setting("Requests per web process that may wait for a result at once.", default=4, low=0)
    execute_inline: str = setting(
        "auto: POST execute performs the job itself when no node is alive; never: it answers 202.",
        default="auto",
        one_of=("auto", "never"),
    )
    api_max_body: Bytes = setting("Longest body of a request to the HTTP API, in bytes.", default=1_000_000, low=100)
    throttles: Mapping[str, RateLimit | None] = setting(
        "How many requests of one caller the HTTP API answers: what reads, what writes, and what runs jobs; "
        "and how often one address is refused before it is told to wait. None: any number.",
        default=DEFAULT_THROTTLES,
    )
    cache: str = setting(
        "The one of CACHES in which THROTTLES are counted. One of its own keeps what the site caches from pushing counts out.",
        default="default",
    )
    suspicious_refusals: int = setting(
        "An address, or a user, that the HTTP API refuses so often within SUSPICIOUS_WINDOW is reported.",
        default=10,
        low=1,
    )
    suspicious_window: timedelta = setting(
        "The time for SUSPICIOUS_REFUSALS (a minute at least); an address is reported once in it.",
        default=timedelta(minutes=5),
        low=60,
    )
    log_max_bytes: int = setting(
        "Log text kept per execution; the rest is counted, not kept. Each further attempt may keep a tenth of it in any case.",
        default=1_000_000,
        low=1_000,
    )
    log_message_max_bytes: int = setting(
        "Longest single log message, and longest data of one; longer ones are cut.", default=16_000, low=100
    )
    result_max_bytes: int = setting("Largest result stored as it is; larger ones are cut.", default=64_000, low=100)
    mask: tuple[str, ...] = setting(
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
    history_retention: timedelta = setting(
        "Executions are kept this long (a day at least); cronbackfill goes further back only with --force.",
        default=timedelta(days=30),
        low=86_400,
    )
    failure_retention: timedelta = setting(
        "The same for those that failed, timed out or were lost.", default=timedelta(days=90), low=86_400
    )
    history_per_job: int | None = setting(
        "Of what ended more than a day ago, only so many are kept of each job, and as many failures. None: any number.",
        default=None,
        low=1,
    )
    audit_retention: timedelta = setting(
        "What the HTTP API was asked and refused is kept this long (a day at least).",
        default=timedelta(days=90),
        low=86_400,
    )
    alert_retention: timedelta = setting(
        "What people were told of, and what became of each message, is kept this long (a day at least).",
        default=timedelta(days=90),
        low=86_400,
    )
    rollup_retention: timedelta = setting(
        "The figures of each job and hour are kept this long (a day at least).",
        default=timedelta(days=730),
        low=86_400,
    )
    mongodb_uri: str = setting("mongodb://… of the conversation database; empty: not configured.", default="")
    mongodb_timeout: timedelta = setting(
        "How long to look for a MongoDB server before giving up.", default=timedelta(seconds=3), low=0.1
    )
    legacy_minutes: int = setting("An active conversation older than this is stale.", default=10, low=1)
    quote_retention: timedelta = setting(
        "Quotes are deleted this long after createdAt.", default=timedelta(days=90), low=0
    )
    base_url: Address = setting(
        "Where people reach this site, such as https://ops.example.com: messages link to its admin. Empty: no links.",
        default="",
    )
    notifiers: Mapping[str, Mapping[str, Any]] = setting(
        "Whom alerts are sent to: name to a dict with CLASS (email, webhook or a dotted path) and its options.",
        default=_NOTHING,
    )
    ping_hosts: tuple[str, ...] = setting(
        "The only hosts that a job's ping URL may lead to; .example.com: that one and all below it. Empty: any.",
        default=(),
    )
    heartbeat_url: Address = setting(
        "A ping URL that nodes call as long as they are well, for a monitor that notices when none is. Empty: none.",
        default="",
    )
    heartbeat_interval: timedelta = setting(
        "How often each node calls HEARTBEAT_URL.", default=timedelta(minutes=1), low=1
    )
    unregister_stock_admin: bool = setting(
        "Hide django-apscheduler's own admin pages, which unpickle rows.", default=True
    )

    def __post_init__(self) -> None:
        """Refuse what each for itself may be, and not together."""
        if not self.celery_app and "celery" in (self.executor, *self.queue_executors.values()):
            raise InvalidSettings("CRONJOBS wants Celery to perform jobs, and CRONJOBS['CELERY_APP'] names no app.")
