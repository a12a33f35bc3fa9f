"""`manage.py crondrain`."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from cronjobs.database import database_now_plus, read_clock
from cronjobs.models import JobExecution, Node
from tests.commands import run_command

pytestmark = pytest.mark.django_db


@pytest.fixture
def node():
    return make_node("web-1:4711:3fa9c1")


def make_node(name, **columns):
    now = read_clock("default")
    facts = {"hostname": "web-1", "pid": 4711, "version": "1", "workers": 8, "started_at": now, "heartbeat_at": now}
    return Node.objects.create(name=name, **{**facts, **columns})


def is_draining(node):
    node.refresh_from_db()
    return node.drain_requested_at is not None


def test_a_node_is_asked_and_that_is_called_off(node):
    make_node("web-2:1:aaaaaa")
    JobExecution.objects.request("noop")
    JobExecution.objects.update(status="running", node=node.name)

    asked, again = run_command("crondrain", node.name), run_command("crondrain", node.name)

    assert (asked.code, asked.err) == (0, "")
    assert asked.out == f"Node {node} was asked to drain. It ends when what it runs has ended: 1 execution now.\n"
    assert again.out.startswith(f"Node {node} was draining already, asked by ")
    assert is_draining(node)
    assert node.drain_requested_by

    undone, repeated = run_command("crondrain", node.name, "--undo"), run_command("crondrain", node.name, "--undo")
    assert (undone.code, undone.out) == (0, f"Node {node} keeps working.\n")
    assert (repeated.code, repeated.out) == (0, f"Node {node} was not draining.\n")
    assert not is_draining(node)


def test_that_nobody_else_decides_due_times_is_said(node):
    said = run_command("crondrain", node.name)

    assert said.code == 0
    assert said.out == f"Node {node} was asked to drain. It runs nothing, and ends.\n"
    assert said.err == "No other node takes work: due times will be decided when one does.\n"


def test_the_node_as_json(node):
    found = json.loads(run_command("crondrain", node.name, "--json").out)

    assert (found["name"], found["state"]) == (node.name, "draining")
    assert json.loads(run_command("crondrain", node.name, "--undo", "--json").out)["state"] == "alive"


def test_a_name_that_is_nearly_right_is_suggested(node):
    wrong = run_command("crondrain", "web-1:4711:3fa9c2")

    assert wrong.code == 2
    assert wrong.err == (
        "CommandError: There is no node named 'web-1:4711:3fa9c2'. Did you mean 'web-1:4711:3fa9c1'?\n"
    )
    assert "cronstatus lists them" in run_command("crondrain", "x").err


def test_one_that_is_not_alive_is_not_asked(node):
    Node.objects.update(heartbeat_at=database_now_plus(-timedelta(minutes=5)))

    refused = run_command("crondrain", node.name, "--wait")

    assert refused.code == 2
    assert "has fallen silent, so nobody is there to be asked." in refused.err
    assert not is_draining(node)


def test_waiting_and_calling_off_exclude_each_other(node):
    assert run_command("crondrain", node.name, "--wait", "--undo").code == 2
