"""What the body of a POST may say: nothing, or one JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rest_framework.request import Request

from cronjobs.api.errors import InvalidBody, InvalidValues
from cronjobs.api.requests.bodies import read_json
from cronjobs.models.moves.cancellations import REASON_MAX_LENGTH

_KEY: Final = "Idempotency-Key"
_KEY_MAX_LENGTH: Final = 255

# The keys that a body may have: the type that a value must be of, and what people call that.
_Kinds = Mapping[str, tuple[type, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """With which parameters a job is to run, and whether the caller waits for its result."""

    params: dict[str, Any] = field(default_factory=dict)
    wait: bool = True


def read_order(request: Request) -> Order:
    """Return what the body of ``POST execute`` asks for, whatever its content type says; raise `InvalidBody`."""
    return Order(**_read_object(request, {"params": (dict, "an object"), "wait": (bool, "true or false")}))


def read_reason(request: Request) -> str:
    """Return the reason that the body gives, if it gives one; raise `InvalidBody`."""
    reason: str = _read_object(request, {"reason": (str, "text")}).get("reason", "")
    if len(reason) > REASON_MAX_LENGTH:
        message = f"At most {REASON_MAX_LENGTH} characters."
        raise InvalidBody("The reason is too long.", {"reason": [message]})
    return reason


def read_key(request: Request) -> str | None:
    """Return the header ``Idempotency-Key``, if there is one; raise `InvalidValues`."""
    key: str | None = request.headers.get(_KEY)
    if key is None:
        return None
    if not (0 < len(key) <= _KEY_MAX_LENGTH and key.isascii() and key.isprintable()):
        raise InvalidValues({_KEY: [f"Must be 1 to {_KEY_MAX_LENGTH} printable ASCII characters."]})
    return key


def read_nothing(request: Request) -> None:
    """Raise `InvalidBody` if the body asks for anything."""
    _read_object(request, {})


def read_document(request: Request) -> dict[str, Any]:
    """Return the body's JSON object, whatever is in it; empty for an empty body. Raise `InvalidBody`."""
    document = read_json(request, default={})
    if not isinstance(document, dict):
        raise InvalidBody("The body must be a JSON object, such as {}, or empty.")
    return document


def _read_object(request: Request, kinds: _Kinds) -> dict[str, Any]:
    """Return the body's JSON object, which has no other keys and values than `kinds` says; empty for an empty body."""
    document = read_document(request)
    errors = {key: [message] for key, message in _mistakes(document, kinds)}
    if errors:
        raise InvalidBody("The body holds what is not understood.", errors)
    return document


def _mistakes(document: dict[str, Any], kinds: _Kinds) -> list[tuple[str, str]]:
    known = f"known {'are' if len(kinds) > 1 else 'is'} {' and '.join(kinds)}" if kinds else "none is known"
    mistakes = [(key, f"There is no such key; {known}.") for key in document if key not in kinds]
    for key, (kind, name) in kinds.items():
        if key in document and not isinstance(document[key], kind):
            mistakes.append((key, f"Must be {name}."))
    return mistakes
