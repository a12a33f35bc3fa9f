"""Whether this process should be restarted, and whether it should get requests: for load balancers, without details."""

from __future__ import annotations

import logging

from django.apps import apps
from django.db import connections
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs.api.errors import ErrorCode, error_document
from cronjobs.api.views import CronView
from cronjobs.conf import words_to_mask
from cronjobs.database import engine_alias
from cronjobs.models import JobExecution
from cronjobs.storable import rfc3339, storable_text

logger = logging.getLogger(__name__)

_APPS = ("cronjobs", "django_apscheduler")


class ProbeView(CronView):
    """Answers anybody: neither sessions nor tokens are looked at."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()


class LiveView(ProbeView):
    """``GET live``: this process answers."""

    def get(self, request: Request) -> Response:
        return _yes()


class ReadyView(ProbeView):
    """``GET ready``: the SQL database answers as well, and has the tables."""

    def get(self, request: Request) -> Response:
        if is_ready():
            return _yes()
        code = ErrorCode.NOT_READY
        return Response(error_document(code, "Not ready."), status=code.status)


def _yes() -> Response:
    return Response({"success": True, "timestamp": rfc3339(timezone.now())})


def is_ready() -> bool:
    """Return whether the SQL database answers and has the tables; the log says what is wrong."""
    try:
        missing = _needed_tables() - set(connections[engine_alias(JobExecution)].introspection.table_names())
    except Exception as error:  # noqa: BLE001 - whatever it is, this process can serve nobody
        logger.warning("Not ready: %s", storable_text(error, mask=words_to_mask()).strip())
        return False
    if missing:
        logger.warning("Not ready: there is no table %s.", ", ".join(sorted(missing)))
    return not missing


def _needed_tables() -> set[str]:
    models = (model for label in _APPS for model in apps.get_app_config(label).get_models())
    return {model._meta.db_table for model in models}  # noqa: SLF001 - Django's documented API
