"""Bodies that are too long, too deep or say two things at once: refused before anything is done."""

from __future__ import annotations

import asyncio
import json

import pytest
from asgiref.sync import async_to_sync
from django.core.asgi import get_asgi_application
from django.test import Client
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cronjobs.api.requests.bodies import _is_deeper
from cronjobs.models import AuditEntry, JobExecution
from tests.integration.api.callers import assert_error, document

pytestmark = pytest.mark.django_db


@pytest.fixture
def small(settings):
    """A limit of a thousand bytes."""
    settings.CRONJOBS = {**settings.CRONJOBS, "API_MAX_BODY": 1_000}


def body_of(length):
    """Return a body of so many bytes, which asks for nothing."""
    return b"{}" + b" " * (length - 2)


def test_a_body_is_as_long_as_it_may_be_and_no_longer(operator, small):
    assert operator.post("/cron/execute/noop", body_of(1_000)).status_code == 200

    assert_error(operator.post("/cron/execute/noop", body_of(1_001)), 413, "body_too_large")
    assert JobExecution.objects.count() == 1


def test_what_says_that_it_is_too_long_is_not_read(operator, small):
    request = {"CONTENT_LENGTH": "5000000000", "wsgi.input": Unreadable()}

    answer = operator._client.generic("POST", "/cron/execute/noop", headers=operator._headers, **request)

    assert_error(answer, 413, "body_too_large")


class Unreadable:
    """A body that nobody may begin to read."""

    def read(self, *_):
        raise AssertionError("The body was read.")

    readline = read


def test_not_even_a_session_has_its_form_read(django_user_model, small):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(django_user_model.objects.create_superuser("sue"))
    request = {
        "CONTENT_LENGTH": "5000000000",
        "wsgi.input": Unreadable(),
        "CONTENT_TYPE": "multipart/form-data; boundary=x",
    }

    assert_error(browser.generic("POST", "/cron/pause", **request), 413, "body_too_large")


@pytest.mark.parametrize("length", ["-1", "1e3", "abc", "\xb2", "9" * 5_000])
def test_a_length_that_is_none_is_refused(operator, length):
    answer = operator._client.generic("POST", "/cron/execute/noop", headers=operator._headers, CONTENT_LENGTH=length)

    assert_error(answer, 400, "invalid_body")


def test_djangos_own_limit_counts_as_well(operator, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 500

    assert_error(operator.post("/cron/execute/noop", body_of(501)), 413, "body_too_large")
    assert operator.post("/cron/execute/noop", body_of(500)).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("length", "status"), [(1_000, 200), (1_001, 413), (100_000, 413)])
def test_a_body_without_its_length_is_read_no_further_than_it_may_be_long(operator, small, length, status):
    # Only ASGI servers hand one on.
    answer = asgi_post(operator, "/cron/execute/noop", body_of(length))

    assert answer["status"] == status
    assert JobExecution.objects.count() == (status == 200)


def asgi_post(caller, path, body):
    """Return the status and the body that Django's ASGI application answers to a POST in chunks."""
    headers = {"transfer-encoding": "chunked", "content-type": "application/json", **caller._headers}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 4711),
        "server": ("testserver", 80),
        "asgi": {"version": "3.0"},
    }
    half = len(body) // 2
    chunks = [
        {"type": "http.request", "body": body[:half], "more_body": True},
        {"type": "http.request", "body": body[half:], "more_body": False},
    ]
    answer = {"body": b""}

    async def receive():
        if chunks:
            return chunks.pop(0)
        # Nobody hangs up.
        return await never()

    async def send(message):
        answer["status"] = message.get("status", answer.get("status"))
        answer["body"] += message.get("body", b"")

    async_to_sync(get_asgi_application())(scope, receive, send)
    return answer


async def never():
    """Wait for what does not come."""
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 400_000, id="arrays that never end"),
        pytest.param(b'{"a":' * 100_000, id="objects that never end"),
        pytest.param(b"[" * 400_000 + b"]" * 400_000, id="arrays in arrays"),
        pytest.param(b'{"params": {"a": ' + b"[" * 500 + b"]" * 500 + b"}}", id="deeper than rows may be"),
        pytest.param(b'{"params": {"a": ' + b"9" * 500_000 + b"}}", id="a huge number"),
        pytest.param(b'{"params": {"a": 1e999}}', id="a number beyond all numbers"),
        pytest.param(b'{"params": {"a": -1e999}}', id="and one below them"),
        pytest.param(b'{"params": {"a": NaN}}', id="no number"),
        pytest.param(b'{"params": {}, "params": {}}', id="a key twice"),
        pytest.param(b'{"params": {"a": [{"b": 1, "c": 2, "b": 3}]}}', id="a key twice, deep within"),
        pytest.param(b'{"params": {"a": 1, "\\u0061": 2}}', id="a key twice, spelt differently"),
        pytest.param(b"{" + b",".join(b'"%d":1' % n for n in range(60_000)) + b',"1":1}', id="of many, one twice"),
        pytest.param(b"null", id="nothing"),
        pytest.param(b"\xff\xfe\x00", id="another encoding"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_done(operator, body):
    answer = operator.post("/cron/execute/noop", body)

    found = assert_error(answer, 400, "invalid_body")
    assert len(answer.content) < 1_000
    assert "Traceback" not in found["error"]
    assert not JobExecution.objects.exists()


def test_a_key_that_is_there_twice_is_named(operator):
    answer = operator.post("/cron/execute/noop", b'{"wait": true, "wait": false}')

    assert document(answer)["error"] == "The body is not JSON: an object in it has the key 'wait' twice."


def test_parameters_as_deep_as_a_body_may_be_run(operator, define):
    def takes_anything(context, *, a):
        return "done"

    name = define(takes_anything)
    # The body and its params are two levels.
    deep = json.dumps({"params": {"a": nested(28)}}).encode()

    answer = operator.post(f"/cron/execute/{name}", deep)

    assert document(answer)["result"]["value"] == "done"
    assert_error(
        operator.post(f"/cron/execute/{name}", deep.replace(b"[[", b"[[[", 1).replace(b"]]", b"]]]", 1)),
        400,
        "invalid_body",
    )


def nested(levels):
    """Return lists in lists, so many in all."""
    return [nested(levels - 1)] if levels > 1 else []


@settings(deadline=None)
@example(value=nested(31), most=30)
@example(value=nested(30), most=30)
@given(
    value=st.recursive(st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20),
    most=st.integers(0, 4),
)
def test_how_deep_a_value_is(value, most):
    def depth(each):
        children = each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
        return isinstance(each, dict | list) + max((depth(child) for child in children), default=0)

    assert _is_deeper(value, most) == (depth(value) > most)


def test_what_is_too_long_is_in_the_audit(operator, small):
    operator.post("/cron/execute/noop", body_of(1_001))

    assert AuditEntry.objects.values_list("outcome", "status", "code").get() == ("refused", 413, "body_too_large")


def test_of_very_many_mistakes_the_first_are_told(operator):
    answer = operator.post("/cron/execute/noop", {f"k{number}": 1 for number in range(20_000)})

    assert len(assert_error(answer, 400, "invalid_body")["errors"]) == 50
    assert len(answer.content) < 10_000
