"""Whatever is sent to an address that changes something: it is done, or refused and nothing has changed.

Five thousand refusals, of the same requests in every run: bodies that are not JSON, or nearly
what is asked for, under headers and to names that mean nothing. TEST_EXAMPLES asks for that many
instead, of other requests each time.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.authtoken.models import Token

from cronjobs.api.errors import ErrorCode
from cronjobs.api.jobs.columns import NEW_JOB_KEYS, QUEUE_KEYS
from cronjobs.models import Job, JobExecution, Node, Queue
from tests.integration.api.callers import assert_error, document
from tests.integration.tables import everything
from tests.routes import all_routes, route_of

pytestmark = [pytest.mark.django_db, pytest.mark.one_server]

ASKED_FOR = int(os.environ.get("TEST_EXAMPLES", "0"))
STATUSES = {str(each): each.status for each in ErrorCode}
# What is refused at the door does not reach a database; a fifth is left for what each of them says itself.
REFUSALS = ASKED_FOR or (5_000 if connection.vendor == "sqlite" else 1_000)
# Some of what is sent can be meant, and is done.
REQUESTS = REFUSALS * 5 // 4 + 300

TIMES = st.datetimes().map(lambda at: f"{at.isoformat()}Z")
WORDS = (
    "noop", "succeeds", "mine", "default", "@daily", "* * * * *", "@every 1s", "allow", "all", "process", "10/m", "UTC",
    "always", "", "\x00", "\ud800", "1e999", "\U0001f389", "x" * 70_000, " ", "../..", "{{7*7}}", "' OR 1=1 --",
)  # fmt: skip
NUMBERS = st.integers() | st.sampled_from([-1, 0, 2**31, 2**63, 10**30, 10**400, 1e308, 5e-324, 0.1])
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=20) | TIMES | st.sampled_from(WORDS)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
)


def objects(*keys: str, **right: Any) -> st.SearchStrategy[Any]:
    """Return objects that have what is `right` and more, or something else under its keys."""
    given = st.dictionaries(st.sampled_from([*keys, *right, "id", "stale", "\x00"]), VALUES, max_size=3)
    return given.map(lambda each: {**right, **each})


NOTHING = objects()
# What changes something: how often, beside the others, it is tried; and the objects that are nearly those it takes.
WRITES: Mapping[str, tuple[int, st.SearchStrategy[Any]]] = {
    "POST execute/succeeds": (4, objects("wait", params={"value": 1})),
    "POST executions/{waiting}/cancel": (2, objects(reason="Wrong month.")),
    "POST executions/{ended}/retry": (1, NOTHING),
    "POST jobs": (4, objects(*NEW_JOB_KEYS, name="made", definition="noop")),
    "PATCH jobs/mine": (4, objects(*NEW_JOB_KEYS)),
    "DELETE jobs/mine": (1, NOTHING),
    "POST jobs/mine/pause": (2, objects(until="2036-01-01T00:00:00Z")),
    "POST jobs/mine/resume": (1, NOTHING),
    "POST jobs/mine/skip-next": (1, NOTHING),
    "PATCH queues/default": (2, objects(*QUEUE_KEYS, "paused")),
    "POST queues/default/pause": (1, NOTHING),
    "POST queues/default/resume": (1, NOTHING),
    # One that drains already: beside a node that takes work, nothing would be performed here.
    "POST nodes/n/drain": (1, NOTHING),
    "POST nodes/n/undrain": (1, NOTHING),
    "POST pause": (1, NOTHING),
    "POST resume": (1, NOTHING),
}
SHARES = sum(share for share, _ in WRITES.values())

MONSTERS = (
    b"", b" ", b"null", b"[]", b'""', b"\xff\xfe\x00", b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b'{"a": NaN}',
    b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5_000, b'{"reason": "\\ud800"}', b'{"params": {}, "params": {"value": 2}}',
    b'{"name": "a", "name": "b", "definition": "noop"}', b'{"limit": 1' + b"0" * 4_000 + b"}", b" " * 3_000_000,
    b"a=1&csrfmiddlewaretoken=x", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--\r\n",
)  # fmt: skip
# Sent as it is, or with a few of its bytes replaced.
DAMAGE = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=2)
ODD_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=300)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.sampled_from(
            [
                "text/html",
                "multipart/form-data; boundary=x",
                "application/x-www-form-urlencoded",
                "application/json; charset=x",
            ]
        )
        | ODD_TEXT,
        "Idempotency-Key": ODD_TEXT,
        "Accept": ODD_TEXT,
        "Transfer-Encoding": st.sampled_from(["chunked", "gzip"]),
        "Content-Length": st.sampled_from(["0", "1", "7", "99999", "-1", "x", ""]),
        "X-HTTP-Method-Override": st.just("DELETE"),
    },
)
CREDENTIALS = st.sampled_from(["Bearer cron_a_b", "Bearer", "Token x", "Token a b", "Basic eDp5", "\xff", ""])
# In place of the name or the number in an address, after it has been quoted.
ODD_NAMES = st.sampled_from(
    [b"", b"..", b".", b"a/b", b"\x00", b"%2F", b"\xff", "日報".encode(), b"n" * 255, b"n" * 5_000, b"succeeds\n", b"*"]
) | st.binary(max_size=12)
ODD_NUMBERS = st.integers(0, 10**20).map(lambda number: str(number).encode()) | ODD_NAMES


@st.composite
def requests(draw: st.DrawFn, objects: st.SearchStrategy[Any], names: st.SearchStrategy[bytes]) -> dict[str, Any]:
    """Return a body, headers, and another name if there is to be one; most of the time only one of them is odd."""
    what = draw(st.sampled_from(["object", "object", "object", "value", "bytes", "monster", "headers", "name", "all"]))
    body = draw(
        {
            "value": VALUES.map(encoded),
            "bytes": st.binary(max_size=200),
            "monster": st.sampled_from(MONSTERS),
        }.get(what, objects.map(encoded))
    )
    headers = draw(HEADERS) if what in {"headers", "all"} else {}
    if what == "all":
        body = damaged(body, draw(DAMAGE))
        headers |= draw(st.fixed_dictionaries({}, optional={"Authorization": CREDENTIALS}))
    return {"body": body, "headers": headers, "name": draw(names) if what in {"name", "all"} else None}


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def damaged(body: bytes, damage: list[tuple[int, int]]) -> bytes:
    changed = bytearray(body)
    for at, byte in damage if changed else ():
        changed[at % len(changed)] = byte
    return bytes(changed)


@pytest.fixture
def numbers(make_job: Any, settings: Any) -> Mapping[str, int]:
    """The jobs and executions that are written to, as often as it takes."""
    settings.CRONJOBS = {"THROTTLES": dict.fromkeys(("read", "write", "execute", "refused"))}
    Job.objects.all().delete()
    make_job("succeeds", schedule="@hourly")
    make_job("noop", name="mine", schedule="@hourly")
    Queue.objects.ensure()
    now = timezone.now()
    facts = {"hostname": "h", "pid": 1, "version": "1", "workers": 1, "started_at": now, "drain_requested_at": now}
    Node.objects.create(name="n", heartbeat_at=now + timedelta(hours=1), **facts)
    waiting, ended = JobExecution.objects.request("mine"), JobExecution.objects.request("mine")
    JobExecution.objects.filter(pk=ended.pk).update(status="failed", finished_at=timezone.now())
    return {"waiting": waiting.pk, "ended": ended.pk}


@pytest.fixture
def superuser(django_user_model: Any) -> Client:
    """Somebody who may do everything."""
    user = django_user_model.objects.create_superuser("sue")
    return Client(headers={"Authorization": f"Token {Token.objects.create(user=user).key}"})


def send(client: Client, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Any:
    """Return the answer to a request that says of its body whatever the headers say."""
    environ: dict[str, Any] = {
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json",
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in environ else f"HTTP_{key}"] = value
    return client.generic(method, path, **environ)


def judge(client: Client, answer: Any, before: Any) -> None:
    """Check that a request was done, or refused as refusals are, and then changed nothing."""
    if answer.status_code < 400:
        assert answer.status_code in {200, 201, 202, 204}
        for path in ("jobs", "queues"):
            assert client.get(f"/cron/{path}").status_code == 200, path
        return
    code = document(answer)["code"]
    assert answer.status_code < 500
    assert_error(answer, STATUSES[code], code)
    assert everything() == before


@pytest.mark.parametrize("address", WRITES)
def test_it_is_done_or_refused_and_nothing_has_changed(superuser, numbers, address):
    method, path = address.format(**numbers).split()
    share, right = WRITES[address]
    room, _, rest = path.partition("/")
    _, slash, verb = rest.partition("/")
    before, refused = everything(), 0

    @settings(
        max_examples=-(-REQUESTS * share // SHARES),
        deadline=None,
        derandomize=not ASKED_FOR,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(request=requests(right, ODD_NUMBERS if room == "executions" else ODD_NAMES))
    def run(request):
        nonlocal refused
        odd = rest and request["name"] is not None
        where = f"{room}/{quote_from_bytes(request['name'], safe='')}{slash}{verb}" if odd else path
        with transaction.atomic():
            answer = send(superuser, method, f"/cron/{where}", request["body"], request["headers"])
            judge(superuser, answer, before)
            transaction.set_rollback(True)
        refused += answer.status_code >= 400

    run()

    assert refused >= REFUSALS * share / SHARES


def test_nothing_that_changes_something_is_left_out():
    found = {route_of(method, f"/cron/{path.format(waiting=1, ended=1)}") for method, path in map(str.split, WRITES)}

    assert found == {(method, name) for method, name in all_routes() if method != "GET"}
