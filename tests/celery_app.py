"""The Celery app of the tests: what `tests.settings` call CELERY_…, and the broker in TEST_CELERY_BROKER."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

# Not for everybody in this process: tests make apps of their own.
app = Celery("tests", set_as_current=False)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
