"""Clean-up of conversations that nobody ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from cronjobs.conf import get_settings
from cronjobs.exceptions import InvalidParameters
from cronjobs.jobs._mongodb import mongodb_configured
from cronjobs.jobs._values import MAX_MINUTES, InstantField, as_instant, as_minutes
from cronjobs.logs import JobContext, create_job_logger
from cronjobs.registry import job
from cronjobs.storable import rfc3339

NAME = "cleanup-legacy-conversations"


class CleanupForm(forms.Form):
    """The parameters of the clean-up; both may be left out."""

    minutes = forms.IntegerField(min_value=1, max_value=MAX_MINUTES, required=False)
    now = InstantField(required=False)


@job(NAME, schedule="*/5 * * * *", only_if=mongodb_configured, rerun_lost=True, params_form=CleanupForm)
def cleanup_legacy_conversations(
    context: JobContext | None = None, *, minutes: int | None = None, now: datetime | str | None = None
) -> dict[str, Any]:
    """Deactivate the active conversations that were created more than a number of minutes ago.

    `minutes` defaults to the setting LEGACY_MINUTES; `now` stands in for the present time and
    is also what `updatedAt` becomes. Running it twice changes nothing more.
    """
    from cronjobs import documents

    log = create_job_logger(NAME) if context is None else context.log
    moment, cutoff = _moment_and_cutoff(minutes, now)
    log.start("Looking for stale conversations", data={"cutoff": rfc3339(cutoff)})
    counts = documents.deactivate_stale_conversations(cutoff, now=moment)
    result = {
        "success": True,
        "matchedCount": counts.matched,
        "modifiedCount": counts.modified,
        # The old program's clients read this one, although nothing is deleted.
        "deletedCount": counts.modified,
        "cutoff": rfc3339(cutoff),
        "timestamp": rfc3339(moment),
    }
    log.complete(f"Deactivated {counts.modified} conversations", data=result)
    return result


def cleanup_legacy_conversations_custom(minutes_old: int = 10) -> dict[str, Any]:
    """Deactivate the active conversations that are more than `minutes_old` minutes old, here and now."""
    result: dict[str, Any] = cleanup_legacy_conversations(minutes=minutes_old)
    return result


def get_legacy_conversation_stats(minutes: int | None = None, now: datetime | str | None = None) -> dict[str, Any]:
    """Count the conversations; the old ones were created more than `minutes` before `now`."""
    from cronjobs import documents

    moment, cutoff = _moment_and_cutoff(minutes, now)
    counts = documents.count_conversations(cutoff)
    return {
        "total": counts.total,
        "active": counts.active,
        "inactive": counts.inactive,
        "oldActive": counts.old_active,
        "oldInactive": counts.old_inactive,
        "cutoff": rfc3339(cutoff),
        "timestamp": rfc3339(moment),
    }


def preview_legacy_cleanup(minutes: int | None = None, now: datetime | str | None = None) -> dict[str, Any]:
    """Return what the clean-up would do, without doing anything."""
    from cronjobs import documents

    moment, cutoff = _moment_and_cutoff(minutes, now)
    return {
        "success": True,
        "dryRun": True,
        "matchedCount": documents.count_stale_conversations(cutoff),
        "modifiedCount": 0,
        "deletedCount": 0,
        "cutoff": rfc3339(cutoff),
        "timestamp": rfc3339(moment),
    }


def _moment_and_cutoff(minutes: int | None, now: datetime | str | None) -> tuple[datetime, datetime]:
    """Return the time that counts as now, and the time before which a conversation is old."""
    errors = {}
    try:
        age = timedelta(minutes=as_minutes(get_settings().legacy_minutes if minutes is None else minutes))
    except ValueError as error:
        errors["minutes"] = [str(error)]
    try:
        moment = timezone.now() if now is None else as_instant(now)
    except ValueError as error:
        errors["now"] = [str(error)]
    if errors:
        raise InvalidParameters(NAME, errors)
    return moment, moment - age
