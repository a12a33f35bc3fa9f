"""Who an entry of the audit is about, as the security log has it."""

from __future__ import annotations

from cronjobs.models import AuditEntry
from cronjobs.security import Actor, ActorKind


def actor_of(entry: AuditEntry) -> Actor:
    """Return who made the request of `entry`, by the name of its address."""
    kind, key_prefix = _kind(entry.credential)
    return Actor(name=entry.who, kind=kind, key_prefix=key_prefix, address=entry.address, action=entry.route)


def _kind(credential: str) -> tuple[ActorKind, str]:
    if not credential:
        return ActorKind.NOBODY, ""
    if credential in (ActorKind.SESSION, ActorKind.TOKEN):
        return ActorKind(credential), ""
    return ActorKind.KEY, credential
