"""Who may do what: every method of every address, for every kind of caller.

The table is written by hand, so that what a view says of itself is compared and not repeated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from cronjobs.models import ApiKey, Job, JobExecution, Node, Queue
from cronjobs.permissions import KEY_ACTIONS
from tests.integration.api.callers import assert_error, grant
from tests.integration.tables import everything
from tests.routes import all_routes, route_of

pytestmark = pytest.mark.django_db


DENIED = (403, "permission_denied")


class Limited(Enum):
    """What an address is to a key that is limited to some jobs."""

    CLOSED = "it concerns other jobs too"
    NAMED = "it names a job"
    FOUND = "it names an execution"
    OPEN = "it shows no more than the key's jobs, or none at all"


CLOSED, NAMED, FOUND, OPEN = Limited
# What it answers to one that is limited to other jobs.
OUT_OF_REACH = {CLOSED: DENIED, NAMED: DENIED, FOUND: (404, "execution_not_found"), OPEN: None}


@dataclass(frozen=True, slots=True)
class Row:
    """Which permissions let in, any of them; what limited keys find; and what is answered to those who are let in."""

    permissions: str
    limited: Limited
    status: int = 200
    body: Any = None
    changes: bool = True

    @property
    def needs(self) -> frozenset[str]:
        return frozenset(self.permissions.split())


MADE = {"name": "made", "definition": "noop"}

# "mine" is a job, and the executions {waiting} and {ended} are of that; "off" is a disabled one, "held" is a paused one, and a paused queue.
TABLE: Mapping[str, Row] = {
    "GET status": Row("view_job", OPEN),
    "POST execute/mine": Row("run_job", NAMED),
    "GET executions": Row("view_jobexecution", OPEN),
    "GET executions/{ended}": Row("view_jobexecution run_job", FOUND),
    "GET executions/{ended}/attempts": Row("view_jobexecution", FOUND),
    "GET executions/{ended}/logs": Row("view_jobexecution", FOUND),
    "GET executions/{ended}/tree": Row("view_jobexecution run_job", CLOSED),
    "POST executions/{waiting}/cancel": Row("cancel_jobexecution", FOUND),
    "POST executions/{ended}/retry": Row("retry_jobexecution", FOUND, 201),
    "GET jobs": Row("view_job", OPEN),
    "POST jobs": Row("add_job", NAMED, 201, MADE),
    "GET jobs/mine": Row("view_job", NAMED),
    "PATCH jobs/mine": Row("change_job", NAMED, body={"owner": "x"}),
    "PATCH jobs/mine?pause": Row("change_job pause_job", NAMED, body={"paused": True}),
    "PATCH jobs/held?until": Row("change_job pause_job", NAMED, body={"pausedUntil": "2126-01-15T10:30:00Z"}),
    "PATCH jobs/held?resume": Row("change_job resume_job", NAMED, body={"paused": False}),
    "PATCH jobs/off?enable": Row("change_job enable_job", NAMED, body={"enabled": True}),
    "PATCH jobs/mine?disable": Row("change_job disable_job", NAMED, body={"enabled": False}),
    "PATCH jobs/mine?both": Row("change_job", NAMED, body={"enabled": False, "owner": "x"}),
    "DELETE jobs/mine": Row("delete_job", NAMED, 204),
    "POST jobs/mine/pause": Row("change_job pause_job", NAMED),
    "POST jobs/held/resume": Row("change_job resume_job", NAMED),
    "POST jobs/mine/skip-next": Row("change_job", NAMED, 201),
    "GET jobs/mine/preview": Row("view_job", NAMED),
    "GET definitions": Row("view_job", CLOSED),
    "GET preview?expression=@daily": Row("view_job", OPEN),
    "GET queues": Row("view_queue", CLOSED),
    "PATCH queues/default": Row("change_queue", CLOSED, body={"limit": 3}),
    "POST queues/default/pause": Row("change_queue", CLOSED),
    "POST queues/held/resume": Row("change_queue", CLOSED),
    "POST pause": Row("change_queue", CLOSED),
    # Nothing is paused, for then nothing could be executed.
    "POST resume": Row("change_queue", CLOSED, changes=False),
    "GET alerts": Row("view_alert", OPEN),
    "GET nodes": Row("view_job", CLOSED),
    "GET workers": Row("view_job", CLOSED),
    # One that drains is still not one that takes work.
    "POST nodes/n/drain": Row("drain_node", CLOSED, changes=False),
    "POST nodes/n/undrain": Row("drain_node", CLOSED),
    "GET stats": Row("view_jobexecution", OPEN),
    "GET stats/legacy-conversations": Row("view_jobexecution", CLOSED, 409),
    # No node is there.
    "GET health": Row("view_job", CLOSED, 503),
    "GET scheduling": Row("view_job", CLOSED, 503),
    "GET metrics": Row("view_job", CLOSED),
    "GET schema": Row("view_job", OPEN),
    "GET docs": Row("view_job", OPEN),
    "GET live": Row("", OPEN),
    "GET ready": Row("", OPEN),
}
EVERYTHING = frozenset[str]().union(*(row.needs for row in TABLE.values()))
VIEWER = frozenset({"view_job", "view_queue", "view_jobexecution"})
EDITOR = frozenset({"view_job", "add_job", "change_job", "delete_job"})
OPERATOR = VIEWER | {"run_job", "change_queue", "cancel_jobexecution", "retry_jobexecution", "drain_node"}
OWN_JOBS = frozenset({"mine", "held", "off", "made"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of caller: how one is made, and what is to be expected of the table for it."""

    make: Callable[[Any], Client]
    may: frozenset[str] = frozenset()
    # Of the 401 with which it is not let in at all.
    code: str | None = None
    jobs: frozenset[str] | None = None
    only_reads: bool = False

    def refusal(self, method: str, row: Row) -> tuple[int, str] | None:
        """Return the status and the code of the refusal; None: it is let in."""
        if not row.needs:
            return None
        if self.code is not None:
            return 401, self.code
        if not self.may & row.needs or (self.only_reads and method != "GET"):
            return DENIED
        is_out_of_reach = self.jobs is not None and (row.limited is CLOSED or self.jobs != OWN_JOBS)
        return OUT_OF_REACH[row.limited] if is_out_of_reach else None


