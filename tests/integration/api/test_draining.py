"""`POST nodes/<name>/drain` and `…/undrain`."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from cronjobs.database import database_now_plus
from cronjobs.models import AuditEntry, Node
from tests.integration.api.callers import Caller, assert_error, document, grant

pytestmark = pytest.mark.django_db

DRAIN, UNDRAIN = "/cron/nodes/web-1:4711:3fa9c1/drain", "/cron/nodes/web-1:4711:3fa9c1/undrain"


@pytest.fixture
def keeper(django_user_model: Any) -> Caller:
    """Somebody who may drain nodes."""
    user = django_user_model.objects.create_user("kim")
    grant(user, "drain_node")
    return Caller(user)


@pytest.fixture
def node(database_now):
    facts = {"hostname": "web-1", "pid": 4711, "version": "1", "workers": 8, "started_at": database_now}
    return Node.objects.create(name="web-1:4711:3fa9c1", heartbeat_at=database_now, **facts)


def request_of(node):
    node.refresh_from_db()
    return node.drain_requested_at is not None, node.drain_requested_by


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_node_is_asked_and_that_is_called_off(keeper, node, slash):
    asked = document(keeper.post(f"{DRAIN}{slash}"))

    assert (asked["success"], asked["name"], asked["state"]) == (True, node.name, "draining")
    assert (asked["drainRequestedBy"], bool(asked["drainRequestedAt"])) == ("kim", True)
    assert request_of(node) == (True, "kim")

    undone = document(keeper.post(f"{UNDRAIN}{slash}"))

    assert (undone["state"], undone["drainRequestedAt"], undone["drainRequestedBy"]) == ("alive", None, None)
    assert request_of(node) == (False, "")


def test_asked_again_it_answers_the_same_and_leaves_no_second_trace(keeper, node, django_user_model):
    other = django_user_model.objects.create_user("ann")
    grant(other, "drain_node")

    first, again = document(keeper.post(DRAIN)), document(Caller(other).post(DRAIN))

    assert {**again, "timestamp": ""} == {**first, "timestamp": ""}
    (entry,) = LogEntry.objects.all()
    assert (entry.user.username, entry.object_repr) == ("kim", node.name)
    ((before, after),) = json.loads(entry.change_message)[0]["changed"]["values"].values()
    assert before is None
    assert after
    assert document(keeper.post(UNDRAIN))["state"] == document(keeper.post(UNDRAIN))["state"] == "alive"
    assert LogEntry.objects.count() == 2


@pytest.mark.parametrize("path", [DRAIN, UNDRAIN])
@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"stopped_at": database_now_plus(timedelta(0))}, "has stopped"),
        ({"heartbeat_at": database_now_plus(-timedelta(minutes=5))}, "has fallen silent"),
    ],
    ids=["stopped", "silent"],
)
def test_one_that_is_not_alive_is_not_asked(keeper, node, *, path, columns, sentence):
    Node.objects.filter(pk=node.pk).update(**columns)

    refusal = assert_error(keeper.post(path), 409, "node_not_alive")

    assert refusal["error"] == f"Node {node.name} {sentence}, so nobody is there to be asked."
    assert request_of(node) == (False, "")


@pytest.mark.parametrize("name", ["nobody", "", "%00", "n" * 300, "%ED%A0%80"])
@pytest.mark.parametrize("verb", ["drain", "undrain"])
def test_what_is_no_node_is_not_found(keeper, node, name, verb):
    assert_error(keeper.post(f"/cron/nodes/{name}/{verb}"), 404, "node_not_found")


def test_the_body_is_empty(keeper, node):
    assert_error(keeper.post(DRAIN, {"grace": 5}), 400, "invalid_body")
    assert request_of(node) == (False, "")


def test_it_needs_its_own_permission(viewer, node):
    assert_error(viewer.post(DRAIN), 403, "permission_denied")
    assert_error(viewer.post(UNDRAIN), 403, "permission_denied")
    assert request_of(node) == (False, "")


def test_what_was_asked_and_what_was_refused_is_in_the_audit(keeper, node):
    keeper.post(DRAIN)
    keeper.post("/cron/nodes/nobody/drain")

    found = AuditEntry.objects.order_by("pk").values_list("outcome", "route", "target", "code")
    assert list(found) == [
        ("accepted", "node-drain", node.name, ""),
        ("refused", "node-drain", "nobody", "node_not_found"),
    ]
