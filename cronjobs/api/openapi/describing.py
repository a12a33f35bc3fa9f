"""Turns what is said about an operation into what OpenAPI says, through drf-spectacular."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiRequest, OpenApiResponse

from cronjobs.api.errors import ErrorCode
from cronjobs.api.openapi.documents.site import Error
from cronjobs.api.openapi.operations import Operation
from cronjobs.api.openapi.security import requirements
from cronjobs.api.openapi.values import Document
from cronjobs.api.site.probes import ProbeView
from cronjobs.permissions import enough_for

_JSON = "application/json"
_EVERYWHERE = (ErrorCode.THROTTLED, ErrorCode.INTERNAL_ERROR, ErrorCode.DATABASE_UNAVAILABLE)
_CLOSED = (
    ErrorCode.NOT_AUTHENTICATED,
    ErrorCode.AUTHENTICATION_FAILED,
    ErrorCode.PERMISSION_DENIED,
    ErrorCode.REFUSED_TOO_OFTEN,
)
_CHANGING = (ErrorCode.INVALID_BODY, ErrorCode.BODY_TOO_LARGE)
_TEXT = {"type": "string"}
_ERROR_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"description": "How to say who asks.", "required": True, "schema": _TEXT}},
    429: {"Retry-After": {"description": "In how many seconds to come back.", "schema": {"type": "integer"}}},
}


class Description(AutoSchema):
    """The description of one method of one view."""

    def __init__(self, view: Any, operation: Operation) -> None:
        super().__init__()
        self.view = view
        self._operation = operation

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        operation: dict[str, Any] = super().get_operation(*args, **kwargs) or {}
        for status, answer in self._operation.answers.items():
            response = operation["responses"][str(status)]
            if answer.headers:
                response["headers"] = dict(answer.headers)
            if answer.links:
                response["links"] = {each.operation: each.document() for each in answer.links}
        for status in self._errors():
            if status in _ERROR_HEADERS:
                operation["responses"][str(status)]["headers"] = _ERROR_HEADERS[status]
        return operation

    def get_operation_id(self) -> str:
        return self._operation.id

    def get_summary(self) -> str:
        return self._operation.summary

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular overrides it
        view: Any = self.view
        said = super().get_description().replace("``", "`")
        asked = view.permissions_by_method.get(self.method, view.permissions)
        permissions = dict.fromkeys(each for one in asked for each in enough_for(one))
        return f"{said}\n\nPermission: {' or '.join(f'`{each}`' for each in permissions)}." if permissions else said

    def get_tags(self) -> list[str]:
        return [self._operation.tag]

    def get_auth(self) -> list[dict[str, list[str]]]:
        return requirements(self.view.get_authenticators(), self.method)

    def get_override_parameters(self) -> list[Any]:
        return list(self._operation.parameters)

    def get_request_serializer(self) -> Any:
        if self._operation.body is None:
            return None
        examples = [OpenApiExample(name, value) for name, value in self._operation.examples.items()]
        return {_JSON: OpenApiRequest(self._operation.body, examples=examples)}

    def get_response_serializers(self) -> Any:
        return dict([*self._served(), *self._refused()])

    def map_parsers(self) -> list[str]:
        return [_JSON]

    def map_renderers(self, attribute: str) -> list[str]:
        return [_JSON] if attribute == "media_type" else ["json"]

    def _served(self) -> Iterator[tuple[Any, Any]]:
        for status, answer in self._operation.answers.items():
            examples = [] if answer.example is None else [OpenApiExample("Example", answer.example)]
            if answer.document is not None:
                yield (status, _JSON), OpenApiResponse(answer.document, answer.meaning, examples)
            for media_type, schema in answer.others.items():
                yield (status, media_type), OpenApiResponse(dict(schema), answer.meaning)
            if answer.document is None and not answer.others:
                yield status, OpenApiResponse(None, answer.meaning)

    def _refused(self) -> Iterator[tuple[Any, Any]]:
        for status, codes in self._errors().items():
            plain = [each for each in codes if each not in self._operation.reports]
            schemas = [
                *([self._refusal(Error, plain)] if plain else []),
                *(self._refusal(self._operation.reports[each], [each]) for each in codes if each not in plain),
            ]
            schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
            examples = [OpenApiExample(each, _error(each)) for each in plain]
            yield (status, _JSON), OpenApiResponse(schema, " ".join(each.meaning for each in codes), examples)

    def _refusal(self, document: type[Document], codes: Sequence[ErrorCode]) -> dict[str, Any]:
        # One document serves many addresses, of which each has only some of the codes.
        error = self.resolve_serializer(document, "response").ref
        return {"allOf": [error, {"properties": {"code": {"enum": [str(each) for each in codes]}}}]}

    def _errors(self) -> dict[int, list[ErrorCode]]:
        codes = {*self._operation.errors, *self._operation.reports, *self._common_errors()}
        by_status: dict[int, list[ErrorCode]] = {}
        for code in ErrorCode:
            if code in codes:
                by_status.setdefault(code.status, []).append(code)
        return by_status

    def _common_errors(self) -> tuple[ErrorCode, ...]:
        if isinstance(self.view, ProbeView):
            return ()
        return (*_EVERYWHERE, *_CLOSED, *(() if self.method == "GET" else _CHANGING))

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Any:  # noqa: FBT001, FBT002 - drf-spectacular's
        schema = super()._map_serializer(serializer, direction, bypass_extensions)
        return {**schema, "additionalProperties": False} if isinstance(serializer, Document) else schema


def _error(code: ErrorCode) -> dict[str, Any]:
    return {"success": False, "error": code.meaning, "code": str(code), "timestamp": "2026-03-02T06:00:07.120Z"}
