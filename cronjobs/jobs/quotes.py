"""Clean-up of quotes that nobody accepted in time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.utils import timezone

from cronjobs.conf import get_settings
from cronjobs.jobs._mongodb import mongodb_configured
from cronjobs.jobs._values import InstantField, as_instant
from cronjobs.logs import JobContext, create_job_logger
from cronjobs.registry import job
from cronjobs.storable import rfc3339

NAME = "cleanup-old-quotes"


class QuotesForm(forms.Form):
    """The parameter of the clean-up; it may be left out."""

    now = InstantField(required=False)


@job(NAME, schedule="0 2 * * *", only_if=mongodb_configured, rerun_lost=True, params_form=QuotesForm)
def cleanup_old_quotes(context: JobContext | None = None, *, now: datetime | str | None = None) -> dict[str, Any]:
    """Expire open quotes that are no longer valid, and delete quotes older than the retention.

    `now` stands in for the present time. The retention is the setting QUOTE_RETENTION. A quote
    that is both overdue and too old is counted twice: it is expired, then deleted.
    """
    from cronjobs import documents

    log = create_job_logger(NAME) if context is None else context.log
    moment = timezone.now() if now is None else as_instant(now)
    retained_from = _retained_from(moment)
    log.start("Looking for overdue and old quotes", data={"retainedFrom": rfc3339(retained_from)})
    expired = documents.expire_overdue_quotes(moment)
    log.progress(f"Expired {expired} quotes")
    deleted = documents.delete_quotes_created_before(retained_from)
    result = {
        "success": True,
        "expiredCount": expired,
        "deletedCount": deleted,
        "timestamp": rfc3339(moment),
    }
    log.complete(f"Deleted {deleted} quotes", data=result)
    return result


def _retained_from(moment: datetime) -> datetime:
    try:
        return moment - get_settings().quote_retention
    except OverflowError:
        # A retention of centuries: nothing is too old.
        return datetime.min.replace(tzinfo=UTC)
