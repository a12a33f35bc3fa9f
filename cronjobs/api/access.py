"""Who is let in: tokens and sessions, one permission per address, fixed here and not left to the project."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class TokenWhereInstalled(TokenAuthentication):
    """Tokens of ``rest_framework.authtoken``; in a project without it, nobody has one."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        return super().authenticate(request) if apps.is_installed("rest_framework.authtoken") else None


# The first one decides that anonymous requests are answered 401, not 403.
AUTHENTICATION = (TokenWhereInstalled, SessionAuthentication)


class HasAnyPermission(BasePermission):
    """Let in active users who have one of the view's ``permissions``; a view without any is closed.

    What other methods than GET need instead is in its ``permissions_by_method``.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        # In a project without an anonymous user, nobody is None.
        if not getattr(request.user, "is_active", False):
            return False
        by_method = getattr(view, "permissions_by_method", {})
        needed = by_method.get(request.method, getattr(view, "permissions", ()))
        return any(request.user.has_perm(each) for each in needed)
