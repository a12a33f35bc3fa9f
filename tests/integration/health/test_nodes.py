"""Probes of nodes say in a sentence what is wrong: no life, no ticks, clocks that are off, and work that waits."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs import health
from cronjobs.database import DatabaseNow, database_now_plus
from cronjobs.executors.leases import renewal_interval
from cronjobs.health._engine import longest_silence
from cronjobs.models import JobExecution, Node
from cronjobs.scheduler.dispatcher import SKEW_TO_STOP
from cronjobs.scheduler.upkeep import SKEW_TO_MENTION

pytestmark = pytest.mark.django_db


def ago(**span):
    return database_now_plus(-timedelta(**span))


def test_that_no_node_is_alive_is_said(make_node):
    make_node("silent", heartbeat_at=ago(minutes=5))
    make_node("stopped", stopped_at=DatabaseNow())

    nodes, ticks = health.check_nodes(), health.check_ticks()

    assert (nodes.status, nodes.details["alive"], nodes.details["silent"]) == ("failed", 0, 1)
    assert "runcron" in nodes.message
    assert ticks.status == "not_configured"


def test_living_nodes_are_counted_with_their_load(make_node):
    make_node("a", running=2)
    make_node("b", running=1, workers=4)

    found = health.check_nodes()

    assert (found.status, found.message) == ("ok", "2 nodes are alive.")
    assert found.details == {"alive": 2, "draining": 0, "silent": 0, "running": 3, "workers": 12}


def test_a_node_that_drains_does_not_count_as_one_that_schedules(make_node):
    make_node("a", drain_requested_at=ago(minutes=3))

    assert health.check_nodes().message.startswith("Every node that is alive is draining, so nothing new runs")
    assert health.check_ticks().message == "Every node that is alive is draining, so nothing ticks."

    make_node("b")

    assert (health.check_nodes().status, health.check_ticks().status) == ("ok", "ok")
    assert health.check_nodes().message == "2 nodes are alive, 1 of them draining."


def test_a_node_that_lives_but_does_not_tick_is_unhealthy(make_node):
    make_node(last_tick_at=ago(minutes=3))

    found = health.check_ticks()

    assert found.status == "failed"
    assert 180 <= found.details["tickAgeSeconds"] < 190
    assert "180 s ago" in found.message


def test_one_node_that_ticks_is_enough(make_node):
    make_node("a", last_tick_at=ago(minutes=3))
    make_node("b")

    assert health.check_ticks().status == "ok"


def test_a_node_that_has_just_started_need_not_have_ticked(make_node):
    make_node(last_tick_at=None)

    assert health.check_ticks().status == "ok"


@pytest.mark.parametrize(
    ("skew_ms", "status", "words"),
    [
        pytest.param(2_000, "ok", "differ by", id="small"),
        pytest.param(2_500, "warning", "The clock of node node-1 is 2.5 s ahead of the database's.", id="ahead"),
        pytest.param(-31_000, "failed", "The clock of node node-1 is 31.0 s behind the database's.", id="far-behind"),
    ],
)
def test_a_clock_that_is_off_is_named(make_node, skew_ms, status, words):
    make_node(clock_skew_ms=skew_ms)

    found = health.check_clock()

    assert found.status == status
    assert words in found.message
    assert abs(found.details["skewMs"]) < 2_000


def test_a_skew_is_judged_as_by_the_node_itself(make_node):
    node = make_node()

    def status_at(skew):
        Node.objects.filter(pk=node.pk).update(clock_skew_ms=skew / timedelta(milliseconds=1))
        return health.check_clock().status

    moment = timedelta(milliseconds=1)
    assert (status_at(SKEW_TO_MENTION), status_at(SKEW_TO_MENTION + moment)) == ("ok", "warning")
    assert (status_at(SKEW_TO_STOP), status_at(SKEW_TO_STOP + moment)) == ("warning", "failed")


@pytest.mark.parametrize("lease", [30, 300])
def test_one_renewal_that_fails_is_no_silence(settings, lease):
    settings.CRONJOBS = {"LEASE": lease}

    assert longest_silence() == timedelta(seconds=2 * renewal_interval() + 10)


def test_a_long_queue_is_worth_a_look(make_job):
    make_job("noop")
    JobExecution.objects.request("noop")
    assert health.check_queue().status == "ok"
    JobExecution.objects.update(run_after=ago(minutes=7))

    found = health.check_queue()

    assert (found.status, found.details["waiting"]) == ("warning", 1)
    assert found.message == "1 execution waiting, the oldest for 7 min."


def test_what_is_due_later_does_not_wait(make_job):
    make_job("noop")
    JobExecution.objects.request("noop")
    JobExecution.objects.update(run_after=database_now_plus(timedelta(hours=1)))

    assert health.check_queue().details["waiting"] == 0
