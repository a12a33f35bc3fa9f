"""Who asks the API for something, for the records of what was done; and which keys are in use."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

from rest_framework.request import Request

from cronjobs import security
from cronjobs.models import ApiKey
from cronjobs.origins import address_of
from cronjobs.security import Actor, ActorKind, Event
from cronjobs.tallies import count_one, digest

# A key is told of once in so long for each address that it comes from.
_PERIOD: Final = timedelta(hours=1)
# By key and address, the last hour in which this process has seen it: no request asks a cache for what is here.
_seen: dict[tuple[int, str], int] = {}
_MOST_SEEN: Final = 10_000


def actor_of(request: Request) -> Actor:
    """Return who was let in with `request`; its action is the name of the address."""
    key = request.auth if isinstance(request.auth, ApiKey) else None
    kind = ActorKind.KEY if key else ActorKind.SESSION if request.auth is None else ActorKind.TOKEN
    return Actor(
        name=request.user.get_username(),
        kind=kind,
        key_prefix=key.label if key else "",
        address=address_of(request),
        action=_action(request),
        user_id=request.user.pk,
    )


def tell_of_use(request: Request, key: ApiKey) -> None:
    """Tell the security log that `key` has let somebody in, once in an hour for each address, over all web processes."""
    address, hour = address_of(request), int(time.time() // _PERIOD.total_seconds())
    if _seen.get((key.pk, address)) == hour:
        return
    if len(_seen) >= _MOST_SEEN:
        _seen.clear()
    _seen[key.pk, address] = hour
    # Without a cache each process tells of it.
    if count_one(f"key:{digest(key.pk, address, hour)}", lasts=_PERIOD) in (None, 1):
        actor = Actor(
            name=key.user.get_username(),
            kind=ActorKind.KEY,
            key_prefix=key.label,
            address=address,
            action=_action(request),
            user_id=key.user_id,
        )
        security.tell(Event.KEY_USED, actor, target=key.label)


def forget_uses() -> None:
    """Forget which keys have been seen: the next use of each is told of, unless other processes have."""
    _seen.clear()


def _action(request: Request) -> str:
    match = request.resolver_match
    return match.url_name or "" if match else ""