def of_token(*permissions: str, **columns: Any) -> Callable[[Any], Client]:
    def make(users: Any) -> Client:
        user = users.create_user("somebody", **columns)
        grant(user, *permissions)
        return Client(headers={"Authorization": f"Token {Token.objects.create(user=user).key}"})

    return make


def of_session(*, has_csrf_token: bool) -> Callable[[Any], Client]:
    def make(users: Any) -> Client:
        token = "a" * 32
        client = Client(enforce_csrf_checks=True, headers={"X-CSRFToken": token} if has_csrf_token else None)
        client.force_login(users.create_superuser("somebody"))
        client.cookies["csrftoken"] = token
        return client

    return make


def of_key(*actions: str, user: Mapping[str, Any] | None = None, **columns: Any) -> Callable[[Any], Client]:
    def make(users: Any) -> Client:
        owner = users.create_user("somebody", **{"is_superuser": True, **(user or {})})
        key, text = ApiKey.objects.issue(user=owner, name="of a program", actions=actions or KEY_ACTIONS)
        # So that its use need not be noted.
        soon = timezone.now() + timedelta(hours=1)
        ApiKey.objects.filter(pk=key.pk).update(**{"last_used_at": soon, **columns})
        return Client(headers={"Authorization": f"Bearer {text}"})

    return make


BAD = "authentication_failed"
LONG_AGO = timezone.now() - timedelta(days=1)
KINDS: Mapping[str, Kind] = {
    "anonymous": Kind(make=lambda _: Client(), code="not_authenticated"),
    "plain": Kind(make=of_token()),
    "staff": Kind(make=of_token(is_staff=True)),
    "viewer": Kind(make=of_token(*VIEWER), may=VIEWER),
    "editor": Kind(make=of_token(*EDITOR), may=EDITOR),
    "operator": Kind(make=of_token(*OPERATOR), may=OPERATOR),
    "superuser": Kind(make=of_token(is_superuser=True), may=EVERYTHING),
    "inactive": Kind(make=of_token(*EVERYTHING, is_superuser=True, is_active=False), code=BAD),
    "session": Kind(make=of_session(has_csrf_token=True), may=EVERYTHING),
    "session-without-csrf-token": Kind(make=of_session(has_csrf_token=False), may=EVERYTHING, only_reads=True),
    **{f"key-{each}": Kind(make=of_key(each), may=frozenset({each})) for each in KEY_ACTIONS},
    "key-to-its-jobs": Kind(make=of_key(jobs=sorted(OWN_JOBS)), may=EVERYTHING, jobs=OWN_JOBS),
    "key-to-another-job": Kind(make=of_key(jobs=["other"]), may=EVERYTHING, jobs=frozenset({"other"})),
    "key-of-a-plain-user": Kind(make=of_key(user={"is_superuser": False})),
    "key-of-an-inactive-user": Kind(make=of_key(user={"is_active": False}), code=BAD),
    "key-expired": Kind(make=of_key(expires_at=LONG_AGO), code=BAD),
    "key-revoked": Kind(make=of_key(revoked_at=LONG_AGO), code=BAD),
    "key-wrong": Kind(make=of_key(digest="0" * 64), code=BAD),
}


