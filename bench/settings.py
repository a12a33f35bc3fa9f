"""The demo project's settings, with the jobs that are measured."""

from __future__ import annotations

import json
import os

from project.settings import *  # noqa: F403 - all of them
from project.settings import CRONJOBS as _CRONJOBS
from project.settings import INSTALLED_APPS as _APPS
from project.settings import LOGGING as _LOGGING

INSTALLED_APPS = [*_APPS, "bench"]
CRONJOBS = {**_CRONJOBS, **json.loads(os.environ.get("BENCH_CRONJOBS") or "{}")}

if os.environ.get("BENCH_CONFLICTS"):
    # Transactions that have to be done again are told of, and nothing else that is as small.
    LOGGING = {**_LOGGING, "loggers": {**_LOGGING["loggers"], "cronjobs.database": {"level": "DEBUG"}}}

if CELERY_BROKER_URL := os.environ.get("CELERY_BROKER_URL", ""):
    INSTALLED_APPS += ["django_celery_results"]
    # Of the same broker both use what nobody else does.
    CELERY_BROKER_TRANSPORT_OPTIONS = PLAIN_BROKER_TRANSPORT_OPTIONS = json.loads(os.environ["BENCH_TRANSPORT"])
    PLAIN_BROKER_URL = CELERY_BROKER_URL
    PLAIN_BROKER_CONNECTION_RETRY_ON_STARTUP = True
    PLAIN_TASK_DEFAULT_QUEUE = os.environ["BENCH_PLAIN_QUEUE"]
    PLAIN_RESULT_BACKEND = "django-db"
