"""What the body of ``POST execute`` may say: nothing, or one JSON object."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NoReturn

from django.http import RawPostDataException
from rest_framework.request import Request

from cronjobs.api.errors import InvalidBody


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """With which parameters a job is to run, and whether the caller waits for its result."""

    params: dict[str, Any] = field(default_factory=dict)
    wait: bool = True


def read_order(request: Request) -> Order:
    """Return what the body asks for, whatever its content type says; raise `InvalidBody`."""
    body = _read_body(request)
    if not body.strip():
        return Order()
    document = _parse(body)
    if not isinstance(document, dict):
        raise InvalidBody('The body must be a JSON object, such as {"params": {}}, or empty.')
    errors = {key: [message] for key, message in _mistakes(document)}
    if errors:
        raise InvalidBody("The body holds what is not understood.", errors)
    return Order(**document)


def _read_body(request: Request) -> bytes:
    try:
        body: bytes = request.body
    except RawPostDataException:
        # Some middleware has read it already, as the form that it claims to be.
        raise InvalidBody("The body must be JSON, not a form.") from None
    if not body and "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        # WSGI servers hand on no body without a length; its parameters must not be lost without a word.
        raise InvalidBody("Send the body with a Content-Length.")
    return body


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        reason = f": {error}" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidBody(f"The body is not JSON{reason}.") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _mistakes(document: dict[str, Any]) -> list[tuple[str, str]]:
    mistakes = [(key, "There is no such key; known are params and wait.") for key in document if key not in _KINDS]
    for key, (kind, name) in _KINDS.items():
        if key in document and not isinstance(document[key], kind):
            mistakes.append((key, f"Must be {name}."))
    return mistakes


_KINDS: dict[str, tuple[type, str]] = {"params": (dict, "an object"), "wait": (bool, "true or false")}
