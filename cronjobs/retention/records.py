"""Deletes what is old of the other records: what the API was asked, who was reported for it, alerts, and the roll-ups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, QuerySet

from cronjobs.database import in_transaction
from cronjobs.models import Alert, AlertDelivery, AuditEntry, HourlyRollup, RolledHour, Suspect
from cronjobs.models.alerts import DeliveryStatus
from cronjobs.retention.deleting import delete_rows
from cronjobs.retention.pace import Pace
from cronjobs.retention.policy import Policy
from cronjobs.retention.purged import Purged


class _Kind(NamedTuple):
    """Rows of a model whose `column` is before a time; `name` is that of `Purged`."""

    name: str
    model: Any
    column: str
    before: datetime

    def old(self, alias: str) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.model.objects.using(alias).filter(**{f"{self.column}__lt": self.before})
        if self.model is Alert:
            # Somebody has still to be told of it.
            rows = rows.exclude(Exists(_deliveries(alias).filter(alert=OuterRef("pk"), status=DeliveryStatus.PENDING)))
        return rows.order_by(self.column)


class RecordPurge:
    """What a policy lets go beside executions. A job's totals stay for ever."""

    def __init__(self, policy: Policy, alias: str, pace: Pace) -> None:
        self._policy, self._alias, self._pace = policy, alias, pace

    def survey(self) -> Purged:
        """Return what `perform` would delete; write nothing."""
        return sum((Purged(**{each.name: each.old(self._alias).count()}) for each in self._kinds()), Purged())

    def perform(self) -> Purged:
        """Delete, until there is no more or somebody wants to stop, and return what it came to."""
        return sum((Purged(**{each.name: self._delete(each)}) for each in self._kinds()), Purged())

    def _kinds(self) -> Iterator[_Kind]:
        yield _Kind("audit_entries", AuditEntry, "at", self._policy.audit_before)
        yield _Kind("suspects", Suspect, "told_at", self._policy.audit_before)
        yield _Kind("alerts", Alert, "created_at", self._policy.alerts_before)
        yield _Kind("rollups", HourlyRollup, "hour", self._policy.rollups_before)
        yield _Kind("rollups", RolledHour, "hour", self._policy.rollups_before)

    def _delete(self, kind: _Kind) -> int:
        deleted, old = 0, kind.old(self._alias).values_list("pk", flat=True)
        while not self._pace.is_stopped and (ids := list(old[: self._pace.size])):
            with self._pace.batch():
                deleted += in_transaction(self._alias, partial(self._delete_batch, kind, ids))
        return deleted

    def _delete_batch(self, kind: _Kind, ids: Sequence[int]) -> int:
        if kind.model is Alert:
            # What is old by then stays so: nothing is sent a second time.
            delete_rows(_deliveries(self._alias).filter(alert_id__in=ids))
        # Asked again: a suspect may have been told of once more.
        return delete_rows(kind.old(self._alias).filter(pk__in=ids).order_by())


def _deliveries(alias: str) -> QuerySet[AlertDelivery]:
    return AlertDelivery.objects.using(alias).order_by()
