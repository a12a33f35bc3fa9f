"""Writes what has been decided: whoever changes a state first tells of it, and nobody else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import InterfaceError, OperationalError

from cronjobs.alerting.changes import Change, Told
from cronjobs.alerting.composing import Draft
from cronjobs.alerts import JOB_KINDS
from cronjobs.database import engine_alias, in_transaction
from cronjobs.models import Alert, AlertDelivery, AlertNotice, AlertState
from cronjobs.models.batches import upsert

logger = logging.getLogger(__name__)

# So many changes are written in one transaction.
_BATCH = 100


class _WeighedMeanwhile(Exception):
    """Somebody else has changed the same states, or taken the same notices: nothing of this may be written."""


def write(drafts: Sequence[Draft], notices: Mapping[int, Collection[int]], *, now: datetime) -> int:
    """Change states, insert alerts with their deliveries, and delete what has been weighed; return the number of alerts.

    `notices` are ids by the key of their job. Where somebody else has changed anything since it
    was read, nothing is written, and the next look sees what there is then.
    """
    alias = engine_alias(AlertState)
    subjects = sorted({_subject(each) for each in drafts} | set(notices))

    def work(part: Collection[int]) -> int:
        some = [each for each in drafts if _subject(each) in part]
        weighed = [pk for subject in part for pk in notices.get(subject, ())]
        return in_transaction(alias, lambda: _write(alias, some, weighed, now))

    parts = [subjects[start : start + _BATCH] for start in range(0, len(subjects), _BATCH)]
    return sum(_write_part(work, part) for part in parts)


def _subject(draft: Draft) -> int:
    return draft.change.job_id or 0


def _write_part(work: Callable[[Collection[int]], int], subjects: Sequence[int]) -> int:
    """Write what concerns the subjects together; if that is refused, each alone, so that one holds up no other."""
    try:
        return work(subjects)
    except (OperationalError, InterfaceError):
        raise
    except _WeighedMeanwhile:
        logger.debug("Somebody else has looked at the same time, and was first.")
    except Exception:
        logger.exception("What people are to be told of %d subjects cannot be written.", len(subjects))
    return sum(_write_part(work, [each]) for each in subjects) if len(subjects) > 1 else 0


def _write(alias: str, drafts: Sequence[Draft], weighed: Collection[int], now: datetime) -> int:
    if weighed:
        deleted, _ = AlertNotice.objects.using(alias).filter(pk__in=weighed).delete()
        if deleted < len(weighed):
            raise _WeighedMeanwhile
    written = 0
    _insert_missing(alias, [each.change for each in drafts])
    # In the same order for everybody.
    for draft in sorted(drafts, key=lambda each: (each.change.kind, each.change.subject)):
        if not _change(alias, draft.change):
            raise _WeighedMeanwhile
        for told, facts in zip(draft.change.told, draft.facts, strict=True):
            _tell(alias, draft, _alert(draft.change, told, facts, now))
            written += 1
    return written


def _insert_missing(alias: str, changes: Sequence[Change]) -> None:
    missing = [AlertState(kind=each.kind, subject=each.subject) for each in changes if each.before.version is None]
    if missing:
        upsert(AlertState.objects.using(alias), missing, unique_fields=["kind", "subject"], update_fields=["subject"])


def _change(alias: str, change: Change) -> bool:
    """Bring the row to its new state; return whether it still was in the one that was read."""
    after, version = change.after, change.before.version or 0
    row = AlertState.objects.using(alias).filter(kind=change.kind, subject=change.subject, version=version)
    return bool(
        row.update(
            firing=after.firing,
            since=after.since,
            execution_id=after.execution_id,
            judged_at=after.judged_at,
            version=version + 1,
        )
    )


def _alert(change: Change, told: Told, facts: dict[str, Any], now: datetime) -> Alert:
    return Alert(
        kind=change.kind,
        is_resolution=told.is_resolution,
        subject=change.subject,
        job_name=change.subject if change.kind in JOB_KINDS else "",
        execution_id=told.execution_id,
        created_at=now,
        facts=facts,
    )


def _tell(alias: str, draft: Draft, alert: Alert) -> None:
    alert.save(using=alias, force_insert=True)
    names = _who_knows(alias, alert, draft.notifiers) if alert.is_resolution else draft.notifiers
    rows = [AlertDelivery(alert=alert, notifier=name, due_at=alert.created_at) for name in names]
    AlertDelivery.objects.using(alias).bulk_create(rows)


def _who_knows(alias: str, over: Alert, names: Sequence[str]) -> Sequence[str]:
    """Return those of `names` that were to tell of the beginning of what is over; all, if that is kept no more."""
    alerts = Alert.objects.using(alias).filter(kind=over.kind, subject=over.subject, job_name=over.job_name)
    beginning = alerts.filter(is_resolution=False, pk__lt=over.pk).order_by("-pk").values_list("pk", flat=True).first()
    if beginning is None:
        return names
    told = AlertDelivery.objects.using(alias).filter(alert_id=beginning).values_list("notifier", flat=True)
    return [name for name in names if name in set(told)]
