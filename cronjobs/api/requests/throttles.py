"""How many requests a caller may make: counted in Django's cache, in minutes of the clock or whatever the settings say."""

from __future__ import annotations

import time
from typing import Any, Final

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from rest_framework import exceptions
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from cronjobs.api.errors import RefusedTooOften
from cronjobs.api.requests.access import key_of
from cronjobs.conf import settings_or_defaults
from cronjobs.origins import address_of, network_of
from cronjobs.tallies import count_one, digest

READ, WRITE, EXECUTE, REFUSED = "read", "write", "execute", "refused"

_REFUSALS: Final = (
    exceptions.NotAuthenticated,
    exceptions.AuthenticationFailed,
    exceptions.PermissionDenied,
    DjangoPermissionDenied,
)


class CallerThrottle(BaseThrottle):
    """So many requests of a kind for each key, or else each user, or else each address, as THROTTLES says.

    REST framework's own keep the time of every request of the period, and read and write them
    all with each: thousands, here. This keeps a number.
    """

    _wait: float | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        scope = READ if request.method in SAFE_METHODS else getattr(view, "write_scope", WRITE)
        self._wait = _seconds_to_wait(scope, *_caller(request))
        return self._wait is None

    def wait(self) -> float | None:
        return self._wait


def or_refused_too_often(error: Exception, request: Request) -> Exception:
    """Return `error`; if it refuses a caller whose address has been refused too often, what says that instead.

    Nobody else is held back: who is let in is served, whoever else asks from the same address.
    """
    if not isinstance(error, _REFUSALS):
        return error
    wait = _seconds_to_wait(REFUSED, "address", network_of(address_of(request)))
    return error if wait is None else RefusedTooOften(wait)


def _seconds_to_wait(scope: str, *caller: Any) -> float | None:
    """Count a request; return how long it is until the next one is allowed, or None if this one is."""
    limit = settings_or_defaults().throttles[scope]
    if limit is None:
        return None
    seconds, now = limit.period.total_seconds(), time.time()
    window = int(now // seconds)
    number = count_one(f"{scope}:{digest(*caller, window)}", lasts=limit.period)
    if number is None or number <= limit.starts:
        return None
    return (window + 1) * seconds - now


def _caller(request: Request) -> tuple[Any, ...]:
    if (key := key_of(request)) is not None:
        return "key", key.pk
    if getattr(request.user, "is_authenticated", False):
        return "user", request.user.pk
    return "address", network_of(address_of(request))
