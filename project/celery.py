"""The project's Celery app: where the workers of ``celery -A project worker`` come from."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

app = Celery("project")
# Whatever the settings call CELERY_….
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
