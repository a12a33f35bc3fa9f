"""The list of nodes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.integration.admin.pages import EXECUTIONS, JOBS, NODES, change_url, get, text_of


@pytest.mark.parametrize(
    ("silent_for", "columns", "state"),
    [
        pytest.param(timedelta(seconds=5), {}, "Alive", id="alive"),
        pytest.param(timedelta(minutes=5), {}, "Dead", id="dead"),
        pytest.param(timedelta(0), {"stopped_at": timezone.now()}, "Stopped", id="stopped"),
    ],
)
def test_a_node_is_alive_dead_or_stopped(viewer, make_node, silent_for, columns, state):
    node = make_node(silent_for=silent_for, rss_bytes=81_500_000, running=3, **columns)

    for url in (NODES, change_url(node)):
        text = text_of(get(viewer, url))
        assert {word for word in ("Alive", "Dead", "Stopped") if f" {word} " in text.replace("Stopped -", "")} >= {
            state
        }
        for part in ("web-1:4711", "web-1", "4711", "1.0", "78 MiB", "ago"):
            assert part in text


def test_text_of_nodes_is_escaped(viewer, make_node):
    make_node("<b>node</b>", version="<b>v</b>")

    assert "<b>" not in get(viewer, NODES)


def test_nobody_adds_changes_or_deletes_a_node(superuser, make_node):
    node = make_node()

    answers = [
        superuser.get(f"{NODES}add/"),
        superuser.post(change_url(node), {"name": "other"}),
        superuser.post(f"{NODES}{node.pk}/delete/", {"post": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]


def test_a_node_that_has_not_ticked_yet_is_listed(viewer, make_node):
    node = make_node()
    type(node).objects.update(last_tick_at=None)

    assert "web-1:4711" in text_of(get(viewer, NODES))


def test_columns_cannot_be_asked_for(viewer):
    assert viewer.get(NODES, {"hostname__startswith": "w"}).status_code == 400


@pytest.mark.parametrize("page", [JOBS, EXECUTIONS, NODES])
def test_every_list_says_when_no_node_is_alive(superuser, make_node, page):
    sentence = "No node is alive: nothing runs until"
    make_node(silent_for=timedelta(minutes=5))
    assert sentence in superuser.get(page).content.decode()

    make_node("web-2:1")
    assert sentence not in superuser.get(page).content.decode()
