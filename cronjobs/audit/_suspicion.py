"""Who is refused again and again: told once in a while, over all processes."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cronjobs import events, security
from cronjobs.audit._actors import actor_of
from cronjobs.conf import settings_or_defaults
from cronjobs.database import engine_alias
from cronjobs.models import AuditEntry, Suspect
from cronjobs.security import Event
from cronjobs.storable import rfc3339
from cronjobs.tallies import digest

# Those that say that somebody was not let in; a valid caller who asks for nonsense is no danger.
_CODES: Final = ("not_authenticated", "authentication_failed", "permission_denied", "refused_too_often")


def look_into(entry: AuditEntry) -> None:
    """Tell of the address of `entry`, a refusal, if it has been refused too often of late; else of its user.

    A user is told of only when no single address does: somebody who asks from many.
    """
    if entry.code not in _CODES:
        return
    settings = settings_or_defaults()
    window = settings.suspicious_window
    recent = AuditEntry.objects.using(engine_alias(AuditEntry)).refusals(_CODES, entry.at - window)
    for column in ("address", "who"):
        value = getattr(entry, column)
        count, since = recent.filter(**{column: value}).counted() if value else (0, None)
        if since is not None and count >= settings.suspicious_refusals:
            suspects = Suspect.objects.using(engine_alias(Suspect))
            if suspects.claim(digest(column, value), now=entry.at, window=window):
                _tell(entry, count, since)
            return


def _tell(entry: AuditEntry, count: int, since: datetime) -> None:
    details = {"count": count, "since": rfc3339(since)}
    security.tell(Event.REFUSED_REPEATEDLY, actor_of(entry), target=entry.target, details=details)
    events.send(events.refused_repeatedly, AuditEntry, address=entry.address, who=entry.who, count=count, since=since)
