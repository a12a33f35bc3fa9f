"""Who did what over HTTP, and who was refused: kept in rows, and said in the log whatever happens to the rows."""

from __future__ import annotations

import logging

from cronjobs import security
from cronjobs.audit._actors import actor_of
from cronjobs.audit._floods import refusals_to_add
from cronjobs.audit._suspicion import look_into
from cronjobs.conf import words_to_mask
from cronjobs.database import engine_alias
from cronjobs.models import AuditEntry
from cronjobs.models.audit_entry import Outcome
from cronjobs.security import Event
from cronjobs.storable import storable_text

__all__ = ["record"]

logger = logging.getLogger(__name__)

# Beside these are requests that nobody may make sense of, and those are no danger.
_NOT_LET_IN = frozenset({401, 403, 429})


def record(entry: AuditEntry) -> None:
    """Log `entry` and store it; tell whoever listens if its caller has been refused too often.

    It is called when everything else is done. So nothing is raised: what has been changed stays
    changed, and is answered as such. An entry that cannot be stored is in the log, with all its facts.
    """
    _log(entry)
    if entry.outcome == Outcome.REFUSED and entry.status in _NOT_LET_IN:
        security.tell(
            Event.REQUEST_REFUSED,
            actor_of(entry),
            target=entry.target,
            details={"status": entry.status, "code": entry.code},
        )
    try:
        _store(entry)
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer stands
        reason = storable_text(error, mask=words_to_mask()).strip()
        logger.error("An audit entry could not be stored: %s", reason, extra=entry.facts())  # noqa: TRY400 - no traceback helps


def _log(entry: AuditEntry) -> None:
    level = logging.INFO if entry.outcome == Outcome.ACCEPTED else logging.WARNING
    what = (entry.method, entry.route, entry.target, entry.status, entry.code, entry.who, entry.address)
    logger.log(level, "%s: %s %s %r: %s %s, to %r at %s", entry.outcome, *what, extra=entry.facts())


def _store(entry: AuditEntry) -> None:
    entries = AuditEntry.objects.using(engine_alias(AuditEntry))
    if entry.outcome != Outcome.REFUSED:
        entries.store(entry)
    elif number := refusals_to_add(entry.caller_key):
        entries.add_refusals(entry, number)
        look_into(entry)
