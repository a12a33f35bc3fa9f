"""Probes say in a sentence what is wrong, and leave nothing behind."""

from __future__ import annotations

import zoneinfo
from datetime import timedelta
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models.signals import post_delete, post_save
from django.test.utils import CaptureQueriesContext

from cronjobs import health
from cronjobs.database import DatabaseNow, database_now_plus, read_clock
from cronjobs.exceptions import JobFailed
from cronjobs.executors.inline import run_inline
from cronjobs.executors.leases import renewal_interval
from cronjobs.health._engine import longest_silence
from cronjobs.health._errors import NOT_MIGRATED
from cronjobs.health._machine import zone_data_version
from cronjobs.health._probes import fail, probe
from cronjobs.jobs.health_check import health_check
from cronjobs.models import Calendar, Job, JobExecution, Node
from cronjobs.registry import Problem, registry
from cronjobs.scheduler.dispatcher import SKEW_TO_STOP
from cronjobs.scheduler.plans import reconcile
from cronjobs.scheduler.upkeep import SKEW_TO_MENTION

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


def test_a_working_installation_is_healthy(make_node):
    make_node()

    probes = {each.name: each for each in health.check_all()}

    assert {name for name, each in probes.items() if each.status != "ok"} == {"mongodb"}
    assert probes["mongodb"].status == "not_configured"
    assert all(each.is_healthy and each.message and not each.problems for each in probes.values())
    assert all(each.duration_ms >= 0 for each in probes.values())


@pytest.mark.django_db(transaction=True)
def test_writing_is_measured_and_nothing_is_left_behind():
    heard: list[object] = []

    def hear(**facts):
        heard.append(facts["instance"])

    for signal in (post_save, post_delete):
        signal.connect(hear, sender=Node)
    try:
        found = health.check_sql()
    finally:
        for signal in (post_save, post_delete):
            signal.disconnect(hear, sender=Node)

    assert (found.status, found.problems) == ("ok", ())
    assert found.details["writeMs"] > 0 < found.details["readMs"]
    assert found.details["database"].startswith(connection.display_name)
    assert not Node.objects.exists()
    assert heard == []


@pytest.mark.django_db(transaction=True)
def test_the_limit_on_waiting_for_locks_ends_with_the_probe():
    settings = {
        "sqlite": "PRAGMA busy_timeout",
        "postgresql": "SHOW lock_timeout",
        "mysql": "SELECT @@lock_wait_timeout, @@innodb_lock_wait_timeout",
    }

    def waits():
        with connection.cursor() as cursor:
            cursor.execute(settings[connection.vendor])
            return cursor.fetchone()

    before = waits()
    health.check_sql()

    assert waits() == before


@pytest.mark.sqlite_only
def test_the_databases_clock_can_be_compared_with_while_statements_are_logged(make_node):
    make_node()
    connection.force_debug_cursor = True
    try:
        assert health.check_nodes().details["alive"] == 1
    finally:
        connection.force_debug_cursor = False


@pytest.mark.parametrize("sql", ["SELECT * FROM cronjobs_nothing", "SELECT absent FROM cronjobs_node"])
def test_a_missing_table_or_column_means_that_migrate_was_not_run(sql):
    with pytest.raises(DatabaseError) as raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)

    assert health.explain_database_error(raised.value) == NOT_MIGRATED


def test_a_probe_that_fails_in_sql_does_not_spoil_the_callers_transaction():
    @probe("bad")
    def bad():
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM cronjobs_nothing")
        return fail("unreachable")

    found = bad()

    assert (found.name, found.status, found.message) == ("bad", "failed", NOT_MIGRATED)
    assert Node.objects.count() == 0


def test_a_probe_that_raises_anything_has_failed():
    @probe("odd")
    def odd():
        raise ZeroDivisionError("division by zero")

    found = odd()

    assert (found.status, found.message) == ("failed", "This could not be checked: ZeroDivisionError: division by zero")


