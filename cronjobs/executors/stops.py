"""Tells jobs that run in this process that they are to stop, and why."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from cronjobs.language import gettext as _
from cronjobs.models import JobExecution
from cronjobs.runner import Claim

logger = logging.getLogger(__name__)

_FACTS = ("cancel_reason", "cancel_requested_by", "cancel_requested_at")


def pass_on_stops(claims: Iterable[Claim]) -> None:
    """Tell those jobs of `claims` that somebody wants to end; one that has been told is not told again."""
    held = {claim.execution.pk: claim for claim in claims if not claim.stop_requested.is_set()}
    for row in JobExecution.objects.asked_to_stop().filter(pk__in=held).values("pk", *_FACTS):
        claim = held[row["pk"]]
        for fact in _FACTS:
            setattr(claim.execution, fact, row[fact])
        claim.stop_requested.set()


def pass_on_losses(claims: Iterable[Claim], lost: Iterable[JobExecution]) -> None:
    """Tell jobs to stop whose execution is one of `lost`, and so somebody else's: what they still do counts for nothing.

    These very objects: the same row may have been claimed again here since.
    """
    those = {id(each) for each in lost}
    found = [claim for claim in claims if id(claim.execution) in those]
    if found:
        ids = sorted(claim.execution.pk for claim in found)
        logger.warning("Claims on executions %s are no longer ours.", ids)
    for claim in found:
        claim.execution.cancel_reason = _("Its claim was lost.")
        claim.stop_requested.set()
