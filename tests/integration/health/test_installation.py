"""Probes of jobs, zones and settings say in a sentence what is wrong; so does the health check, of all probes."""

from __future__ import annotations

import zoneinfo
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs import health
from cronjobs.database import read_clock
from cronjobs.exceptions import JobFailed
from cronjobs.executors.inline import run_inline
from cronjobs.health._machine import zone_data_version
from cronjobs.jobs.health_check import health_check
from cronjobs.models import Calendar, Job
from cronjobs.registry import Problem, registry
from cronjobs.scheduler.plans import reconcile

pytestmark = pytest.mark.django_db


def test_a_working_installation_is_healthy(make_node):
    make_node()

    probes = {each.name: each for each in health.check_all()}

    assert {name for name, each in probes.items() if each.status != "ok"} == {"celery", "mongodb"}
    assert probes["celery"].status == probes["mongodb"].status == "not_configured"
    assert all(each.is_healthy and each.message and not each.problems for each in probes.values())
    assert all(each.duration_ms >= 0 for each in probes.values())


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


def test_definitions_without_a_job_are_counted_with_their_reason(settings):
    known = len(list(registry))

    assert health.check_definitions().message == (
        f"{known} job definitions registered, 2 of them without a job here, since mongodb_configured says no."
    )


def test_a_job_that_only_the_node_does_not_know_tells_of_older_code(make_job):
    job = make_job("noop")
    reconcile(read_clock("default"))
    reason = "No job definition is registered as 'noop'."

    Job.objects.filter(pk=job.pk).update(broken_reason=f"{reason} shop.jobs cannot be imported.")

    assert health.check_jobs().problems == (
        "Job noop is broken: A node runs older code without this definition: restart it. shop.jobs cannot be imported.",
    )


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
    assert unseen == {"clock", "nodes", "ticks", "threads", "lag", "celery", "jobs", "zones", "mongodb"}
    assert probes["sql"].status == "ok"


def test_that_everything_is_paused_is_said(settings):
    settings.CRONJOBS = {"PAUSED": True}

    found = health.check_configuration()

    assert (found.status, found.is_healthy) == ("notice", True)
    assert "CRONJOBS['PAUSED']" in found.message


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

    assert execution.log_lines.values_list("message", flat=True).last() == "14 checks passed, 1 warning"


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
