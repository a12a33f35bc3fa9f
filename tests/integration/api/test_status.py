"""What `GET status` shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cronjobs.database import DatabaseNow, database_now_plus
from cronjobs.executors.inline import run_inline
from cronjobs.manager import cron_manager
from cronjobs.models import Calendar, Job, JobExecution, Node, Queue, Trigger
from cronjobs.models.moves import claim_one
from cronjobs.scheduler.plans import reconcile
from cronjobs.storable import rfc3339
from tests.integration.api.callers import TIME, assert_error, document
from tests.servers import wait_for

pytestmark = pytest.mark.django_db

JOB_KEYS = {
    "running",
    "scheduled",
    "executing",
    "overrunning",
    "enabled",
    "paused",
    "pausedUntil",
    "schedule",
    "description",
    "dependsOn",
    "timeZone",
    "nextRun",
    "lastRun",
    "lastStatus",
    "lastDurationMs",
    "broken",
    "brokenReason",
}


def make_job(name="nightly", **columns):
    return Job.objects.create(name=name, **{"definition": "noop", "schedule": "0 3 * * *", **columns})


def make_node(*, age=timedelta(0), **columns):
    values = {"hostname": "host-a", "pid": 7, "version": "1", "workers": 8, "started_at": DatabaseNow()}
    return Node.objects.create(name="host-a:7", heartbeat_at=database_now_plus(-age), **values, **columns)


def shown(viewer, name="nightly"):
    return document(viewer.get("/cron/status"))["cronJobs"][name]


@pytest.mark.parametrize("path", ["/cron/status", "/cron/status/"])
def test_status_answers_with_and_without_a_slash(viewer, path):
    answer = viewer.get(path)

    found = document(answer)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert found.keys() == {"success", "cronJobs", "isRunning", "paused", "nodes", "queues", "celery", "timestamp"}
    assert (found["success"], found["isRunning"], found["nodes"]) == (True, False, [])
    assert TIME.fullmatch(found["timestamp"])


def test_every_job_is_shown_with_every_key(viewer):
    jobs = document(viewer.get("/cron/status"))["cronJobs"]

    assert set(jobs) == set(Job.objects.values_list("name", flat=True))
    assert {frozenset(each) for each in jobs.values()} == {frozenset(JOB_KEYS)}


def test_a_job_that_has_never_run(viewer):
    make_job(time_zone="Europe/Berlin")
    reconcile(datetime(2026, 3, 1, 12, tzinfo=UTC))

    assert shown(viewer) == {
        "running": False,
        "scheduled": True,
        "executing": 0,
        "overrunning": 0,
        "enabled": True,
        "paused": False,
        "pausedUntil": None,
        "schedule": "0 3 * * *",
        "description": "At 03:00 every day (Europe/Berlin)",
        "dependsOn": {},
        "timeZone": "Europe/Berlin",
        "nextRun": "2026-03-02T02:00:00.000Z",
        "lastRun": None,
        "lastStatus": None,
        "lastDurationMs": None,
        "broken": False,
        "brokenReason": None,
    }


def test_a_job_on_demand_is_not_scheduled(viewer):
    reconcile(timezone.now())

    found = shown(viewer, "noop")

    assert (found["scheduled"], found["nextRun"], found["schedule"], found["description"]) == (False, None, None, None)


@pytest.mark.parametrize(
    ("columns", "running", "paused"),
    [
        pytest.param({}, True, False, id="enabled"),
        pytest.param({"enabled": False}, False, False, id="disabled"),
        pytest.param({"paused": True}, False, True, id="paused"),
        pytest.param({"paused": True, "paused_until": datetime(2020, 1, 1, tzinfo=UTC)}, True, False, id="resumed"),
        pytest.param({"paused": True, "paused_until": datetime(2999, 1, 1, tzinfo=UTC)}, False, True, id="for-long"),
    ],
)
def test_running_means_enabled_and_not_paused_while_a_node_is_alive(viewer, columns, running, paused):
    make_node()
    make_job(**columns)

    found = shown(viewer)

    assert (found["running"], found["paused"]) == (running, paused)
    assert found["pausedUntil"] == ("2999-01-01T00:00:00.000Z" if columns.get("paused_until") and paused else None)


def test_a_pause_that_ends_by_itself_is_over_though_nothing_has_been_written(viewer):
    end = timezone.now() + timedelta(seconds=1.5)
    make_job(paused=True, paused_until=end)
    make_node()
    assert shown(viewer)["paused"]

    wait_for(lambda: timezone.now() > end)

    found = shown(viewer)
    assert (found["paused"], found["running"]) == (False, True)


def test_a_job_that_was_just_stopped_has_no_next_run(viewer):
    make_job()
    reconcile(timezone.now())

    cron_manager.stop_job("nightly")

    assert shown(viewer)["scheduled"] is False
    assert shown(viewer)["nextRun"] is None


def test_everything_is_paused_by_the_setting(viewer, settings):
    settings.CRONJOBS = {"PAUSED": True}
    make_node()
    make_job()

    assert shown(viewer)["paused"] is True
    assert shown(viewer)["running"] is False


@pytest.mark.parametrize(
    ("columns", "alive"),
    [
        pytest.param({}, True, id="alive"),
        pytest.param({"age": timedelta(minutes=5)}, False, id="silent"),
        pytest.param({"stopped_at": datetime(2026, 1, 1, tzinfo=UTC)}, False, id="stopped"),
    ],
)
def test_only_living_nodes_count(viewer, columns, alive):
    make_node(**columns)

    found = document(viewer.get("/cron/status"))

    assert found["isRunning"] is alive
    assert [each["name"] for each in found["nodes"]] == ["host-a:7"] * alive


def test_a_node_says_how_it_is(viewer):
    make_node(running=2, clock_skew_ms=-3)

    [node] = document(viewer.get("/cron/status"))["nodes"]

    assert TIME.fullmatch(node.pop("startedAt"))
    assert TIME.fullmatch(node.pop("heartbeatAt"))
    assert node == {
        "name": "host-a:7",
        "host": "host-a",
        "processId": 7,
        "version": "1",
        "workers": 8,
        "running": 2,
        "state": "alive",
        "stuckThreads": [],
        "brokerAwaySince": None,
        "brokerAwayBecause": None,
        "drainRequestedAt": None,
        "drainRequestedBy": None,
        "cpuPercent": None,
        "lastTickAt": None,
        "clockSkewMs": -3,
    }


def test_while_every_node_drains_nothing_counts_as_running(viewer):
    make_node(drain_requested_at=timezone.now())

    found = document(viewer.get("/cron/status"))

    assert [each["state"] for each in found["nodes"]] == ["draining"]
    assert found["isRunning"] is False
    assert not any(each["running"] for each in found["cronJobs"].values())


def test_executing_counts_what_runs_now(viewer):
    for _ in range(2):
        execution = JobExecution.objects.request("noop")
        claim_one(execution, node="elsewhere", now=timezone.now())
    JobExecution.objects.request("noop")

    found = shown(viewer, "noop")

    assert (found["executing"], found["lastStatus"]) == (2, "running")


def test_the_last_run_is_the_newest_that_has_started(viewer):
    run_inline("fails")
    execution = run_inline("fails")
    assert execution.started_at
    JobExecution.objects.request("fails")
    JobExecution.objects.request("fails", trigger=Trigger.API)

    found = shown(viewer, "fails")

    assert found["lastStatus"] == "failed"
    assert found["lastRun"] == rfc3339(execution.started_at)
    assert found["lastDurationMs"] == execution.duration_ms


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        pytest.param({"schedule": "61 * * * *"}, "61", id="schedule"),
        pytest.param({"time_zone": "Mars/Base"}, "Mars/Base", id="time-zone"),
        pytest.param({"definition": "gone"}, "No job definition is registered as 'gone'.", id="definition"),
        pytest.param({"params": []}, "JSON object", id="parameters"),
        pytest.param({"overlap": "never"}, "never", id="overlap"),
    ],
)
def test_a_broken_job_says_why_and_hides_no_other(viewer, columns, reason):
    make_job()
    make_job("bad", **columns)

    found = shown(viewer, "bad")

    assert found["broken"] is True
    assert reason in found["brokenReason"]
    assert found["scheduled"] is False
    assert shown(viewer)["broken"] is False


def test_what_a_node_found_out_is_said_until_somebody_edits_the_job(viewer):
    make_job()
    reconcile(timezone.now())
    Job.objects.filter(name="nightly").update(broken_reason="The database refuses it.")
    marked = shown(viewer)

    Job.objects.filter(name="nightly").update(schedule="0 4 * * *")
    edited = shown(viewer)

    assert (marked["broken"], marked["brokenReason"], marked["scheduled"]) == (True, "The database refuses it.", False)
    assert (edited["broken"], edited["brokenReason"], edited["scheduled"]) == (False, None, True)


def test_a_calendar_costs_one_query_for_all_jobs():
    def queries(jobs):
        Job.objects.all().delete()
        for number in range(jobs):
            calendar = Calendar.objects.create(name=f"{jobs}-{number}", dates=["2026-12-25"])
            make_job(f"job-{number:02}", calendar=calendar)
        reconcile(timezone.now())
        with CaptureQueriesContext(connection) as captured:
            assert len(cron_manager.get_status()["cronJobs"]) == jobs
        return len(captured)

    assert queries(jobs=2) == queries(jobs=20)


def test_what_holds_executions_back_is_shown(viewer):
    Queue.objects.create(name="open")
    Queue.objects.create(name="heavy", limit=2, paused=True, description="Being moved.")
    JobExecution.objects.request("noop")
    JobExecution.objects.update(queue="heavy")

    counts = {"waiting": 1, "dispatched": 0, "running": 0}
    heavy = {"name": "heavy", "limit": 2, "paused": True, **counts, "description": "Being moved."}
    found = document(viewer.get("/cron/status"))
    assert (found["paused"], found["queues"]) == (False, [heavy])

    cron_manager.pause_all()
    found = document(viewer.get("/cron/status"))
    assert (found["paused"], found["queues"]) == (True, [heavy])


def test_the_number_of_queries_does_not_grow(viewer):
    viewer.get("/cron/status")
    counts = []
    for number in (1, 10, 100):
        Job.objects.all().delete()
        Job.objects.bulk_create(Job(name=f"job-{i}", definition="noop", schedule="* * * * *") for i in range(number))
        for job in Job.objects.all()[:10]:
            run_inline(job.name)
        reconcile(timezone.now())
        with CaptureQueriesContext(connection) as queries:
            assert len(document(viewer.get("/cron/status"))["cronJobs"]) == number
        with CaptureQueriesContext(connection) as own:
            cron_manager.get_status()
        counts.append((len(queries), len(own)))

    # Beside them: one for the token, two for the user's permissions, and one for what the jobs come to, once.
    assert counts == [(9, 5)] * 3


@pytest.mark.sqlite_only
def test_the_last_run_is_found_in_an_index(viewer):
    if connection.vendor != "sqlite":
        pytest.skip("says nothing about other databases")
    with CaptureQueriesContext(connection) as queries:
        cron_manager.get_status()
    [statement] = [each["sql"] for each in queries if "last_run" in each["sql"]]

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
        plan = [row[3] for row in cursor.fetchall()]

    assert any("USING" in step and "cronjobs_execution_started " in step for step in plan), plan


def test_the_manager_gives_the_same_document(viewer):
    make_node()
    make_job()

    answered, own = document(viewer.get("/cron/status")), cron_manager.get_status()

    assert {**answered, "timestamp": ""} == {**own, "timestamp": ""}


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "nonsense"])
def test_whatever_is_accepted_json_is_answered(viewer, accept):
    assert document(viewer.get("/cron/status?format=html", Accept=accept))["success"] is True


def test_status_cannot_be_posted(viewer):
    answer = viewer.post("/cron/status", {})

    assert_error(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD"