def test_an_unapplied_migration_is_named():
    MigrationRecorder(connection).record_unapplied("cronjobs", "0001_initial")

    found = health.check_migrations()

    assert found.status == "failed"
    assert "cronjobs.0001_initial" in found.details["missing"]
    assert "run manage.py migrate" in found.message


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


def test_a_zone_without_data_is_named(make_job):
    make_job("noop", time_zone="Mars/Base")
    make_job("succeeds", time_zone="Europe/Berlin")

    found = health.check_zones()

    assert found.status == "failed"
    assert found.details["missing"] == ["Mars/Base"]
    assert found.details["zones"] == ["Europe/Berlin", "Mars/Base", "UTC"]


def test_the_version_of_zone_data_is_that_of_the_package_where_the_system_has_none():
    try:
        zoneinfo.reset_tzpath(to=[])

        assert zone_data_version() == import_module("tzdata").IANA_VERSION
    finally:
        zoneinfo.reset_tzpath()


def test_the_version_of_zone_data_is_read_where_python_reads_the_data(tmp_path):
    (tmp_path / "UTC").touch()
    try:
        zoneinfo.reset_tzpath(to=[tmp_path])
        assert zone_data_version() == ""

        (tmp_path / "tzdata.zi").write_text("# version 2031z\n# data\n")
        assert zone_data_version() == "2031z"
    finally:
        zoneinfo.reset_tzpath()


def test_a_broken_job_is_named_with_its_reason_and_a_disabled_one_is_not(make_job):
    make_job("noop", schedule="61 * * * *")
    make_job("succeeds", schedule="62 * * * *", enabled=False)
    make_job("no-such-definition", name="gone")

    found = health.check_jobs()

    assert found.status == "failed"
    assert set(found.details["broken"]) == {"gone", "noop"}
    assert len(found.problems) == 2
    assert found.problems[0] == "Job gone is broken: No job definition is registered as 'no-such-definition'."


def test_what_only_a_node_could_find_out_counts_as_well(make_job):
    job = make_job("noop")
    reconcile(read_clock("default"))
    Job.objects.filter(pk=job.pk).update(broken_reason="Its rows are refused")
    assert health.check_jobs().problems == ("Job noop is broken: Its rows are refused.",)

    Job.objects.filter(pk=job.pk).update(schedule="@daily")

    assert health.check_jobs().status == "ok"


def test_a_calendar_costs_one_query_for_all_jobs(make_job):
    def queries(jobs):
        for number in range(jobs):
            calendar = Calendar.objects.create(name=f"{jobs}-{number}", dates=["2026-12-25"])
            make_job("noop", name=f"job-{number:02}", schedule="@daily", calendar=calendar)
        with CaptureQueriesContext(connection) as captured:
            assert health.check_jobs().status == "ok"
        return len(captured)

    assert queries(jobs=2) == queries(jobs=20)


def test_many_broken_jobs_are_not_many_sentences(make_job):
    for number in range(25):
        make_job("noop", name=f"bad-{number:02}", schedule="nonsense")

    found = health.check_jobs()

    assert len(found.problems) == 21
    assert found.problems[-1] == "5 more jobs cannot run."
    assert len(found.details["broken"]) == 25


def test_a_definition_that_cannot_be_used_is_named(monkeypatch):
    monkeypatch.setattr(registry, "problems", [Problem(where="shop.jobs", message="shop.jobs cannot be imported")])

    found = health.check_definitions()

    assert (found.status, found.problems) == ("failed", ("shop.jobs: shop.jobs cannot be imported.",))


def test_a_setting_that_does_harm_is_a_warning(settings):
    settings.CRONJOBS = {"TIME_ZONE": "Mars/Base"}

    found = health.check_configuration()

    assert (found.status, found.details["ids"]) == ("warning", ["cronjobs.W003"])
    assert "Mars/Base" in found.message


