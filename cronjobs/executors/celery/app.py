"""The project's Celery app, as the settings name it."""

from __future__ import annotations

from typing import Final

from celery import Celery
from django.utils.module_loading import import_string
from kombu import Connection

from cronjobs.conf import get_settings
from cronjobs.exceptions import InvalidSettings

# In seconds: what a broker may take to answer.
_PATIENCE: Final = 5.0


def connection_for(app: Celery) -> Connection:
    """Return a connection to the broker, not opened yet, that waits for an answer for a few seconds only.

    Or for as long as the project's own BROKER_TRANSPORT_OPTIONS say.
    """
    with app.connection_for_write() as connection:
        is_redis = connection.transport.driver_type == "redis"
    # The others have one time for it; Redis' driver has two, of its own, and by itself waits for ever.
    times = dict.fromkeys(("socket_connect_timeout", "socket_timeout"), _PATIENCE) if is_redis else {}
    options = {**times, **(app.conf.broker_transport_options or {})}
    return app.connection_for_write(connect_timeout=_PATIENCE, transport_options=options)


def connect() -> None:
    """Connect to the broker, and let go of it; raise what the driver raises if there is no connection.

    And `InvalidSettings` if there is no broker to connect to.
    """
    app = load_app()
    if not app.conf.broker_write_url:
        raise InvalidSettings("The Celery app has no broker_url.")
    with connection_for(app) as connection:
        connection.connect()


def load_app() -> Celery:
    """Return the app that CRONJOBS["CELERY_APP"] names; raise `InvalidSettings` if that is none."""
    path = get_settings().celery_app
    try:
        app = import_string(path)
    except Exception as error:
        # Its module is the project's own, and may do anything: what it says may hold the broker's address.
        why = str(error) if isinstance(error, ImportError) else type(error).__name__
        raise InvalidSettings(f"CRONJOBS['CELERY_APP'] is {path!r}, which cannot be imported: {why}.") from error
    if not isinstance(app, Celery):
        raise InvalidSettings(f"CRONJOBS['CELERY_APP'] is {path!r}, which is no Celery app but a {type(app).__name__}.")
    return app
