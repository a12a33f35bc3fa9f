"""Deliveries as rows: which are due, who has claimed one, and what became of it. Nothing here sends.

A claim is a token and a lease. Whoever records a result names the token; when the lease has run
out without one, the delivery is claimed again, and marked: it may have arrived.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import Min, Q, QuerySet

from cronjobs.conf import get_settings
from cronjobs.database import engine_alias, in_transaction, lock_unlocked
from cronjobs.exceptions import SendingFailed
from cronjobs.models import AlertDelivery
from cronjobs.models.alerts import DeliveryStatus
from cronjobs.notifications.messages import Links, Message
from cronjobs.notifications.repeating import LONGEST, next_attempt

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
# So many are looked at for one that nobody else has locked.
_CANDIDATES = 10
_ERROR_MAX_BYTES = 1_000


def due_notifiers(now: datetime) -> set[str]:
    """Return the names of the notifiers for which something is due: the one statement of an idle sender."""
    return set(_due(now).order_by().values_list("notifier", flat=True).distinct())


def claim(notifier: str, now: datetime) -> AlertDelivery | None:
    """Claim the oldest message that is due for `notifier`, and return it with its alert; None: there is none.

    What is about the same thing as an older message waits for that one, so that nobody is told
    of an end before its beginning.
    """
    deliveries = _due(now).filter(notifier=notifier, alert_id__in=_oldest(notifier))
    candidates = list(deliveries.order_by("alert_id").values_list("pk", flat=True)[:_CANDIDATES])
    if not candidates:
        return None
    return in_transaction(_alias(), lambda: _take(candidates, now))


def message_of(delivery: AlertDelivery) -> Message:
    """Return what is to be sent."""
    alert = delivery.alert
    job_id = alert.facts.get("job_id") if isinstance(alert.facts, dict) else None
    links = Links.of(get_settings().base_url, execution_id=alert.execution_id, job_id=job_id)
    return Message.of(alert, notifier=delivery.notifier, is_repeat=delivery.is_repeat, links=links)


def record_sent(delivery: AlertDelivery, now: datetime) -> bool:
    """Record that a claimed delivery was taken; return False if the claim was lost meanwhile.

    Its notifier works, so the oldest of what waits for another try is due at once, and after that the next: one
    that is refused whatever happens is not tried again for each other that arrives.
    """
    if not _claimed(delivery).update(status=DeliveryStatus.SENT, sent_at=now, claim_token="", lease_expires_at=None):
        return False
    waiting = AlertDelivery.objects.using(_alias()).filter(status=DeliveryStatus.PENDING, lease_expires_at=None)
    behind = waiting.filter(notifier=delivery.notifier, due_at__gt=now).order_by("attempts", "pk")
    waiting.filter(pk__in=list(behind.values_list("pk", flat=True)[:1])).update(due_at=now)
    return True


def record_failure(delivery: AlertDelivery, error: SendingFailed, now: datetime) -> bool:
    """Record that a claimed delivery was not taken, and when it is tried again; return False if the claim was lost."""
    due_at = next_attempt(delivery.attempts, since=delivery.alert.created_at, now=now)
    is_recorded = _claimed(delivery).update(
        status=DeliveryStatus.FAILED if due_at is None else DeliveryStatus.PENDING,
        due_at=due_at or now,
        is_repeat=delivery.is_repeat or error.may_have_arrived,
        last_error=str(error)[:_ERROR_MAX_BYTES],
        claim_token="",
        lease_expires_at=None,
    )
    if is_recorded:
        _log_failure(delivery, error, due_at, now)
    return bool(is_recorded)


def _log_failure(delivery: AlertDelivery, error: SendingFailed, due_at: datetime | None, now: datetime) -> None:
    extra = {"alert_id": delivery.alert_id, "notifier": delivery.notifier, "attempt": delivery.attempts}
    if due_at is None:
        message = "Alert %s could not be sent through %s in %d attempts, and is given up: %s"
        logger.error(message, delivery.alert, delivery.notifier, delivery.attempts, error, extra=extra)
    else:
        message = "Alert %s could not be sent through %s (attempt %d; the next one follows in %.0f s): %s"
        wait = (due_at - now).total_seconds()
        logger.warning(message, delivery.alert, delivery.notifier, delivery.attempts, wait, error, extra=extra)


def _take(candidates: Collection[int], now: datetime) -> AlertDelivery | None:
    delivery: AlertDelivery | None = lock_unlocked(_due(now).filter(pk__in=candidates).order_by("pk")).first()
    if delivery is None:
        return None
    delivery.is_repeat = delivery.is_repeat or bool(delivery.claim_token)
    delivery.attempts += 1
    delivery.claim_token, delivery.lease_expires_at = secrets.token_hex(16), now + LEASE
    delivery.save(using=_alias(), update_fields=["is_repeat", "attempts", "claim_token", "lease_expires_at"])
    return delivery


def is_too_old(delivery: AlertDelivery, now: datetime) -> bool:
    """Return whether a claimed delivery has been tried before, and has been for too long."""
    return delivery.attempts > 1 and now - delivery.alert.created_at > LONGEST


def _due(now: datetime) -> QuerySet[AlertDelivery]:
    pending = AlertDelivery.objects.using(_alias()).filter(status=DeliveryStatus.PENDING, due_at__lte=now)
    return pending.filter(Q(lease_expires_at=None) | Q(lease_expires_at__lte=now))


def _oldest(notifier: str) -> QuerySet[AlertDelivery, int]:
    """Return of each thing that something is to be told of the id of the oldest alert that has not got through yet.

    Grouped, and not compared one by one: of ten thousand that wait each would look at all others.
    """
    pending = AlertDelivery.objects.using(_alias()).filter(notifier=notifier, status=DeliveryStatus.PENDING)
    about = pending.order_by().values("alert__kind", "alert__subject", "alert__job_name")
    return about.annotate(oldest=Min("alert_id")).values_list("oldest", flat=True)


def _claimed(delivery: AlertDelivery) -> QuerySet[AlertDelivery]:
    return AlertDelivery.objects.using(_alias()).filter(
        pk=delivery.pk, status=DeliveryStatus.PENDING, claim_token=delivery.claim_token
    )


def _alias() -> str:
    return engine_alias(AlertDelivery)
