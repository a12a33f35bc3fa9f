"""Who asks the admin for something, for its own record and for the security log; and those whom it refuses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from cronjobs import security
from cronjobs.origins import address_of
from cronjobs.security import Actor, ActorKind, Event

_REFUSED = {"status": 403, "code": "permission_denied"}


def actor_of(request: HttpRequest) -> Actor:
    """Return who has sent `request`; its action is the name of the address."""
    match = request.resolver_match
    action = match.view_name if match else ""
    # In a project without an anonymous user there may be none.
    user: Any = getattr(request, "user", None)
    if not getattr(user, "is_authenticated", False):
        return Actor(address=address_of(request), action=action)
    return Actor(
        name=user.get_username(),
        kind=ActorKind.SESSION,
        address=address_of(request),
        action=action,
        user_id=user.pk,
    )


def refusals_told(view: Callable[..., Any]) -> Callable[..., Any]:
    """Return `view`, which tells the security log whenever it raises `PermissionDenied`."""

    @functools.wraps(view)
    def watched(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return view(request, *args, **kwargs)
        except PermissionDenied:
            target = kwargs.get("object_id", "")
            security.tell(Event.REQUEST_REFUSED, actor_of(request), target=target, details=_REFUSED)
            raise

    return watched
