"""The project's Celery app, as the settings name it."""

from __future__ import annotations

from celery import Celery
from django.utils.module_loading import import_string

from cronjobs.conf import get_settings
from cronjobs.exceptions import InvalidSettings


def load_app() -> Celery:
    """Return the app that CRONJOBS["CELERY_APP"] names; raise `InvalidSettings` if that is none."""
    path = get_settings().celery_app
    try:
        app = import_string(path)
    except Exception as error:
        # Its module is the project's own, and may do anything.
        why = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
        raise InvalidSettings(f"CRONJOBS['CELERY_APP'] is {path!r}, which cannot be imported: {why}") from error
    if not isinstance(app, Celery):
        raise InvalidSettings(f"CRONJOBS['CELERY_APP'] is {path!r}, which is no Celery app but a {type(app).__name__}.")
    return app
