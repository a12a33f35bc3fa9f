"""What stands in addresses, queries and headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from cronjobs.api.openapi.values import NAME, NO_NUL

_NUMBER = {"type": "integer", "minimum": 1, "maximum": 10**18 - 1}
_QUEUE = {"type": "string", "minLength": 1, "maxLength": 50}
SOME_NAME = {"type": "string", "minLength": 1, "maxLength": 150, "pattern": NO_NUL}
# No server hands on spaces at the ends of a header.
_KEY = {"type": "string", "pattern": "^[!-~]([ -~]*[!-~])?$", "maxLength": 255}

LOCATION: Mapping[str, Any] = {
    "Location": {
        "description": "The address that tells more, also later.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    }
}


def query(name: str, schema: Mapping[str, Any], description: str, *, example: Any = None) -> OpenApiParameter:
    """Return a parameter of a query."""
    examples = [] if example is None else [OpenApiExample("Example", example)]
    return OpenApiParameter(name, dict(schema), description=description, examples=examples)


def limit(most: int, default: int) -> OpenApiParameter:
    """Return the parameter that says how much is asked for at once."""
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return query("limit", schema, "How many at once.")


JOB = OpenApiParameter(
    "name", NAME, OpenApiParameter.PATH, description="A job.", examples=[OpenApiExample("Example", "send-digest")]
)
QUEUE = OpenApiParameter(
    "name", _QUEUE, OpenApiParameter.PATH, description="A queue.", examples=[OpenApiExample("Example", "default")]
)
NODE = OpenApiParameter(
    "name",
    SOME_NAME,
    OpenApiParameter.PATH,
    description="A node.",
    examples=[OpenApiExample("Example", "worker-1:4242:3fa9c1")],
)
EXECUTION = OpenApiParameter(
    "executionId",
    _NUMBER,
    OpenApiParameter.PATH,
    description="The number of an execution.",
    examples=[OpenApiExample("Example", 4711)],
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    _KEY,
    OpenApiParameter.HEADER,
    description="A request with the same key for the same job runs nothing again: it answers with the first one's execution.",
    examples=[OpenApiExample("Example", "digest-2026-03-01")],
)
BEFORE = query("before", _NUMBER, "Only those with smaller numbers.")
COUNT = query(
    "count", {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}, "How many due times.", example=3
)
