"""How a request says who sends it."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from rest_framework.authentication import BaseAuthentication, SessionAuthentication

from cronjobs.api.requests.access import KeyAuthentication, TokenWhereInstalled

Scheme = dict[str, Any]

_READING = ("GET", "HEAD")


def security_schemes() -> dict[str, Scheme]:
    """Return what a request may carry, by name."""
    schemes = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key of a program: `Authorization: Bearer <key>`.",
        },
        "session": {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME},
        "csrf": {
            "type": "apiKey",
            "in": "header",
            "name": csrf_header(),
            "description": "The CSRF token, which a session needs for what is not a GET.",
        },
    }
    if apps.is_installed("rest_framework.authtoken"):
        description = "A token of `rest_framework.authtoken`: `Authorization: Token <token>`, with that word."
        schemes["token"] = {"type": "apiKey", "in": "header", "name": "Authorization", "description": description}
    return schemes


def requirements(authenticators: list[BaseAuthentication], method: str) -> list[dict[str, list[str]]]:
    """Return the ways, of which one is enough, in which a request of this method may say who sends it."""
    known = security_schemes()
    wanted = [_names(each, method) for each in authenticators]
    return [{name: [] for name in names} for names in wanted if set(names) <= set(known)]


def csrf_header() -> str:
    """Return the name of the header in which a CSRF token comes."""
    return settings.CSRF_HEADER_NAME.removeprefix("HTTP_").replace("_", "-").title()


def _names(authenticator: BaseAuthentication, method: str) -> list[str]:
    match authenticator:
        case KeyAuthentication():
            return ["key"]
        case TokenWhereInstalled():
            return ["token"]
        case SessionAuthentication():
            return ["session"] if method in _READING else ["session", "csrf"]
    raise TypeError(f"{type(authenticator).__name__} is not described.")
