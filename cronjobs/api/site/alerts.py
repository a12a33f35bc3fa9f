"""What people were told of, and what is wrong now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.alerts import JOB_KINDS, AlertKind
from cronjobs.api.executions.answers import time
from cronjobs.api.requests.access import check_reach, reach
from cronjobs.api.requests.queries import Query, next_address, one_of, some_name, whole_number
from cronjobs.api.views import CronView
from cronjobs.models import Alert, AlertDelivery, AlertState
from cronjobs.storable import rfc3339, storable_text

DEFAULT_LIMIT = 50
MOST = 200
# Of what fires now, so much is told.
_MOST_FIRING = 1_000
_KNOWN = ("kind", "job", "before", "limit")


class AlertsView(CronView):
    """``GET alerts``: what fires now, and what people were told of, newest first, with its deliveries.

    ``?kind=&job=&before=&limit=``. ``next`` is the address of what follows; null: nothing does.
    """

    permissions = (permissions.VIEW_ALERTS,)
    takes_limited_keys = True

    def get(self, request: Request) -> Response:
        query = Query(request, known=_KNOWN)
        kind = query.read("kind", one_of(AlertKind.values), default=None)
        job = query.read("job", lambda text: _reached(request, some_name(text)), default=None)
        before = query.read("before", whole_number(), default=None)
        limit = query.read("limit", whole_number(MOST), default=DEFAULT_LIMIT)
        query.done()
        names = reach(request) if job is None else frozenset({job})
        alerts, following = _page(_alerts(kind, names, before), limit)
        document = {
            "success": True,
            "firing": [_firing(each) for each in _states(kind, names)],
            "alerts": [_document(each) for each in alerts],
            "next": None if following is None else next_address(request, before=following),
            "timestamp": rfc3339(timezone.now()),
        }
        return Response(document)


def _reached(request: Request, name: str) -> str:
    check_reach(request, name)
    return name


def _alerts(kind: str | None, names: Iterable[str] | None, before: int | None) -> QuerySet[Alert]:
    wanted = {"kind": kind, "job_name__in": None if names is None else list(names), "pk__lt": before}
    conditions = {name: value for name, value in wanted.items() if value is not None}
    return Alert.objects.filter(**conditions).prefetch_related("deliveries").order_by("-pk")


def _page(alerts: QuerySet[Alert], limit: int) -> tuple[list[Alert], int | None]:
    """Return at most so many alerts, and the id below which to go on; None: that is all."""
    found = list(alerts[: limit + 1])
    return found[:limit], found[limit - 1].pk if len(found) > limit else None


def _states(kind: str | None, names: Iterable[str] | None) -> QuerySet[AlertState]:
    wanted = Q() if kind is None else Q(kind=kind)
    if names is not None:
        wanted &= Q(kind__in=JOB_KINDS, subject__in=list(names))
    return AlertState.objects.firing().filter(wanted).order_by("kind", "subject")[:_MOST_FIRING]


def _firing(state: AlertState) -> dict[str, Any]:
    return {
        "kind": state.kind,
        "subject": storable_text(state.subject),
        "since": time(state.since),
        "executionId": state.execution_id,
    }


def _document(alert: Alert) -> dict[str, Any]:
    facts = alert.facts if isinstance(alert.facts, Mapping) else {}
    return {
        "id": alert.pk,
        "kind": alert.kind,
        "isOver": alert.is_resolution,
        "subject": storable_text(alert.subject),
        "jobName": storable_text(alert.job_name) or None,
        "executionId": alert.execution_id,
        "createdAt": rfc3339(alert.created_at),
        "details": _text(facts, "details"),
        "errorType": _text(facts, "error_type") or None,
        "errorMessage": _text(facts, "error_message") or None,
        "owner": _text(facts, "owner"),
        "runbookUrl": _text(facts, "runbook_url") or None,
        "deliveries": [_delivery(each) for each in alert.deliveries.all()],
    }


def _text(facts: Mapping[str, Any], name: str) -> str:
    # They were masked when they were written down.
    value = facts.get(name)
    return "" if value is None else storable_text(value)


def _delivery(delivery: AlertDelivery) -> dict[str, Any]:
    return {
        "notifier": storable_text(delivery.notifier),
        "status": delivery.status,
        "attempts": delivery.attempts,
        "isRepeat": delivery.is_repeat,
        "lastError": storable_text(delivery.last_error) or None,
        "sentAt": time(delivery.sent_at),
    }
