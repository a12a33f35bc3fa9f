"""The demo project's settings; what differs between machines comes from the environment."""

from __future__ import annotations

import os
from pathlib import Path

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from pythonjsonlogger.core import RESERVED_ATTRS

from project.environment import flag, number, words

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("DJANGO_VAR_DIR") or BASE_DIR / "var")

DEBUG = flag("DJANGO_DEBUG", default=False)
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured(
            "DJANGO_SECRET_KEY is not set. Set it to a long random text, "
            "or set DJANGO_DEBUG=1 on a machine that only you can reach."
        )
    SECRET_KEY = "django-insecure-for-development-only"  # noqa: S105  # unreachable unless DEBUG

ALLOWED_HOSTS = words("DJANGO_ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = words("DJANGO_CSRF_TRUSTED_ORIGINS")

# One switch for all that needs TLS: DJANGO_HTTPS=0 serves plain HTTP, as the demo does.
HTTPS = flag("DJANGO_HTTPS", default=not DEBUG)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = number("DJANGO_HSTS_SECONDS", default=3600) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = flag("DJANGO_HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = flag("DJANGO_HSTS_PRELOAD", default=False)
# The probes are asked from inside the cluster, over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^cron/(live|ready)/?$"]
if flag("DJANGO_BEHIND_TLS_PROXY", default=False):
    # Only behind a proxy that always sets the header itself: anybody can send it.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular_sidecar",
    "django_apscheduler",
    "cronjobs",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "cronjobs.admin.zones.BrowserTimeZone",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
ASGI_APPLICATION = "project.asgi.application"

DATABASES = {
    "default": dj_database_url.parse(
        os.environ.get("DATABASE_URL") or f"sqlite:///{VAR_DIR / 'db.sqlite3'}",
        conn_max_age=60,
        conn_health_checks=True,
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    VAR_DIR.mkdir(parents=True, exist_ok=True)
    DATABASES["default"]["OPTIONS"] = {
        # Readers and one writer at a time; a transaction that will write says so when it begins,
        # and waits for its turn instead of failing.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "rest_framework.authentication.TokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    # So many proxies stand before this server; their word on where a request comes from is taken.
    "NUM_PROXIES": number("DJANGO_NUM_PROXIES", default=0),
}

USE_TZ = True
TIME_ZONE = os.environ.get("DJANGO_TIME_ZONE") or "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"

# WhiteNoise serves the packages' files where they lie; a site that wants them compressed
# and fingerprinted sets DJANGO_STATIC_ROOT and runs collectstatic.
STATIC_URL = "static/"
STATIC_ROOT = os.environ.get("DJANGO_STATIC_ROOT") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None

CRONJOBS: dict[str, object] = {
    "TIME_ZONE": os.environ.get("CRONJOBS_TIME_ZONE") or TIME_ZONE,
    "MONGODB_URI": os.environ.get("MONGODB_URI", ""),
    "SCHEDULES": {
        name: schedule
        for name, schedule in [
            ("cleanup-legacy-conversations", os.environ.get("CRONJOBS_CLEANUP_SCHEDULE")),
            ("cleanup-old-quotes", os.environ.get("CRONJOBS_QUOTES_SCHEDULE")),
        ]
        if schedule
    },
}
# A broker is all that it takes for workers on other machines: celery -A project worker.
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "")
# Workers that are told of no queue serve that of jobs which are told of none.
CELERY_TASK_DEFAULT_QUEUE = "default"
# What RabbitMQ needs to know so that it tells the priorities of messages apart.
CELERY_TASK_QUEUE_MAX_PRIORITY = 5
# A worker starts what comes first, and does not fetch more meanwhile than it can start soon.
CELERY_WORKER_PREFETCH_MULTIPLIER = number("CELERY_WORKER_PREFETCH_MULTIPLIER", default=1)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
if CELERY_BROKER_URL:
    CRONJOBS["CELERY_APP"] = "project.celery.app"
if os.environ.get("CRONJOBS_EXECUTOR"):
    CRONJOBS["EXECUTOR"] = os.environ["CRONJOBS_EXECUTOR"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        # One JSON object a line; the facts that a record carries in `extra` become its keys.
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "{levelname}{name}{message}",
            "style": "{",
            "rename_fields": {"levelname": "level", "name": "logger"},
            "timestamp": "time",
            # Django's records carry the request object, which says nothing as text.
            "reserved_attrs": [*RESERVED_ATTRS, "request"],
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "cronjobs": {"level": os.environ.get("DJANGO_LOG_LEVEL") or "INFO"},
        "django": {"level": "INFO"},
    },
}
