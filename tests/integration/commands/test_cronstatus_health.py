"""`cronstatus --fail-if-unhealthy` is what monitors, systemd and containers ask: a code, and a line for each finding."""

from __future__ import annotations

import json
import socket
from datetime import timedelta

import pytest
from django.db import connection

from cronjobs.database import DatabaseNow, database_now_plus
from cronjobs.models import Job, JobExecution, Node
from tests.commands import address_of_nobody, run_command, run_command_process
from tests.locks import table_locked

pytestmark = pytest.mark.django_db

HERE = socket.gethostname()[:100]


@pytest.fixture(autouse=True)
def _no_mongodb(settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "MONGODB_URI": ""}


@pytest.fixture
def make_node(db):
    """Make the row of a node that is alive and has just ticked; by default one on this host."""

    def make(name="node-1", **columns):
        now = DatabaseNow()
        times = {"started_at": now, "heartbeat_at": now, "last_tick_at": now}
        return Node.objects.create(name=name, pid=1, workers=8, **{"hostname": HERE, **times, **columns})

    return make


def ago(**span):
    return database_now_plus(-timedelta(**span))


def monitor(*arguments):
    """Return what a monitor learns: the lines on standard error, and the code."""
    _, err, code = run_command("cronstatus", "--fail-if-unhealthy", *arguments)
    return err.removeprefix("CommandError: ").splitlines(), code


def test_a_node_that_works_is_healthy(make_node):
    make_node()

    assert monitor() == ([], 0)


def test_each_finding_is_a_line(make_node, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "MONGODB_URI": "mongodb://127.0.0.1:1/shop", "MONGODB_TIMEOUT": 0.2}
    make_node(last_tick_at=ago(minutes=3))
    make_node("node-2", last_tick_at=ago(minutes=4), stuck="recorder, leases")

    lines, code = monitor()

    assert code == 1
    assert lines[:2] == [
        "Nodes are alive, but the last tick was 180 s ago.",
        "Node node-2 is stuck: recorder, leases gave no sign of life for 60 s.",
    ]
    assert ["MongoDB at 127.0.0.1:1" in line for line in lines[2:]] == [True]


def test_mongodb_is_not_asked_by_those_who_only_look(make_node, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "MONGODB_URI": "mongodb://127.0.0.1:1/shop", "MONGODB_TIMEOUT": 60}
    make_node()

    out, _, code = run_command("cronstatus", "--json")

    assert code == 0
    assert json.loads(out)["health"]["checks"].keys() == {"nodes", "ticks", "threads", "lag", "celery"}


def test_json_tells_the_findings_as_well(make_node):
    make_node(stuck="clock")

    out, _, code = run_command("cronstatus", "--fail-if-unhealthy", "--json")

    found = json.loads(out)["health"]
    assert (code, found["healthy"], found["unhealthy"]) == (1, False, ["threads"])
    assert found["checks"]["threads"]["stuck"] == {"node-1": ["clock"]}


def test_what_is_stuck_is_shown_to_people(make_node):
    make_node(stuck="clock")

    out, err, code = run_command("cronstatus")

    assert (err, code) == ("", 0)
    assert "Node node-1 is stuck: clock gave no sign of life for 60 s." in out


def test_a_pause_a_drain_and_an_overrun_are_no_faults(make_node, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "PAUSED": True}
    make_node()
    make_node("node-2", drain_requested_at=ago(minutes=1), last_tick_at=ago(minutes=9))
    JobExecution.objects.request("overruns")
    JobExecution.objects.update(status="running", deadline_at=ago(minutes=1))

    assert monitor() == ([], 0)


@pytest.mark.parametrize("which", [("--this-host",), ("--node", "node-1")])
def test_one_host_or_node_is_judged_by_itself(make_node, which):
    make_node()
    make_node("node-2", hostname="elsewhere", stuck="clock")

    assert monitor(*which) == ([], 0)
    assert monitor()[1] == 1


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        pytest.param({"stuck": "clock"}, "Node node-1 is stuck: clock gave no sign of life for 60 s.", id="stuck"),
        pytest.param(
            {"last_tick_at": ago(minutes=3)}, "Node node-1 is alive, but its last tick was 180 s ago.", id="no tick"
        ),
        pytest.param({"heartbeat_at": ago(minutes=3)}, None, id="silent"),
        pytest.param({"stopped_at": ago(seconds=3)}, None, id="stopped"),
    ],
)
@pytest.mark.parametrize("which", [("--this-host",), ("--node", "node-1")])
def test_a_host_or_node_is_unhealthy_if_its_node_does_not_work(make_node, which, columns, complaint):
    make_node(**columns)
    make_node("node-2", hostname="elsewhere")
    nobody = f"A node on host {HERE} is not alive." if which == ("--this-host",) else "Node node-1 is not alive."

    assert monitor(*which) == ([complaint or nobody], 1)


def test_a_node_that_drains_need_not_tick(make_node):
    make_node(drain_requested_at=ago(minutes=3), last_tick_at=ago(minutes=3))

    assert monitor("--this-host") == ([], 0)


def test_of_a_host_only_its_nodes_are_shown(make_node):
    make_node()
    make_node("node-2", hostname="elsewhere")

    out = run_command("cronstatus", "--this-host").out
    found = json.loads(run_command("cronstatus", "--this-host", "--json").out)

    assert "node-1" in out
    assert "node-2" not in out
    assert Job.objects.exists()
    assert "JOB" not in out
    assert [each["name"] for each in found["nodes"]] == ["node-1"]
    assert found["health"]["healthy"] is True


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "7200"])
def test_a_timeout_that_is_none_is_refused(text):
    assert run_command("cronstatus", "--timeout", text).code == 2


def test_a_host_and_a_node_cannot_be_asked_for_together():
    assert run_command("cronstatus", "--this-host", "--node", "a").code == 2


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_database_that_hangs_is_a_sentence_after_the_timeout():
    if connection.vendor == "sqlite":
        pytest.skip("readers of SQLite wait for nobody")
    with table_locked():
        out, err, code = run_command_process("cronstatus", "--fail-if-unhealthy", "--timeout", "1")

    assert (out, code) == ("", 1)
    assert err == "CommandError: The database did not answer within 1 s.\n"


@pytest.mark.slow
@pytest.mark.parametrize("which", [(), ("--this-host",)])
def test_a_database_that_is_away_is_a_sentence(which):
    _, err, code = run_command_process(
        "cronstatus", "--fail-if-unhealthy", *which, DATABASE_URL=address_of_nobody("hunter2")
    )

    assert code == 1
    assert err.startswith("CommandError: PostgreSQL at 127.0.0.1:1/shop cannot be used: ")
    assert "Traceback" not in err
    assert "hunter2" not in err


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_probe_of_a_host_starts_no_more_than_it_needs():
    out, err, code = run_command_process("cronstatus", "--this-host", "--verbosity", "0", PYTHONPROFILEIMPORTTIME="1")

    assert code == 0, out
    imported = {line.rpartition("|")[2].strip() for line in err.splitlines() if line.startswith("import time:")}
    assert "cronjobs.management.limiting" in imported
    assert imported.isdisjoint({"mongoengine", "pymongo", "celery", "drf_spectacular", "tests.urls"})
