"""Whose refusals somebody has been told of, so that it is told once and not by each process."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

from cronjobs.database import in_transaction
from cronjobs.models.batches import EngineManager, upsert


class SuspectQuerySet(models.QuerySet["Suspect"]):
    """Suspects, by what the audit asks about them."""

    def claim(self, subject: str, *, now: datetime, window: timedelta) -> bool:
        """Return whether it is up to the caller to tell of `subject`; then it is nobody else's for as long as `window`."""
        row = self.filter(subject=subject)
        if row.filter(told_at__gt=now - window).exists():
            return False

        def work() -> bool:
            # Changes nothing where it is there already.
            upsert(self, [Suspect(subject=subject)], unique_fields=["subject"], update_fields=["subject"])
            # Of those who come at once, one finds it as it was.
            return row.filter(Q(told_at=None) | Q(told_at__lte=now - window)).update(told_at=now) == 1

        return in_transaction(self.db, work)


class Suspect(models.Model):
    """An address, or a user, that was refused again and again; by its digest."""

    subject = models.CharField(max_length=32, unique=True)
    told_at = models.DateTimeField(null=True)

    objects = EngineManager.from_queryset(SuspectQuerySet)()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.subject
