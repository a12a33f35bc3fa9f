"""Whether there is anything to weigh at all: asked by each look, and nearly always answered with no."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any, Final

from django.db.models import Exists, Q, QuerySet

from cronjobs.alerting.watched import names_limited_to_success
from cronjobs.alerts import AlertKind
from cronjobs.conf import get_settings
from cronjobs.database import database_now_plus, engine_alias
from cronjobs.models import AlertNotice, AlertRound, AlertState, CeleryWorker, Job, JobExecution, Node
from cronjobs.models.asking import ask

# What is due for so long has been passed over by a node at least once.
PASSED_OVER: Final = timedelta(seconds=1)


def is_quiet() -> bool:
    """Return whether there is nothing to weigh: one statement, and no answer of MongoDB's that is missing."""
    settings = get_settings()
    if names_limited_to_success() != []:
        # Whether one of them is too long without a success is seen only in its history.
        return False
    found = ask(_signs(settings.lease, with_celery=bool(settings.celery_app)), engine_alias(AlertState))
    # Without a row somebody looks for the first time.
    if not found or any(any(row) for row in found):
        return False
    return AlertKind.MONGODB_UNREACHABLE not in settings.alerts.on or is_mongodb_reached() is not False


@cache
def _signs(lease: timedelta, *, with_celery: bool) -> Callable[[str], QuerySet[Any]]:
    """Return what makes the question whether there is anything to weigh, where claims last for `lease`, and with Celery or without."""

    def make(alias: str) -> QuerySet[Any]:
        executions = JobExecution.objects.using(alias)
        is_silent = Q(stopped_at=None, heartbeat_at__lte=database_now_plus(-lease))
        rows: tuple[QuerySet[Any], ...] = (
            AlertNotice.objects.using(alias),
            AlertState.objects.using(alias).filter(firing=True),
            executions.waiting().filter(run_after__lte=database_now_plus(-PASSED_OVER)),
            executions.running(),
            Job.objects.using(alias).filter(no_success_after__isnull=False),
            Node.objects.using(alias).filter(is_silent),
            *([CeleryWorker.objects.using(alias).filter(is_silent)] if with_celery else []),
        )
        signs = {f"sign_{number}": Exists(each.order_by()) for number, each in enumerate(rows)}
        return AlertRound.objects.using(alias).order_by().annotate(**signs).values_list(*signs)

    return make


def is_mongodb_reached() -> bool | None:
    """Return whether MongoDB answers; None where none is configured, or its drivers are missing."""
    if not get_settings().mongodb_uri:
        return None
    try:
        from cronjobs import documents
    except ImportError:
        return None
    try:
        documents.ping()
    except Exception:  # noqa: BLE001 - whatever it is, nobody can work with it
        return False
    return True
