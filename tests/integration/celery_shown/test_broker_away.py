"""A broker that takes nothing: what people and programs are told while a node says so."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from typing import Any

import pytest

from cronjobs import health
from cronjobs.database import database_now_plus, read_clock
from cronjobs.executors.celery.outages import why_away
from cronjobs.models import JobExecution, Node
from cronjobs.models.waiting import NEXT_TO_BROKER, why_waiting
from cronjobs.storable import rfc3339
from tests.commands import run_command
from tests.integration.celery_shown.conftest import dispatched, living_node

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("with_celery")]

BECAUSE = "The broker cannot be reached: it refuses connections."
SENTENCE = rf"Node web-1:4711 could hand nothing to the broker for \d+ s\. {re.escape(BECAUSE)}"


def lose_broker(node: Node, *, minutes: float) -> Node:
    since = database_now_plus(-timedelta(minutes=minutes))
    Node.objects.filter(pk=node.pk).update(broker_away_since=since, broker_away_because=BECAUSE)
    node.refresh_from_db()
    return node


@pytest.fixture
def other(node: Node) -> Node:
    """Another node that is alive."""
    return living_node("web-2", 5)


def text_of(client: Any, url: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", client.get(url).content.decode())).split())


def wrapped(error: Exception) -> Exception:
    """Return what a driver makes of an error that the system has raised."""
    raised = RuntimeError("redis://:hunter2@broker:6379 says no")
    raised.__cause__ = error
    return raised


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        pytest.param(ConnectionRefusedError(), BECAUSE, id="refused"),
        pytest.param(TimeoutError(), "The broker cannot be reached: it does not answer.", id="silent"),
        pytest.param(ConnectionResetError(), "The broker cannot be reached: the connection breaks off.", id="reset"),
        pytest.param(KeyError("hunter2"), "The broker takes nothing: RuntimeError.", id="else"),
    ],
)
def test_why_it_takes_nothing_is_a_sentence_without_the_driver_s_words(error, sentence):
    assert why_away(wrapped(error)) == sentence


@pytest.mark.parametrize(("minutes", "status"), [(0.5, "warning"), (2, "failed")])
def test_that_no_node_reaches_it_is_unhealthy_from_a_minute_on(node, minutes, status):
    lose_broker(node, minutes=minutes)

    found = health.check_celery()

    assert found.status == status
    assert re.fullmatch(SENTENCE, found.message)
    assert found.details["brokerAway"] == {"web-1:4711": BECAUSE}


def test_that_one_of_two_does_not_reach_it_is_a_warning(node, other):
    lose_broker(node, minutes=9)

    assert health.check_celery().status == "warning"

    # One that drains hands nothing over.
    Node.objects.filter(pk=other.pk).update(drain_requested_at=read_clock("default"))
    assert health.check_celery().status == "failed"


def test_one_that_has_gone_since_is_nobody_s_trouble(node, other):
    lose_broker(node, minutes=9)
    Node.objects.filter(pk=node.pk).update(stopped_at=read_clock("default"))

    assert health.check_celery().details["brokerAway"] == {}


def test_an_execution_waits_for_it_unless_another_node_reaches_it(node, other, make_job):
    make_job("noop", overlap="allow")
    waiting = [JobExecution.objects.request("noop") for _ in range(3)][-1]
    # Even where no more of its queue could be handed over at the moment.
    dispatched()

    lose_broker(node, minutes=2)
    Node.objects.filter(pk=other.pk).delete()
    lost = lose_broker(node, minutes=1)
    reason = f"Nothing can be handed to the broker since {rfc3339(lost.broker_away_since)}. {BECAUSE}"
    assert why_waiting(waiting, now=read_clock("default")) == reason


def test_another_node_hands_it_over(node, other, make_job):
    make_job("noop")
    waiting = JobExecution.objects.request("noop")
    lose_broker(node, minutes=2)

    assert why_waiting(waiting, now=read_clock("default")) == NEXT_TO_BROKER


def test_cronstatus_says_so_in_words_and_as_json(node):
    lost = lose_broker(node, minutes=2)

    found = run_command("cronstatus", "--fail-if-unhealthy")

    assert re.search(SENTENCE, found.out)
    assert (found.code, bool(re.search(SENTENCE, found.err))) == (1, True)
    (told,) = json.loads(run_command("cronstatus", "--json").out)["nodes"]
    since = rfc3339(lost.broker_away_since)
    assert (told["brokerAwaySince"], told["brokerAwayBecause"]) == (since, BECAUSE)


@pytest.mark.parametrize("address", ["status", "nodes"])
def test_nodes_over_http_have_it(node, other, admin_client, address):
    lost = lose_broker(node, minutes=2)

    found = {each["name"]: each for each in admin_client.get(f"/cron/{address}").json()["nodes"]}

    told = [(found[each]["brokerAwaySince"], found[each]["brokerAwayBecause"]) for each in ("web-1:4711", "web-2:5")]
    assert told == [(rfc3339(lost.broker_away_since), BECAUSE), (None, None)]


def test_metrics_have_for_how_long(node, other, admin_client, settings):
    lose_broker(node, minutes=2)

    text = admin_client.get("/cron/metrics").content.decode()

    assert re.search(r'^cronjobs_node_broker_away_seconds\{node="web-1:4711"\} 1\d\d\.', text, re.MULTILINE)
    assert 'cronjobs_node_broker_away_seconds{node="web-2:5"} 0.0\n' in text
    settings.CRONJOBS = {}
    assert "broker" not in admin_client.get("/cron/metrics").content.decode()


def test_the_admin_says_so_in_the_list_on_the_page_and_on_top_of_the_dashboard(node, other, admin_client):
    lose_broker(node, minutes=3)
    nodes, dashboard = "/admin/cronjobs/node/", "/admin/cronjobs/dashboard/"

    assert text_of(admin_client, nodes).count("No broker for 3 min") == 1
    page = text_of(admin_client, f"{nodes}{node.pk}/change/")
    assert re.search(rf"Nothing could be handed to the broker for 3 min[ \d s]*\. {re.escape(BECAUSE)}", page)
    assert BECAUSE not in text_of(admin_client, f"{nodes}{other.pk}/change/")
    assert "A node can hand nothing to Celery's broker: web-1:4711." in text_of(admin_client, dashboard)

    lose_broker(other, minutes=4)
    assert "No node could hand anything to Celery's broker for 3 min" in text_of(admin_client, dashboard)

    Node.objects.filter(pk=node.pk).update(stopped_at=read_clock("default"))
    assert BECAUSE not in text_of(admin_client, f"{nodes}{node.pk}/change/")
