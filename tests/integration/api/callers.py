"""A client of the API, who reads answers more strictly than browsers do, and compares them with the description."""

from __future__ import annotations

import json
import re
from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client
from rest_framework.authtoken.models import Token

from tests.integration.api.contract import checked

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Caller:
    """Sends requests as `user`, with a token; as nobody if there is none."""

    def __init__(self, user: Any = None) -> None:
        self._client = Client()
        self._headers = {}
        if user is not None:
            self._headers["Authorization"] = f"Token {Token.objects.create(user=user).key}"

    def get(self, path: str, **headers: str) -> Any:
        """Return the answer to a GET."""
        return checked(self._client.get(path, headers={**self._headers, **headers}))

    def post(self, path: str, body: Any = b"", *, content_type: str = "application/json", **headers: str) -> Any:
        """Return the answer to a POST; a body that is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self._client.post(path, data, content_type=content_type, headers={**self._headers, **headers})
        return checked(answer, data)

    def patch(self, path: str, body: Any) -> Any:
        """Return the answer to a PATCH; a body that is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return checked(self._client.patch(path, data, content_type="application/json", headers=self._headers), data)

    def delete(self, path: str) -> Any:
        """Return the answer to a DELETE."""
        return checked(self._client.delete(path, headers=self._headers))


def grant(user: Any, *codenames: str) -> None:
    """Give a user permissions of this app."""
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="cronjobs", codename__in=codenames))


def document(answer: Any) -> Any:
    """Return the JSON document in an answer; NaN and whatever else is not JSON is an error."""
    assert answer["Content-Type"] == "application/json"
    return json.loads(answer.content.decode(), parse_constant=_refuse)


def assert_error(answer: Any, status: int, code: str) -> Any:
    """Check that an answer has the shape of errors, and return its document."""
    found = document(answer)
    assert (answer.status_code, found["code"], found["success"]) == (status, code, False)
    assert set(found) - {"errors"} == {"success", "error", "code", "timestamp"}
    assert found["error"]
    assert TIME.fullmatch(found["timestamp"])
    return found


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")