def test_settings_that_cannot_be_understood_are_one_failure(settings, make_job):
    make_job("noop")
    settings.CRONJOBS = {"LEASE": "long"}

    probes = {each.name: each for each in health.check_all()}

    assert [name for name, each in probes.items() if each.status == "failed"] == ["configuration"]
    assert "CRONJOBS['LEASE'] must be" in probes["configuration"].message
    unseen = {name for name, each in probes.items() if each.status == "not_checked"}
    assert unseen == {"clock", "nodes", "ticks", "threads", "lag", "jobs", "zones", "mongodb"}
    assert probes["sql"].status == "ok"


def test_that_everything_is_paused_is_said(settings):
    settings.CRONJOBS = {"PAUSED": True}

    found = health.check_configuration()

    assert (found.status, found.is_healthy) == ("notice", True)
    assert "CRONJOBS['PAUSED']" in found.message


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


def test_mongodb_that_is_not_configured_is_healthy():
    found = health.check_mongodb()

    assert (found.status, found.is_healthy) == ("not_configured", True)


@pytest.mark.mongo
def test_mongodb_that_does_not_answer_is_named_without_its_password(settings):
    settings.CRONJOBS = {"MONGODB_URI": "mongodb://ann:hunter2@127.0.0.1:1/app", "MONGODB_TIMEOUT": 0.2}

    found = health.check_mongodb()

    assert found.status == "failed"
    assert "127.0.0.1:1" in found.message
    assert "hunter2" not in repr(found)


@pytest.mark.mongo
def test_an_address_of_mongodb_that_cannot_be_read_is_not_repeated(settings):
    settings.CRONJOBS = {"MONGODB_URI": "mongodb://ann:hunter2@[::/app"}

    found = health.check_mongodb()

    assert found.status == "failed"
    assert "hunter2" not in repr(found)


@pytest.mark.mongo
def test_a_missing_index_is_a_warning_with_the_command_that_makes_it(settings, mongo_server):
    settings.CRONJOBS = {"MONGODB_URI": urlsplit(mongo_server)._replace(path=f"/test_{uuid4().hex}").geturl()}

    found = health.check_mongodb()

    assert (found.status, found.is_healthy) == ("warning", True)
    assert found.details["pingMs"] > 0
    assert len(found.problems) == len(found.details["missingIndexes"]) == 3
    assert "db.conversation_states.createIndex({isActive: 1, createdAt: 1})" in found.problems[0]


def test_the_health_check_succeeds_with_what_it_found(make_node):
    make_node()

    execution = run_inline("health-check")

    result: Any = execution.result
    assert (execution.status, execution.max_attempts) == ("succeeded", 1)
    assert (result["success"], result["unhealthy"], result["warnings"]) == (True, [], [])
    assert {"sql", "mongodb", "nodes", "ticks", "memory", "clock", "zones"} <= set(result["checks"])
    assert result["checks"]["sql"]["writeMs"] > 0
    assert result["checks"]["nodes"]["alive"] == 1
    assert result["checks"]["memory"]["rssBytes"] > 1_000_000
    assert result["timestamp"].endswith("Z")


def test_the_health_check_does_not_count_a_warning_among_what_passed(make_node):
    make_node(clock_skew_ms=5_000)

    execution = run_inline("health-check")

    assert execution.log_lines.values_list("message", flat=True).last() == "13 checks passed, 1 warning"


def test_the_health_check_fails_and_says_what_is_unhealthy(make_job):
    make_job("noop", schedule="61 * * * *")

    execution = run_inline("health-check")

    assert (execution.status, execution.error_type) == ("failed", "cronjobs.exceptions.JobFailed")
    assert execution.error_message.startswith("Unhealthy: nodes, jobs. No node is alive")
    result: Any = execution.result
    assert (result["success"], result["unhealthy"]) == (False, ["nodes", "jobs"])
    assert list(execution.log_lines.values_list("data__check", flat=True)) == ["nodes", "jobs"]


def test_the_health_check_can_be_called_like_a_function():
    with pytest.raises(JobFailed) as raised:
        health_check()

    assert raised.value.result["unhealthy"] == ["nodes"]
