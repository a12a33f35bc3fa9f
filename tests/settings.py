"""The smallest project that the app's tests need; DATABASE_URL chooses the database."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import dj_database_url
import django

# Every run has databases of its own, so two runs on one machine do not drop each other's.
# The workers of a parallel run inherit it.
RUN = os.environ.setdefault("CRONJOBS_TEST_RUN", str(os.getpid()))
SCRATCH = Path(tempfile.gettempdir()) / f"cronjobs-{RUN}"

SECRET_KEY = "for-tests-only"
USE_TZ = True
ROOT_URLCONF = "tests.urls"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular_sidecar",
    "django_apscheduler",
    "cronjobs",
    "tests.app",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "cronjobs.admin.zones.BrowserTimeZone",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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
# Tests log in often; the real hashers are slow on purpose.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

DATABASES = {"default": dj_database_url.parse(os.environ.get("DATABASE_URL") or f"sqlite:///{SCRATCH}.sqlite3")}
match DATABASES["default"]["ENGINE"].rpartition(".")[2]:
    case "sqlite3":
        DATABASES["default"]["TEST"] = {"NAME": f"{SCRATCH}-test.sqlite3"}
        DATABASES["default"]["OPTIONS"] = {
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
        }
    case "mysql":
        DATABASES["default"]["TEST"] = {
            "NAME": f"test_cronjobs_{RUN}",
            "CHARSET": "utf8mb4",
            "COLLATION": "utf8mb4_unicode_ci",
        }
        # A session zone other than UTC stands for a server in another zone: whoever asks for NOW()
        # instead of UTC_TIMESTAMP() is hours off. Django leaves MariaDB's session zone alone.
        DATABASES["default"]["OPTIONS"] = {"charset": "utf8mb4", "init_command": "SET time_zone = '+05:30'"}
    case _:
        DATABASES["default"]["TEST"] = {"NAME": f"test_cronjobs_{RUN}"}

# The mail server of a test, for the processes that it starts.
_MAIL_SERVER: dict[str, object] = {"host": "127.0.0.1", "port": int(os.environ.get("TEST_EMAIL_PORT", "25"))}
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": _MAIL_SERVER}}
else:
    EMAIL_HOST, EMAIL_PORT = _MAIL_SERVER.values()

# The broker of a test, for the nodes and workers that it starts (tests/brokers.py).
CELERY_BROKER_URL = os.environ.get("TEST_CELERY_BROKER", "")
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = json.loads(os.environ.get("TEST_CELERY_OPTIONS", "{}"))
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_QUEUE_MAX_PRIORITY = 5
CELERY_WORKER_PREFETCH_MULTIPLIER = int(os.environ.get("TEST_CELERY_PREFETCH", "1"))

# Not MONGODB_URI: a test must never reach the database that a developer works with.
CRONJOBS: dict[str, object] = {
    "MONGODB_URI": os.environ.get("TEST_MONGODB_URI", ""),
    # What a test wants to be otherwise in the processes that it starts.
    **json.loads(os.environ.get("TEST_CRONJOBS", "{}")),
}
