"""Alerts: what fires now, and what people were told of."""

from __future__ import annotations

from rest_framework.serializers import BooleanField, CharField, DateTimeField, ListField

from cronjobs.api.openapi.values import Address, AlertKindField, Always, Count, DeliveryStatusField, Document


class FiringAlert(Document):
    """Something that is wrong now."""

    kind = AlertKindField()
    subject = CharField(help_text="The name of a job, a node or a queue; empty: there is only one of the kind.")
    since = DateTimeField(allow_null=True)
    executionId = Count(allow_null=True, help_text="The execution that showed it.")


class Delivery(Document):
    """An alert on its way to one notifier."""

    notifier = CharField()
    status = DeliveryStatusField()
    attempts = Count()
    isRepeat = BooleanField(help_text="It may have arrived more than once.")
    lastError = CharField(allow_null=True)
    sentAt = DateTimeField(allow_null=True)


class Alert(Document):
    """What people were told: that something is wrong, or over."""

    id = Count()
    kind = AlertKindField()
    isOver = BooleanField()
    subject = CharField()
    jobName = CharField(allow_null=True)
    executionId = Count(allow_null=True)
    createdAt = DateTimeField()
    details = CharField()
    errorType = CharField(allow_null=True)
    errorMessage = CharField(allow_null=True)
    owner = CharField()
    runbookUrl = CharField(allow_null=True)
    deliveries = ListField(child=Delivery())


class Alerts(Document):
    """What fires now, and a page of what people were told."""

    success = Always()
    firing = ListField(child=FiringAlert())
    alerts = ListField(child=Alert())
    next = Address(allow_null=True, help_text="Those that follow; null: none do.")
    timestamp = DateTimeField()
