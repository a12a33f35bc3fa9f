"""What is wrong now, what people are told of, and whether each message has been sent."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from cronjobs.alerts import AlertKind
from cronjobs.models.batches import EngineManager
from cronjobs.models.execution import JobExecution
from cronjobs.registry import NAME_MAX_LENGTH

# The longest of the names of jobs, queues and nodes.
SUBJECT_MAX_LENGTH = 150
_KIND_MAX_LENGTH = 20


class DeliveryStatus(models.TextChoices):
    """Whether a message has reached its notifier."""

    # To be sent, for the first time or again.
    PENDING = "pending", pgettext_lazy("delivery", "Pending")
    # The notifier took it.
    SENT = "sent", pgettext_lazy("delivery", "Sent")
    # Given up.
    FAILED = "failed", pgettext_lazy("delivery", "Failed")


class NoticeOf(models.TextChoices):
    """What has happened to an execution that a look at alerts has to know of."""

    # It failed or timed out, with no attempt left.
    FAILED = "failed"
    # Its worker vanished, whether it is tried again or not.
    LOST = "lost"
    # It is the row of due times that nobody served.
    MISSED = "missed"


def _execution_key() -> models.ForeignKey[JobExecution | None, JobExecution | None]:
    # No constraint: an alert outlives the execution it is about.
    return models.ForeignKey(
        JobExecution,
        verbose_name=_("execution"),
        null=True,
        db_constraint=False,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
    )


class AlertStateQuerySet(models.QuerySet["AlertState"]):
    """States, by what is asked about them."""

    def firing(self) -> Self:
        """Return what is wrong now."""
        return self.filter(firing=True)


class AlertState(models.Model):
    """Whether one thing is wrong with one subject. Every change counts `version` up by one, and only one change can."""

    kind = models.CharField(_("kind"), max_length=_KIND_MAX_LENGTH, choices=AlertKind)
    # A job's, node's or queue's name; empty: there is only one of the kind.
    subject = models.CharField(_("subject"), max_length=SUBJECT_MAX_LENGTH, blank=True, default="")
    firing = models.BooleanField(_("firing"), default=False)
    since = models.DateTimeField(_("since"), null=True)
    version = models.PositiveIntegerField(default=0, editable=False)
    execution = _execution_key()
    # The start of the newest execution that has been judged, which is `execution` where kinds judge executions.
    judged_at = models.DateTimeField(null=True, editable=False)

    objects = EngineManager.from_queryset(AlertStateQuerySet)()

    class Meta:
        verbose_name = _("state of an alert")
        verbose_name_plural = _("states of alerts")
        ordering = ("kind", "subject")
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "subject"], name="cronjobs_alertstate_once")]
        indexes: ClassVar = [models.Index(fields=["firing"], name="cronjobs_alertstate_firing")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.subject}".rstrip()


class Alert(models.Model):
    """What people are told: that something is wrong, or over. Written once and never changed."""

    kind = models.CharField(_("kind"), max_length=_KIND_MAX_LENGTH, choices=AlertKind)
    is_resolution = models.BooleanField(_("over"), default=False)
    subject = models.CharField(_("subject"), max_length=SUBJECT_MAX_LENGTH, blank=True, default="")
    # Empty where it is about no job.
    job_name = models.CharField(_("job name"), max_length=NAME_MAX_LENGTH, blank=True, default="")
    execution = _execution_key()
    created_at = models.DateTimeField(_("time"), default=timezone.now)
    # All that a message needs, as it was when this was decided, with secrets masked.
    facts = models.JSONField(_("facts"), default=dict)

    objects: ClassVar[EngineManager[Self]] = EngineManager()

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ("-id",)
        # Nobody is to write here but the engine.
        default_permissions = ("view",)
        indexes: ClassVar = [
            models.Index(fields=["created_at"], name="cronjobs_alert_created"),
            models.Index(fields=["kind", "-id"], name="cronjobs_alert_kind"),
            models.Index(fields=["job_name", "-id"], name="cronjobs_alert_job"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.subject} #{self.pk}"


class AlertDelivery(models.Model):
    """One alert on its way to one notifier."""

    alert = models.ForeignKey(Alert, verbose_name=_("alert"), on_delete=models.CASCADE, related_name="deliveries")
    notifier = models.CharField(_("notifier"), max_length=50)
    status = models.CharField(_("status"), max_length=7, choices=DeliveryStatus, default=DeliveryStatus.PENDING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("not before"), default=timezone.now)
    claim_token = models.CharField(max_length=32, blank=True, default="", editable=False)
    lease_expires_at = models.DateTimeField(null=True, editable=False)
    # A claim ran out without a result: it may have been sent before.
    is_repeat = models.BooleanField(_("may be a repetition"), default=False)
    last_error = models.TextField(_("last error"), blank=True, default="")
    sent_at = models.DateTimeField(_("sent"), null=True)

    objects: ClassVar[EngineManager[Self]] = EngineManager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ("id",)
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["alert", "notifier"], name="cronjobs_delivery_once")]
        indexes: ClassVar = [models.Index(fields=["status", "due_at"], name="cronjobs_delivery_due")]

    def __str__(self) -> str:
        return f"{self.alert_id} to {self.notifier}"


class AlertNotice(models.Model):
    """What has ended badly, written by the transaction that ended it, until a look at alerts has weighed it."""

    # NULL where the row was inserted among others, and nobody knows its id.
    execution = _execution_key()
    job_id = models.BigIntegerField(null=True)
    job_name = models.CharField(max_length=NAME_MAX_LENGTH)
    what = models.CharField(max_length=6, choices=NoticeOf)
    at = models.DateTimeField()

    objects: ClassVar[EngineManager[Self]] = EngineManager()

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ("id",)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.job_name} {self.what}"


class AlertRound(models.Model):
    """When somebody last looked for what only time tells. One row: whoever moves it on is the one to look."""

    looked_at = models.DateTimeField()

    objects: ClassVar[EngineManager[Self]] = EngineManager()

    class Meta:
        verbose_name = _("round")
        verbose_name_plural = _("rounds")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.looked_at:%Y-%m-%d %H:%M:%S}"
