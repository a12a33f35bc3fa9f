"""Asking a node to drain in the admin, and calling that off."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.utils import timezone

from cronjobs.admin.nodes.draining import why_refused
from cronjobs.models import Node
from cronjobs.models.choices import NodeStatus
from tests.integration.admin.conftest import client_of
from tests.integration.admin.pages import NODES, change_url, get, messages_of, text_of

NOBODY_ELSE = "No other node is alive: due times will be decided when one is."


def drain_url(node):
    return f"{NODES}{node.pk}/drain/"


def undrain_url(node):
    return f"{NODES}{node.pk}/undrain/"


def post(client, url):
    return messages_of(client.post(url, follow=True))


def is_draining(node):
    node.refresh_from_db()
    return node.drain_requested_at is not None


@pytest.fixture
def drainer(db, django_user_model):
    """Somebody who may look at everything, and drain nodes."""
    client = client_of("viewer", django_user_model)
    django_user_model.objects.get(username="viewer").user_permissions.add(Permission.objects.get(codename="drain_node"))
    return client


def test_the_page_asks_first_and_says_what_follows(drainer, make_node, make_execution):
    node = make_node()
    make_node("web-2:1")
    for _ in range(2):
        make_execution(status="running", finished_at=None)
    assert f'href="{drain_url(node)}"' in get(drainer, change_url(node))

    text = text_of(get(drainer, drain_url(node)))

    assert "It runs 2 executions now, and ends when these have ended." in text
    assert "for as long as it takes" in text
    assert "exit code 0" in text
    assert NOBODY_ELSE not in text
    assert not is_draining(node)


def test_a_deadline_is_told(drainer, make_node, settings):
    settings.CRONJOBS = {"DRAIN_GRACE": 90}

    assert "for 1 min 30 s at most (DRAIN_GRACE)" in text_of(get(drainer, drain_url(make_node())))


@pytest.mark.parametrize("other", [{"silent_for": timedelta(minutes=5)}, {"stopped_at": timezone.now()}])
def test_that_nobody_else_is_alive_is_said_before_and_after(drainer, make_node, other):
    node = make_node()
    make_node("web-2:1", **other)

    before = text_of(get(drainer, drain_url(node)))
    after = post(drainer, drain_url(node))

    assert NOBODY_ELSE in before
    assert "other nodes do" not in before
    assert after == [
        f"success: Node {node} was asked to drain: it runs nothing, and ends.",
        f"warning: {NOBODY_ELSE}",
    ]


def test_a_node_is_asked_and_that_is_called_off(drainer, make_node, make_execution):
    node = make_node()
    make_node("web-2:1")
    make_execution(status="running", finished_at=None)

    assert post(drainer, drain_url(node)) == [
        f"success: Node {node} was asked to drain: it ends when the 1 execution that it runs has ended."
    ]
    assert is_draining(node)
    assert node.drain_requested_by == "viewer"
    page = get(drainer, change_url(node))
    assert "Asked by viewer," in text_of(page)
    assert drain_url(node) not in page
    assert f'action="{undrain_url(node)}"' in page
    already = [f"info: Node {node} was draining already."]
    assert messages_of(drainer.get(drain_url(node), follow=True)) == already
    assert post(drainer, drain_url(node)) == already

    assert post(drainer, undrain_url(node)) == [f"success: Node {node} keeps working."]
    assert not is_draining(node)
    assert post(drainer, undrain_url(node)) == [f"info: Node {node} was not draining."]
    assert list(LogEntry.objects.values_list("object_repr", flat=True)) == [node.name, node.name]
    assert text_of(get(drainer, f"{NODES}{node.pk}/history/")).count("Changed asked to drain.") == 2


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"stopped_at": timezone.now()}, "has stopped."),
        ({"silent_for": timedelta(minutes=5)}, "has fallen silent, so nobody is there to be asked."),
    ],
    ids=["stopped", "silent"],
)
def test_one_that_is_not_alive_is_not_asked(drainer, make_node, state, reason):
    node = make_node(**state)
    answer = [f"error: Nothing was done: node {node} {reason}"]

    assert messages_of(drainer.get(drain_url(node), follow=True)) == answer
    assert post(drainer, drain_url(node)) == answer
    assert post(drainer, undrain_url(node)) == answer
    assert not is_draining(node)
    page = get(drainer, change_url(node))
    assert drain_url(node) not in page
    assert undrain_url(node) not in page


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (None, "is gone."),
        (NodeStatus.STOPPED, "has stopped."),
        (NodeStatus.SILENT, "has fallen silent, so nobody is there to be asked."),
        # A heartbeat came after it had been refused for its silence.
        (NodeStatus.ALIVE, "had fallen silent, but is back. Try again."),
        (NodeStatus.DRAINING, "had fallen silent, but is back. Try again."),
    ],
)
def test_a_refusal_tells_of_the_state_that_the_node_is_in_now(state, reason):
    assert why_refused(state) % "web-1:1" == f"Nothing was done: node web-1:1 {reason}"


def test_looking_asks_no_node_for_anything(drainer, make_node):
    node = make_node()

    assert drainer.get(undrain_url(node)).status_code == 405
    assert drainer.get(drain_url(node)).status_code == 200
    assert not is_draining(node)
    assert drainer.get(f"{NODES}4711/drain/").status_code == 404


def test_what_somebody_typed_is_escaped(drainer, make_node):
    node = make_node("<b>node</b>", drain_requested_at=timezone.now(), drain_requested_by="<i>ann</i>")

    for url in (NODES, change_url(node)):
        source = get(drainer, url)
        assert "<i>ann" not in source
        assert "<b>node" not in source
    Node.objects.update(drain_requested_at=None)
    assert "<b>node" not in get(drainer, drain_url(node))
