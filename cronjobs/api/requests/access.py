"""Who is let in, and how far: keys, tokens and sessions, one permission per action, fixed here and not by the project.

A key acts for its user and within what it was limited to: it is let in where the user has the
permission and the key names it. One that is limited to some jobs reaches them and their
executions, and is closed out of every view that does not say that it takes such keys.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.db import DatabaseError
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from cronjobs.api.requests.actors import tell_of_use
from cronjobs.conf import words_to_mask
from cronjobs.dependencies import parse_dependencies
from cronjobs.models import ApiKey
from cronjobs.models.choices import KeyState
from cronjobs.models.execution import ExecutionQuerySet
from cronjobs.permissions import enough_for, key_permission, needed_to_set
from cronjobs.storable import storable_text

logger = logging.getLogger(__name__)

_NOT_GOOD = {
    KeyState.REVOKED: "The key has been revoked.",
    KeyState.EXPIRED: "The key has expired.",
    KeyState.USER_INACTIVE: "The key's user is not active.",
}
_OTHER_JOBS = "The key is limited to other jobs."
_SOME_JOBS = "The key is limited to some jobs, and this concerns others too."


class KeyRefused(AuthenticationFailed):
    """A key that lets nobody in any more, though it is the right one."""

    def __init__(self, key: ApiKey, reason: str) -> None:
        self.key = key
        super().__init__(reason)


class CsrfRefused(PermissionDenied):
    """A session, without the token that shows that the page which sent the request is the site's own."""

    def __init__(self, user: Any, reason: str) -> None:
        self.user = user
        super().__init__(reason)


class KeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer <key>`` (RFC 6750), of a key that is neither revoked nor expired, of an active user."""

    @sensitive_variables("text")
    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        key = ApiKey.objects.matching(text.strip())
        if key is None:
            raise AuthenticationFailed("There is no such key.")
        state = key.state(timezone.now())
        if state != KeyState.GOOD:
            raise KeyRefused(key, _NOT_GOOD[state])
        _note_use(key)
        tell_of_use(request, key)
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class TokenWhereInstalled(TokenAuthentication):
    """Tokens of ``rest_framework.authtoken``; in a project without it, nobody has one."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        return super().authenticate(request) if apps.is_installed("rest_framework.authtoken") else None


class SessionWithToken(SessionAuthentication):
    """Sessions, whose requests that change something bring the CSRF token; without it, it is known whose they are."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise CsrfRefused(request._request.user, str(error.detail)) from error  # noqa: SLF001 - as REST framework finds it


# The first one decides that anonymous requests are answered 401, not 403.
AUTHENTICATION = (KeyAuthentication, TokenWhereInstalled, SessionWithToken)


class HasAnyPermission(BasePermission):
    """Let in who has one of the view's ``permissions``; a view without any is closed.

    What other methods than GET need instead is in its ``permissions_by_method``.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        by_method = getattr(view, "permissions_by_method", {})
        needed = by_method.get(request.method, getattr(view, "permissions", ()))
        if not any(may(request, each) for each in needed):
            return False
        if reach(request) is not None and not getattr(view, "takes_limited_keys", False):
            raise PermissionDenied(_SOME_JOBS)
        if "name" in view.kwargs:
            check_reach(request, view.kwargs["name"])
        return True


def may(request: Request, permission: str) -> bool:
    """Return whether the caller has a permission, or one that is enough: the user, and the key if there is one."""
    enough = enough_for(permission)
    # In a project without an anonymous user, nobody is None.
    if not getattr(request.user, "is_active", False) or not any(map(request.user.has_perm, enough)):
        return False
    key = key_of(request)
    return key is None or not set(enough).isdisjoint(map(key_permission, key.allowed))


def reach(request: Request) -> frozenset[str] | None:
    """Return the names of the only jobs that the caller reaches; None: all."""
    key = key_of(request)
    return None if key is None else key.reach


def check_reach(request: Request, name: str) -> None:
    """Raise `PermissionDenied` if the caller does not reach the job `name`, whether or not there is one."""
    names = reach(request)
    if names is not None and name not in names:
        raise PermissionDenied(_OTHER_JOBS)


def check_reach_of_columns(request: Request, values: Mapping[str, Any]) -> None:
    """Raise `PermissionDenied` if these columns of a job name others that the caller does not reach."""
    for upstream in parse_dependencies(values.get("depends_on") or ""):
        check_reach(request, upstream)


def check_may_set(request: Request, values: Mapping[str, Any]) -> None:
    """Raise `PermissionDenied` if the caller lacks a permission that setting these columns of a job takes."""
    if not all(may(request, each) for each in needed_to_set(values)):
        raise PermissionDenied


def check_may_redefine(request: Request) -> None:
    """Raise `PermissionDenied` if the caller reaches only some jobs: whoever says what one of them does runs anything."""
    if reach(request) is not None:
        raise PermissionDenied("The key is limited to some jobs, and cannot say what they do.")


def within_reach(request: Request, executions: ExecutionQuerySet) -> ExecutionQuerySet:
    """Return those of `executions` whose jobs the caller reaches."""
    names = reach(request)
    return executions if names is None else executions.filter(job_name__in=names)


def key_of(request: Request) -> ApiKey | None:
    """Return the key that came with the request; None: it came with a token or in a session."""
    return request.auth if isinstance(request.auth, ApiKey) else None


def _note_use(key: ApiKey) -> None:
    try:
        key.note_use(timezone.now())
    except DatabaseError as error:
        # Not worth refusing a request for.
        logger.warning("The use of %s could not be noted: %s", key.label, storable_text(error, mask=words_to_mask()))
