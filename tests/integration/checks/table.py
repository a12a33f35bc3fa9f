"""One mistake for each system check: what a person has written, which check finds it, and what that says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django import forms

from cronjobs import AlertPolicy, RetryPolicy

HERE = "tests.integration.checks.routers"
HOOK = {"CLASS": "webhook", "URL": "https://example.com/hook"}
LETTERS = {"ops": {"CLASS": "email", "TO": ["ops@example.com"]}}
# Nothing of these is told of.
SOUND_DEPLOYMENT: dict[str, Any] = {
    "NOTIFIERS": {"hook": HOOK},
    "BASE_URL": "https://ops.example.com",
    "HEARTBEAT_URL": "https://hc.example.com/abc",
    "PING_HOSTS": ["hc.example.com"],
    "CACHE": "shared",
}
SHARED_CACHE = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "shared": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"},
}


class Days(forms.Form):
    """Asks for a number of days."""

    days = forms.IntegerField()


def with_days(context: Any, *, days: int) -> None:
    """Take what the form asks for."""


def with_weeks(context: Any, *, weeks: int = 1) -> None:
    """Take something else."""


def with_days_and_weeks(context: Any, *, days: int, weeks: int) -> None:
    """Require more than the form asks for."""


def yields(context: Any) -> Iterator[int]:
    """Do nothing when it is called."""
    yield 1


async def yields_later(context: Any) -> Any:
    """Do nothing either."""
    yield 1


Row = tuple[str, dict[str, Any], str]

# What CRONJOBS is.
CRONJOBS: list[Row] = [
    ("cronjobs.E001", {"PAUSE": True}, "Did you mean 'PAUSED'?"),
    ("cronjobs.E001", {"WORKERS": "8"}, "must be a whole number, not '8'"),
    ("cronjobs.E001", {"POLL_INTERVAL": -1}, "must be at least 0.05 seconds, not -1"),
    ("cronjobs.E001", {"LEASE": 1}, "must be at least 3 seconds, not 1"),
    ("cronjobs.E001", {"RETRY": {"JITER": 1}}, "Did you mean 'JITTER'?"),
    ("cronjobs.E001", {"ALERTS": {"ON": ["failling"]}}, "Did you mean 'failing'?"),
    ("cronjobs.E001", {"THROTTLES": {"reed": "1/s"}}, "Did you mean 'read'?"),
    ("cronjobs.E001", {"EXECUTOR": "celery"}, "CRONJOBS['CELERY_APP'] names no app"),
    ("cronjobs.E001", {"QUEUE_EXECUTORS": {"default": "treads"}}, "must be one of 'thread', 'process', 'celery'"),
    ("cronjobs.E001", {"HEARTBEAT_URL": "hc-ping.com/abc"}, "CRONJOBS['HEARTBEAT_URL'] is not usable"),
    ("cronjobs.E004", {"CELERY_APP": "no_such_project.app"}, "cannot be imported"),
    ("cronjobs.W003", {"TIME_ZONE": "Europe/Berln"}, "CRONJOBS['TIME_ZONE']: "),
    ("cronjobs.W003", {"SCHEDULES": {"health-check": "61 * * * *"}}, "CRONJOBS['SCHEDULES']['health-check']: "),
    ("cronjobs.W004", {"SCHEDULES": {"health-chek": "@daily"}}, "names 'health-chek'"),
    ("cronjobs.W009", {"CACHE": "defalt"}, "which CACHES does not have"),
    ("cronjobs.W010", {"NOTIFIERS": {"x": {"CLASS": "webook"}}}, "Did you mean 'webhook'?"),
    ("cronjobs.W010", {"NOTIFIERS": {"x": {"CLASS": "email"}}}, "needs 'TO'"),
    ("cronjobs.W010", {"NOTIFIERS": {"x": {**HOOK, "TIMOUT": 3}}}, "Did you mean 'TIMEOUT'?"),
    ("cronjobs.W011", {"NOTIFIERS": {"hook": HOOK}, "ALERTS": {"TO": ["hok"]}}, "Did you mean 'hook'?"),
    ("cronjobs.W019", {"RETRY": {"INITIAL_DELAY": 60}}, "INITIAL_DELAY (60 s) is longer than MAX_DELAY (30 s)"),
    ("cronjobs.W019", {"MISFIRE_GRACE": 30, "POLL_INTERVAL": 60}, "MISFIRE_GRACE (30 s) is shorter than POLL_INTERVAL"),
    ("cronjobs.W019", {"MISFIRE_GRACE": 86400 * 40}, "MISFIRE_GRACE (40 days) is longer than executions are kept"),
    (
        "cronjobs.W019",
        {"MISFIRE_GRACE": 90000, "HISTORY_PER_JOB": 5},
        "is longer than executions are kept for certain (1 day)",
    ),
    (
        "cronjobs.W019",
        {"HISTORY_RETENTION": 86400 * 100},
        "FAILURE_RETENTION (90 days) is shorter than HISTORY_RETENTION",
    ),
    ("cronjobs.W019", {"ROLLUP_RETENTION": 86400}, "ROLLUP_RETENTION (1 day) is shorter than HISTORY_RETENTION"),
    (
        "cronjobs.W019",
        {"ALERTS": {"INTERVAL": 60, "LATE_AFTER": 30}},
        "INTERVAL (60 s) is longer than LATE_AFTER (30 s)",
    ),
    ("cronjobs.W019", {"LOG_MAX_BYTES": 2000}, "LOG_MESSAGE_MAX_BYTES (16000) is more than LOG_MAX_BYTES (2000)"),
    ("cronjobs.W019", {"BASE_URL": "https://example.com/#top"}, "lead nowhere"),
    ("cronjobs.W020", {"QUEUE_EXECUTORS": {"defalt": "process"}}, "names the queue 'defalt'"),
    ("cronjobs.W021", {"RETRY": {"NEVER": ["ValueError"]}}, "names 'ValueError': errors are known by module and class"),
    ("cronjobs.W021", {"RETRY": {"NEVER": ["builtins.ValueErrer"]}}, "there is no such class"),
    ("cronjobs.W021", {"RETRY": {"NEVER": ["django.db.models.ProtectedError"]}}, "known by another name"),
    ("cronjobs.W021", {"RETRY": {"NEVER": ["builtins.len"]}}, "that is no class of errors"),
    ("cronjobs.W022", {"PING_HOSTS": ["https://hc-ping.com"]}, "has 'https://hc-ping.com', which is no host"),
    ("cronjobs.W022", {"PING_HOSTS": ["hc-ping.com:8080"]}, "which is no host"),
    ("cronjobs.W024", {"MONGODB_URI": "https://ann:hunter2@db/app"}, "begins neither with mongodb://"),
    ("cronjobs.W035", {"API_MAX_BODY": "5M"}, "takes no body of more than 2621440 bytes"),
]

# What the settings beside CRONJOBS are.
PROJECT: list[Row] = [
    ("cronjobs.E002", {"USE_TZ": False}, "USE_TZ is False"),
    ("cronjobs.E008", {"DATABASE_ROUTERS": [f"{HERE}.ClockApart"]}, "'elsewhere' (django_apscheduler.DjangoJob"),
    ("cronjobs.W030", {"LOGGING": {"loggers": {"cronjobs": {"level": "ERROR"}}}}, "through below ERROR"),
    ("cronjobs.W031", {"DATABASE_ROUTERS": [f"{HERE}.NothingMigrated"]}, "do not let migrate make the tables"),
    ("cronjobs.W032", {"DATABASE_ROUTERS": [f"{HERE}.UsersApart"]}, "put users into 'elsewhere'"),
    (
        "cronjobs.W033",
        {"TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]},
        "templates are not found",
    ),
]

Definition = tuple[str, Callable[..., Any], dict[str, Any], str]

# What a function is declared with.
DEFINITIONS: list[Definition] = [
    ("cronjobs.W001", with_days, {"shedule": "@daily"}, "Did you mean 'schedule'?"),
    ("cronjobs.W001", with_days, {"timeout": -1}, "timeout must not be negative"),
    ("cronjobs.W001", with_days, {"timeout": "1h"}, "must be a timedelta or a number of seconds, not '1h'"),
    ("cronjobs.W001", with_days, {"memory_limit": "much"}, "A memory limit is a number of bytes"),
    ("cronjobs.W001", with_days, {"rate_limit": "often"}, "A rate limit is starts per period"),
    ("cronjobs.W001", with_days, {"depends_on": 5}, "names of jobs with commas between them"),
    ("cronjobs.W001", with_days, {"depends_on": "a:sometimes"}, "not on 'sometimes'"),
    ("cronjobs.W001", with_days, {"ping_url": "ftp://example.com"}, "ping_url: An address begins with"),
    ("cronjobs.W001", with_days, {"retry": 3}, "retry must be a RetryPolicy, not 3"),
    ("cronjobs.W001", with_days, {"executor": "thread", "cpu_limit": 3}, "a thread cannot be limited"),
    ("cronjobs.W005", with_days, {"schedule": "@daily"}, "Yet it has a schedule"),
    ("cronjobs.W007", with_weeks, {"depends_on": "health-chek"}, "Did you mean 'health-check'?"),
    ("cronjobs.W007", with_weeks, {"depends_on": "mistaken"}, "would wait for itself"),
    ("cronjobs.W011", with_weeks, {"alerts": AlertPolicy(to=["nobody"])}, "has no 'nobody'"),
    ("cronjobs.W017", with_weeks, {"executor": "celery"}, "CRONJOBS['CELERY_APP'] names no app"),
    ("cronjobs.W021", with_weeks, {"retry": RetryPolicy(never_retry=("KeyErrer",))}, "never_retry names 'KeyErrer'"),
    ("cronjobs.W025", with_weeks, {"params": {"week": 2}}, "which its function does not take"),
    ("cronjobs.W025", with_days, {"params_form": Days, "params": {"day": 2}}, "which its params_form does not"),
    ("cronjobs.W025", with_weeks, {"params_form": Days}, "asks for 'days', which its function does not take"),
    ("cronjobs.W025", with_days_and_weeks, {"params_form": Days}, "requires 'weeks', which its params_form"),
    ("cronjobs.W026", yields, {}, "runs nothing of it"),
    ("cronjobs.W026", yields_later, {}, "runs nothing of it"),
    ("cronjobs.W027", with_weeks, {"max_instances": 3}, "counts only with overlap='allow'"),
    (
        "cronjobs.W027",
        with_weeks,
        {"retry": RetryPolicy(initial_delay=timedelta(minutes=1))},
        "initial_delay (60 s) longer than max_delay",
    ),
    ("cronjobs.W027", with_weeks, {"misfire_grace": 86400 * 40}, "is longer than executions are kept"),
    ("cronjobs.W027", with_weeks, {"alerts": AlertPolicy(on=["no_success"])}, "nothing says from when on"),
    ("cronjobs.W027", with_weeks, {"alerts": AlertPolicy(on=["late"])}, "nothing says from when on"),
    ("cronjobs.I003", with_weeks, {"schedule": "@at 2020-01-01T00:00:00Z"}, "has no due time any more"),
]

# What a sound deployment is changed by: in CRONJOBS, and beside it.
DEPLOYMENTS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("cronjobs.W102", {"BASE_URL": ""}, {}, "messages have no links"),
    ("cronjobs.W103", {"NOTIFIERS": {}}, {}, "There is no notifier"),
    ("cronjobs.W103", {"ALERTS": {"ON": []}}, {}, "tells nobody of anything"),
    ("cronjobs.W103", {"ALERTS": {"TO": []}}, {}, "tells nobody of anything"),
    ("cronjobs.W104", {"HEARTBEAT_URL": ""}, {}, "no node can tell"),
    ("cronjobs.W105", {"THROTTLES": {"refused": None}}, {}, "has no limit for refused"),
    ("cronjobs.W106", {"CACHE": "default"}, {}, "a LocMemCache: each web process counts for itself"),
    (
        "cronjobs.W106",
        {},
        {"CACHES": {"shared": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}},
        "a DummyCache: nothing is counted",
    ),
    ("cronjobs.W107", {"PAUSED": True}, {}, "nothing is scheduled"),
    (
        "cronjobs.W108",
        {"NOTIFIERS": LETTERS},
        {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"},
        "they reach nobody",
    ),
    (
        "cronjobs.W108",
        {"NOTIFIERS": LETTERS},
        {"EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend"},
        "come from webmaster@localhost",
    ),
    ("cronjobs.W109", {"MASK": ["iban", "pass"]}, {}, "does not cover secret, token"),
    ("cronjobs.W110", {"UNREGISTER_STOCK_ADMIN": False}, {}, "unpickle rows"),
    ("cronjobs.W111", {}, {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}, "does not count it"),
    ("cronjobs.W112", {"SCHEDULES": {"purge-history": None}}, {}, "grows for ever"),
    ("cronjobs.I101", {"PING_HOSTS": []}, {}, "call any address"),
    (
        "cronjobs.I102",
        {"QUEUE_EXECUTORS": {"default": "celery"}, "CELERY_APP": "tests.celery_app.app"},
        {},
        "opens a connection",
    ),
]

# Those that take more than a setting or a declaration, and where they are tried.
ELSEWHERE = {
    "cronjobs.E003": "tests/integration/checks/test_definitions.py",
    "cronjobs.E005": "tests/integration/celery_shown/test_checks.py",
    "cronjobs.E006": "tests/integration/checks/test_project.py",
    "cronjobs.E007": "tests/integration/checks/test_project.py",
    "cronjobs.W002": "tests/integration/checks/test_databases.py",
    "cronjobs.W006": "tests/integration/test_isolation_check.py",
    "cronjobs.W008": "tests/integration/test_dependency_checks.py",
    "cronjobs.W012": "tests/integration/celery_shown/test_checks.py",
    "cronjobs.W013": "tests/integration/celery_shown/test_checks.py",
    "cronjobs.W014": "tests/integration/celery_shown/test_checks.py",
    "cronjobs.W015": "tests/integration/celery_shown/test_checks.py",
    "cronjobs.W016": "tests/integration/celery_shown/test_checks.py",
    "cronjobs.W018": "tests/integration/celery_shown/test_checks.py",
    "cronjobs.W023": "tests/integration/checks/test_settings.py",
    "cronjobs.W028": "tests/integration/checks/test_project.py",
    "cronjobs.W029": "tests/integration/checks/test_project.py",
    "cronjobs.W034": "tests/integration/checks/test_project.py",
    "cronjobs.W036": "tests/integration/checks/test_databases.py",
    "cronjobs.W101": "tests/integration/checks/test_deployment.py",
    "cronjobs.I001": "tests/integration/celery_shown/test_checks.py",
    "cronjobs.I002": "tests/integration/celery_shown/test_checks.py",
}
