"""The body of a request: so long at most, and then one JSON value that can be meant."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Final, NoReturn

from django.core.exceptions import RequestDataTooBig
from django.core.handlers.asgi import ASGIRequest
from django.http import RawPostDataException
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from cronjobs.api.errors import InvalidBody
from cronjobs.conf import settings_or_defaults

# MariaDB's JSON goes no deeper; nor does what is shown of parameters.
_DEEPEST: Final = 30
_MOST_DIGITS: Final = 20


def check_length(request: Request) -> None:
    """Raise `RequestDataTooBig` if the body of a request that has one is longer than API_MAX_BODY, by its own words."""
    if request.method not in SAFE_METHODS and (_stated_length(request) or 0) > settings_or_defaults().api_max_body:
        raise RequestDataTooBig


def read_json(request: Request, *, default: Any) -> Any:
    """Return what the body says, whatever its content type; for an empty body the default.

    Raises `InvalidBody`, and `RequestDataTooBig` for more than API_MAX_BODY bytes.
    """
    body = _read(request)
    if not body.strip():
        return default
    value = _parsed(body)
    if _is_deeper(value, _DEEPEST):
        raise InvalidBody(f"The body is nested deeper than {_DEEPEST} levels.")
    return value


def _read(request: Request) -> bytes:
    most = settings_or_defaults().api_max_body
    # ASGI servers hand on a body without its length: it is read no further than it may be long.
    is_endless = _stated_length(request) is None and isinstance(request._request, ASGIRequest)  # noqa: SLF001 - REST framework's documented API
    try:
        body: bytes = request.read(most + 1) if is_endless else request.body
    except RawPostDataException:
        # Some middleware has read it already, as the form that it claims to be.
        raise InvalidBody("The body must be JSON, not a form.") from None
    if len(body) > most:
        raise RequestDataTooBig
    if not body and "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        # WSGI servers hand on no body without a length; its parameters must not be lost without a word.
        raise InvalidBody("Send the body with a Content-Length.")
    return body


def _stated_length(request: Request) -> int | None:
    """Return what the request says of its body's length, if it does; raise `InvalidBody` for what is no number."""
    text = str(request.META.get("CONTENT_LENGTH") or "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS):
        raise InvalidBody("The Content-Length is no length.")
    return int(text)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        # Python has no sentence of its own that is for callers, but for where the JSON is wrong.
        reason = f": {error}" if isinstance(error, json.JSONDecodeError | _NotMeant) else ""
        raise InvalidBody(f"The body is not JSON{reason}.") from None


class _NotMeant(ValueError):
    """JSON that says nothing, or two things at once."""


def _refuse_constant(constant: str) -> NoReturn:
    raise _NotMeant(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise _NotMeant("there is a number in it that is too large")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # Which of two values counts depends on who reads it: a proxy that checks may see another than this does.
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise _NotMeant(f"an object in it has the key {twice!r} twice")
    return found


def _is_deeper(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [child for each in level if isinstance(each, dict | list) for child in _children(each)]
    return any(isinstance(each, dict | list) for each in level)


def _children(container: dict[str, Any] | list[Any]) -> Any:
    return container.values() if isinstance(container, dict) else container
