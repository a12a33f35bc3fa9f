"""`GET health` and `GET scheduling`: the same truth as in the admin, in commands and in the job's history."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs import health
from cronjobs.database import DatabaseNow, database_now_plus, read_clock
from cronjobs.health._probes import probe
from cronjobs.models import Job, JobExecution, Node, Queue
from tests.integration.api.callers import assert_error, document
from tests.servers import wait_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def make_node(db):
    """Make the row of a node that is alive and has just ticked."""

    def make(name="node-1", **columns):
        now = DatabaseNow()
        defaults = {"pid": 1, "workers": 8, "started_at": now, "heartbeat_at": now, "last_tick_at": now}
        return Node.objects.create(name=name, **{**defaults, **columns})

    return make


def ago(**span):
    return database_now_plus(-timedelta(**span))


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_working_installation(viewer, make_node, slash):
    make_node()

    answer = viewer.get(f"/cron/health{slash}")

    found = document(answer)
    assert answer.status_code == 200
    assert found.keys() == {"success", "healthy", "probes", "unhealthy", "warnings", "checks", "timestamp"}
    assert (found["success"], found["healthy"], found["unhealthy"]) == (True, True, [])
    assert found["probes"] == {"live": True, "ready": True, "scheduling": True}
    assert found["checks"].keys() == {each.name for each in health.check_all()}
    assert found["checks"]["nodes"]["alive"] == 1
    assert "writeMs" not in found["checks"]["sql"]


def test_what_does_not_work_is_named_with_its_reason(viewer, make_node, make_job):
    make_node(last_tick_at=ago(minutes=3))
    make_job("noop", schedule="61 * * * *")

    answer = viewer.get("/cron/health")

    found = document(answer)
    assert (answer.status_code, found["success"], found["code"], found["healthy"]) == (503, False, "unhealthy", False)
    assert found["unhealthy"] == ["ticks", "jobs"]
    assert found["error"].startswith("Unhealthy: ticks, jobs. Nodes are alive, but the last tick was ")
    assert "noop" in found["checks"]["jobs"]["broken"]
    assert found["probes"] == {"live": True, "ready": True, "scheduling": False}


def test_a_warning_is_healthy(viewer, make_node):
    make_node(clock_skew_ms=5_000)

    found = document(viewer.get("/cron/health"))

    assert (found["healthy"], found["warnings"]) == (True, ["clock"])


def test_settings_that_cannot_be_understood_are_said(viewer, make_node, settings):
    make_node()
    settings.CRONJOBS = {"LEASE": "long"}

    found = document(viewer.get("/cron/health"))

    assert (found["healthy"], found["unhealthy"]) == (False, ["configuration"])
    assert found["probes"]["scheduling"] is False
    assert assert_scheduling_is_refused(viewer)["checks"]["nodes"]["status"] == "not_checked"


def test_an_error_that_a_check_meets_holds_no_secret(viewer, monkeypatch):
    @probe("odd")
    def odd():
        raise RuntimeError("cannot log in with password=hunter2")

    monkeypatch.setattr(health, "_WITHOUT_SQL", (odd,))

    answer = viewer.get("/cron/health")

    assert document(answer)["checks"]["odd"]["message"].startswith("This could not be checked: RuntimeError: cannot")
    assert "hunter2" not in answer.content.decode()
    assert "Traceback" not in answer.content.decode()


@pytest.mark.parametrize("address", ["health", "scheduling", "metrics"])
def test_looking_writes_nothing(viewer, make_node, make_job, address):
    make_node()
    make_job("noop")
    JobExecution.objects.request("noop")
    models = (Job, JobExecution, Node, Queue, get_user_model())
    before = [list(model.objects.order_by("pk").values()) for model in models]

    with CaptureQueriesContext(connection) as queries:
        assert viewer.get(f"/cron/{address}").status_code == 200

    assert [list(model.objects.order_by("pk").values()) for model in models] == before
    # The probes that run in a test's transaction have savepoints of their own.
    verbs = {each["sql"].split()[0] for each in queries}
    assert verbs <= {"SELECT", "SHOW", "PRAGMA", "SAVEPOINT", "RELEASE"}, verbs


@pytest.mark.parametrize("address", ["health", "scheduling"])
def test_the_number_of_queries_does_not_grow(viewer, make_node, make_job, address):
    make_node()
    with CaptureQueriesContext(connection) as few:
        viewer.get(f"/cron/{address}")
    for number in range(10):
        make_node(f"another-{number}")
        make_job("noop", name=f"job-{number}", schedule="@daily", time_zone="Europe/Berlin")
        JobExecution.objects.request(f"job-{number}")

    with CaptureQueriesContext(connection) as many:
        assert viewer.get(f"/cron/{address}").status_code == 200

    assert len(many) == len(few)


@pytest.mark.parametrize("address", ["health", "scheduling", "metrics"])
def test_no_parameter_is_known(viewer, address):
    found = assert_error(viewer.get(f"/cron/{address}?verbose=1"), 400, "invalid_parameters")

    assert list(found["errors"]) == ["verbose"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_node_that_lives_and_ticks_schedules(viewer, make_node, slash):
    make_node("stands-still", last_tick_at=ago(minutes=3))
    make_node("ticks")

    answer = viewer.get(f"/cron/scheduling{slash}")

    found = document(answer)
    assert answer.status_code == 200
    assert found.keys() == {"success", "paused", "pausedBecause", "checks", "timestamp"}
    assert (found["paused"], found["pausedBecause"]) == (False, None)
    assert found["checks"].keys() == {"nodes", "ticks", "threads", "lag"}


def assert_scheduling_is_refused(caller):
    answer = caller.get("/cron/scheduling")
    found = document(answer)
    assert (answer.status_code, found["success"], found["code"]) == (503, False, "not_scheduling")
    return found


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        pytest.param({"heartbeat_at": ago(minutes=5)}, "No node is alive", id="silent"),
        pytest.param({"stopped_at": DatabaseNow()}, "No node is alive", id="stopped"),
        pytest.param({"last_tick_at": ago(minutes=3)}, "the last tick was ", id="no-tick"),
    ],
)
def test_without_a_node_that_lives_and_ticks_nothing_fires(viewer, make_node, columns, words):
    make_node(**columns)

    assert words in assert_scheduling_is_refused(viewer)["error"]


def test_a_pause_is_a_decision_and_no_fault(viewer, make_node):
    Queue.objects.ensure(["*"])
    Queue.objects.filter(name="*").pause()
    # Nothing would fire once it is resumed.
    assert_scheduling_is_refused(viewer)

    make_node()

    answer = viewer.get("/cron/scheduling")
    found = document(answer)
    assert (answer.status_code, found["paused"]) == (200, True)
    assert "cronqueue --resume-all" in found["pausedBecause"]


def test_a_node_ticks_while_everything_is_paused(viewer, node):
    Queue.objects.ensure(["*"])
    Queue.objects.filter(name="*").pause()
    paused_at = read_clock("default")

    wait_for(Node.objects.filter(last_tick_at__gt=paused_at).exists)

    found = document(viewer.get("/cron/scheduling"))
    assert (found["success"], found["paused"]) == (True, True)
