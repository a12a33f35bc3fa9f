"""What stands between every request and its view: limits before, the audit after."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.utils import timezone
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from cronjobs import audit
from cronjobs.api.requests.access import CsrfRefused, KeyRefused, key_of
from cronjobs.api.requests.bodies import check_length
from cronjobs.api.requests.throttles import WRITE, CallerThrottle, or_refused_too_often
from cronjobs.conf import words_to_mask
from cronjobs.models import AuditEntry
from cronjobs.models.audit_entry import Outcome
from cronjobs.origins import address_of, network_of
from cronjobs.storable import storable_text

logger = logging.getLogger(__name__)

# Refused with these, a request is recorded whatever it wanted: so those are found who only look around.
_TELLING: Final = frozenset({401, 403, 429})
# Anything can be a method; only these are told apart.
_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, by name, and by what they were let in; empty texts for nobody."""

    who: str = ""
    credential: str = ""


class GuardedView(APIView):
    """Bounds what is asked of a view, and records what it did and what it refused."""

    throttle_classes: Sequence[type[BaseThrottle]] = (CallerThrottle,)
    # Which limit counts what is not a GET.
    write_scope: ClassVar[str] = WRITE

    caller = Caller()
    # What a request is about, where its address does not say it.
    target = ""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # First of all: whoever checks a session's token may read the body.
        check_length(request)
        super().initial(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        if getattr(request.user, "is_authenticated", False):
            self.caller = Caller(request.user.get_username(), _credential(request))

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, KeyRefused):
            self.caller = Caller(exc.key.user.get_username(), exc.key.label)
        elif isinstance(exc, CsrfRefused):
            self.caller = Caller(exc.user.get_username(), "session")
        return super().handle_exception(or_refused_too_often(exc, self.request))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        outcome = _outcome(request.method or "", final.status_code)
        if outcome is not None:
            audit.record(self._entry(request, final, outcome))
        return final

    def _entry(self, request: Request, response: Any, outcome: Outcome) -> AuditEntry:
        now, address = timezone.now(), address_of(request)
        match, document = request.resolver_match, getattr(response, "data", None)
        return AuditEntry(
            at=now,
            last_at=now,
            outcome=outcome,
            who=_text(self.caller.who, 150),
            credential=self.caller.credential,
            method=request.method if request.method in _METHODS else "?",
            route=_text(match.url_name or "" if match else "", 50),
            target=_text(self.target or self.kwargs.get("name") or self.kwargs.get("pk") or "", 100),
            # Refusals are counted by what somebody can have many addresses of.
            address=network_of(address) if outcome == Outcome.REFUSED else address,
            status=response.status_code,
            code=_text(document.get("code", "") if isinstance(document, dict) else "", 50),
        )


def _outcome(method: str, status: int) -> Outcome | None:
    """Return what becomes of a request in the audit; None: nothing."""
    if status in _TELLING:
        return Outcome.REFUSED
    if method in SAFE_METHODS:
        return None
    if status >= 500:
        return Outcome.FAILED
    return Outcome.REFUSED if status >= 400 else Outcome.ACCEPTED


def _credential(request: Request) -> str:
    if (key := key_of(request)) is not None:
        return key.label
    return "session" if request.auth is None else "token"


def _text(value: object, most: int) -> str:
    return storable_text(value, max_bytes=most, mask=words_to_mask())
