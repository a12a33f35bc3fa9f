"""Whether an answer is what the description of the API says, and the request that was served as well."""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from cronjobs.api.openapi.generating import OPERATIONS, api_document

_DESCRIPTION = "urn:description"


@cache
def description() -> dict[str, Any]:
    """Return the description of the API where the tests have mounted it."""
    return api_document("/cron/")


def checked(answer: Any, body: bytes = b"") -> Any:
    """Return the answer; fail if the description does not allow it, or does not allow the request that was served."""
    method = answer.request["REQUEST_METHOD"]
    operation = OPERATIONS.get((answer.resolver_match.func.cls, method))
    if operation is None:
        assert answer.status_code in {401, 403, 404, 405}
        return answer
    pointer = _operations()[operation.id]
    described = _at(pointer)
    _check_answer(answer, pointer, described)
    if answer.status_code < 400:
        _check_query(answer.request["QUERY_STRING"], described)
        if body.strip():
            _check_body(body, pointer, described)
    return answer


def conforms(value: Any, pointer: str) -> None:
    """Fail if `value` does not fit the schema that the description has at the JSON Pointer."""
    errors = [f"{each.json_path}: {each.message}" for each in _validator(pointer).iter_errors(value)]
    assert not errors, f"{pointer}: {errors}"


def _check_answer(answer: Any, pointer: str, described: dict[str, Any]) -> None:
    status = str(answer.status_code)
    assert status in described["responses"], f"{pointer}: {status} is not described: {answer.content!r}"
    response = described["responses"][status]
    missing = {name for name, header in response.get("headers", {}).items() if header.get("required")}
    assert missing <= {name.title() for name in answer.headers} | set(answer.headers), f"{pointer}: {missing}"
    if "content" not in response:
        assert answer.content == b"", pointer
        return
    media_type = answer["Content-Type"].partition(";")[0]
    assert media_type in response["content"], f"{pointer}: {media_type} is not described"
    if media_type == "application/json":
        place = f"{pointer}/responses/{status}/content/{_escaped(media_type)}/schema"
        conforms(json.loads(answer.content), place)


def _check_query(query: str, described: dict[str, Any]) -> None:
    known = {each["name"] for each in described.get("parameters", ()) if each["in"] == "query"}
    # An address that takes none does not look.
    assert not known or set(parse_qs(query)) <= known, f"{described['operationId']}: {query} is not described"


def _check_body(body: bytes, pointer: str, described: dict[str, Any]) -> None:
    value = json.loads(body)
    if "requestBody" in described:
        conforms(value, f"{pointer}/requestBody/content/{_escaped('application/json')}/schema")
    else:
        assert value == {}, f"{pointer}: no body is described"


@cache
def _operations() -> dict[str, str]:
    """Return where the description has each operation, by id."""
    return {
        operation["operationId"]: f"/paths/{_escaped(path)}/{method}"
        for path, methods in description()["paths"].items()
        for method, operation in methods.items()
    }


@cache
def _validator(pointer: str) -> Any:
    registry: Any = Registry().with_resource(_DESCRIPTION, DRAFT202012.create_resource(description()))
    return Draft202012Validator(
        {"$ref": f"{_DESCRIPTION}#{pointer.replace('{', '%7B').replace('}', '%7D')}"}, registry=registry
    )


def _at(pointer: str) -> Any:
    found: Any = description()
    for part in pointer.split("/")[1:]:
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
