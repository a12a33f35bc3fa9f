"""What is said about one method of one address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drf_spectacular.utils import OpenApiParameter

from cronjobs.api.errors import ErrorCode
from cronjobs.api.openapi.values import Document, Given
from cronjobs.api.views import CronView

# By the view, and the method in capitals.
Operations = Mapping[tuple[type[CronView], str], "Operation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What can be asked next: the operation of that id, with parameters taken from the answer."""

    operation: str
    parameters: Mapping[str, str]

    def document(self) -> dict[str, Any]:
        """Return the Link Object."""
        return {"operationId": self.operation, "parameters": dict(self.parameters)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a request is answered that was served: with a document, with one of `others` by media type, or nothing."""

    meaning: str
    document: type[Document] | None = None
    example: Mapping[str, Any] | None = None
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)
    links: Sequence[Link] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method of an address.

    `errors` are those beside the ones that any such request may be answered; `reports` are those
    that say more than an error does, with the document that says it.
    """

    id: str
    tag: str
    summary: str
    answers: Mapping[int, Answer]
    errors: Sequence[ErrorCode] = ()
    reports: Mapping[ErrorCode, type[Document]] = field(default_factory=dict)
    parameters: Sequence[OpenApiParameter] = ()
    body: type[Given] | None = None
    examples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