@pytest.fixture
def numbers(make_job: Any, settings: Any) -> Mapping[str, int]:
    """The jobs and executions that the table names, where anybody may ask as often as it takes."""
    settings.CRONJOBS = {"THROTTLES": dict.fromkeys(("read", "write", "execute", "refused"))}
    Job.objects.all().delete()
    make_job("noop", name="mine", schedule="@hourly")
    make_job("noop", name="held", paused=True, queue="held")
    make_job("noop", name="off", enabled=False)
    Queue.objects.ensure()
    Queue.objects.named("held").pause()
    now = timezone.now()
    facts = {"hostname": "h", "pid": 1, "version": "1", "workers": 1, "started_at": now, "drain_requested_at": now}
    Node.objects.create(name="n", heartbeat_at=now + timedelta(hours=1), **facts)
    waiting, ended = JobExecution.objects.request("mine"), JobExecution.objects.request("mine")
    JobExecution.objects.filter(pk=ended.pk).update(status="failed", finished_at=timezone.now())
    return {"waiting": waiting.pk, "ended": ended.pk}


def requests(numbers: Mapping[str, int], slash: str) -> Iterator[tuple[str, str, Row]]:
    """Yield the method and the path of every request to make, and its row."""
    for address, row in TABLE.items():
        method, path = address.format(**numbers).split()
        path, mark, query = path.partition("?")
        for each in (method, "HEAD") if method == "GET" else (method,):
            yield each, f"/cron/{path}{slash}{mark}{query}", row


def send(client: Client, method: str, path: str, body: Any = None) -> Any:
    return client.generic(method, path, b"" if body is None else json.dumps(body), content_type="application/json")


# How an address ends makes no difference to anybody, which two can tell for all.
@pytest.mark.parametrize(("kind", "slash"), [*((each, "") for each in KINDS), ("superuser", "/"), ("anonymous", "/")])
def test_the_table(numbers, django_user_model, kind, slash):
    caller = KINDS[kind]
    client = caller.make(django_user_model.objects)
    before, wrong = everything(), []

    for method, path, row in requests(numbers, slash):
        refusal = caller.refusal(method.replace("HEAD", "GET"), row)
        with transaction.atomic():
            answer = send(client, method, path, row.body)
            has_changed = everything() != before
            transaction.set_rollback(True)
        status, code = refusal or (row.status, None)
        if answer.status_code != status:
            wrong.append(f"{method} {path}: {answer.status_code}, and not {status}")
        elif code is not None and method != "HEAD":
            assert_error(answer, status, code)
        if caller.jobs is not None and "mine" not in caller.jobs and b'"mine"' in answer.content:
            wrong.append(f"{method} {path}: it tells of another job")
        if has_changed != (refusal is None and method not in {"GET", "HEAD"} and row.changes):
            wrong.append(f"{method} {path}: {'something' if has_changed else 'nothing'} has changed")

    assert wrong == []


def test_the_table_has_every_method_of_every_address():
    assert {route_of(*_example(each)) for each in TABLE} == all_routes()


def test_a_key_can_be_limited_to_whatever_is_needed():
    assert set(KEY_ACTIONS) == EVERYTHING


def test_methods_that_an_address_does_not_know_are_refused(numbers, django_user_model):
    client = KINDS["superuser"].make(django_user_model.objects)
    known, before = all_routes(), everything()

    for address in TABLE:
        _, path = _example(address, **numbers)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            if route_of(method, path) not in known:
                assert_error(send(client, method, path), 405, "method_not_allowed")

    assert everything() == before


def _example(address: str, *, waiting: int = 1, ended: int = 1) -> tuple[str, str]:
    method, path = address.format(waiting=waiting, ended=ended).partition("?")[0].split()
    return method, f"/cron/{path}"
