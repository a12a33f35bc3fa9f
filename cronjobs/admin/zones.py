"""The time zone of whoever looks: their browser names it in a cookie, and pages show their times in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from cronjobs.exceptions import InvalidSchedule
from cronjobs.schedules import parse_time_zone

# Written by zone.js.
COOKIE: Final = "cronjobs_time_zone"
SCRIPT: Final = "cronjobs/zone.js"


class BrowserTimeZone:
    """Middleware that makes the browser's time zone the current one; the site's, where no browser has named one.

    One that activates what a user has chosen in a profile comes after it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Not undone afterwards, as Django's own documentation has it: an answer may be written piece by piece.
        try:
            timezone.activate(parse_time_zone(request.COOKIES[COOKIE]))
        except (KeyError, InvalidSchedule):
            timezone.deactivate()
        return self._get_response(request)


def scripts() -> tuple[str, ...]:
    """Return the script that names the browser's zone, where the site uses the middleware; otherwise nobody asks for it."""
    name = f"{BrowserTimeZone.__module__}.{BrowserTimeZone.__qualname__}"
    return (SCRIPT,) if name in settings.MIDDLEWARE else ()
