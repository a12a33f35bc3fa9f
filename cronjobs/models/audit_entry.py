"""What was done over HTTP, and what was refused: by whom, by what, from where, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from datetime import datetime, timedelta
from typing import Any, Final, Self

from django.db import models
from django.db.models import F, Min, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cronjobs.database import in_transaction
from cronjobs.models.batches import EngineManager, upsert
from cronjobs.storable import rfc3339
from cronjobs.tallies import digest

# Whoever asks may wait for the answer: rather a line in the log than many time-outs of a busy database.
_ATTEMPTS: Final = 2
_FACTS: Final = ("outcome", "who", "credential", "method", "route", "target", "address", "status", "code")


class Outcome(models.TextChoices):
    """How a request ended, for what it wanted to do."""

    ACCEPTED = "accepted", _("Accepted")
    REFUSED = "refused", _("Refused")
    # Something was broken; whether anything was done is not known.
    FAILED = "failed", _("Failed")


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    """Entries, by how they are written and what is asked about them."""

    def store(self, entry: AuditEntry) -> None:
        """Store `entry` as a row of its own."""
        in_transaction(self.db, lambda: entry.save(using=self.db, force_insert=True), attempts=_ATTEMPTS)

    def add_refusals(self, entry: AuditEntry, number: int) -> None:
        """Count `number` refusals like `entry` in the one row of their minute, which is made if it is missing."""
        same, added = self.filter(flood=entry.flood_key), {"count": F("count") + number, "last_at": entry.at}

        def work() -> None:
            if not same.update(**added):
                first = copy(entry)
                first.flood, first.count = entry.flood_key, 0
                # Somebody else may make it first; then this changes nothing.
                upsert(self, [first], unique_fields=["flood"], update_fields=["flood"])
                same.update(**added)

        in_transaction(self.db, work, attempts=_ATTEMPTS)

    def refusals(self, codes: tuple[str, ...], since: datetime) -> Self:
        """Return those that were refused with one of `codes`, the last time at `since` or later."""
        recent = self.filter(outcome=Outcome.REFUSED, code__in=codes, last_at__gte=since).order_by()
        # What an index finds: a row is of one minute.
        return recent.filter(at__gte=since - timedelta(minutes=1))

    def counted(self) -> tuple[int, datetime | None]:
        """Return how many requests they stand for, and when the first of them came."""
        found = self.aggregate(number=Sum("count"), first=Min("at"))
        return found["number"] or 0, found["first"]


class AuditEntry(models.Model):
    """A request that changed something, or was refused. Refusals of a kind within the same minute are one row.

    Of a kind are those of the same caller, address, method, route and code; the target is that of the first.
    """

    at = models.DateTimeField(_("time"), default=timezone.now)
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome)
    who = models.CharField(_("who"), max_length=150, help_text=_("The user's name; empty: nobody was let in."))
    credential = models.CharField(
        _("by"), max_length=40, help_text=_("A session, a token, or the part of a key that is no secret.")
    )
    method = models.CharField(_("method"), max_length=8)
    route = models.CharField(_("action"), max_length=50, help_text=_("The name of the address."))
    target = models.CharField(
        _("target"),
        max_length=100,
        help_text=_("The job's, the queue's or the node's name, or the execution's number."),
    )
    address = models.CharField(_("address"), max_length=64)
    status = models.PositiveSmallIntegerField(_("status"))
    code = models.CharField(_("code"), max_length=50)
    count = models.PositiveIntegerField(_("times"), default=1)
    last_at = models.DateTimeField(_("last time"), default=timezone.now)
    # What makes refusals one row; NULL: this is a row of its own.
    flood = models.CharField(max_length=32, null=True, unique=True, editable=False)

    objects = EngineManager.from_queryset(AuditEntryQuerySet)()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ("-pk",)
        # Nobody is to write here but the API.
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=["at"], name="cronjobs_audit_at"),
            models.Index(fields=["address", "at"], name="cronjobs_audit_address"),
            models.Index(fields=["who", "at"], name="cronjobs_audit_who"),
        )

    def __str__(self) -> str:
        return f"{self.method} {self.route} {self.target}".rstrip()

    @property
    def flood_key(self) -> str:
        """What all refusals of this kind within the same minute have in common."""
        return digest(self.caller_key, self.method, self.route, self.status, self.code)

    @property
    def caller_key(self) -> str:
        """What all refusals of the same caller, at the same address, within the same minute have in common."""
        return digest(int(self.at.timestamp() // 60), self.who, self.credential, self.address)

    def facts(self) -> Mapping[str, Any]:
        """Return what there is to say, for a log record."""
        return {**{name: getattr(self, name) for name in _FACTS}, "at": rfc3339(self.at)}
