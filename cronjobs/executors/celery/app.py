"""The project's Celery app, as the settings name it."""

from __future__ import annotations

from typing import Final

from celery import Celery
from django.utils.module_loading import import_string

from cronjobs.conf import get_settings
from cronjobs.exceptions import InvalidSettings

# In seconds: what a broker may take to answer whoever only wants to know whether it does.
_PATIENCE: Final = 5.0


def connect() -> None:
    """Connect to the broker, and let go of it; raise what the driver raises if there is no connection."""
    app = load_app()
    with app.connection_for_write() as connection:
        is_redis = connection.transport.driver_type == "redis"
    # The others have one time for it; Redis' driver has two, of its own.
    options = dict.fromkeys(("socket_connect_timeout", "socket_timeout"), _PATIENCE) if is_redis else {}
    with app.connection_for_write(connect_timeout=_PATIENCE, transport_options=options) as connection:
        connection.connect()


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
