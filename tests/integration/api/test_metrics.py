"""`GET metrics`, read as Prometheus reads it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from cronjobs.conf import get_settings
from cronjobs.models import ApiKey, Job, JobExecution, Node, Queue
from cronjobs.models.moves import claim
from tests.integration.api.callers import Caller, assert_error, grant
from tests.integration.api.rows import ended
from tests.servers import ROOT

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def beat(database_now):
    """Record a node that was last heard of some leases ago."""

    def make(name, *, leases_ago=0.0, **columns):
        at = database_now - leases_ago * get_settings().lease
        facts = {"hostname": "host", "pid": 7, "version": "1.2", "workers": 8, "running": 3}
        times = dict.fromkeys(("started_at", "heartbeat_at", "last_tick_at"), at)
        return Node.objects.create(name=name, **{**facts, **times, **columns})

    return make


def read(answer):
    """Return the samples of an answer, by name and labels."""
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    families = list(parse(answer.content.decode()))
    assert all(family.type == "gauge" and family.documentation for family in families)
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def samples(caller, name):
    """Return the samples of one metric: by the value of its only label, or by those of all."""
    found = {key[1:]: value for key, value in read(caller.get("/cron/metrics")).items() if key[0] == f"cronjobs_{name}"}
    return {key[0] if len(key) == 1 else key: value for key, value in found.items()}


@pytest.mark.parametrize("slash", ["", "/"])
def test_with_nothing_there(viewer, slash):
    Job.objects.all().delete()
    Queue.objects.all().delete()

    found = read(viewer.get(f"/cron/metrics{slash}"))

    assert found == {
        ("cronjobs_nodes", "alive"): 0,
        ("cronjobs_nodes", "draining"): 0,
        ("cronjobs_nodes", "silent"): 0,
        ("cronjobs_nodes", "stopped"): 0,
        ("cronjobs_paused",): 0,
    }


def test_nodes(viewer, beat, database_now):
    beat("a", rss_bytes=2**20, clock_skew_ms=-1_500)
    beat("b", workers=4, running=0, last_tick_at=database_now - 5 * MINUTE)
    beat("starts", last_tick_at=None, rss_bytes=None)
    beat("silent", leases_ago=2)
    beat("stopped", stopped_at=database_now)

    assert samples(viewer, "nodes") == {"alive": 3, "draining": 0, "silent": 1, "stopped": 1}
    Node.objects.filter(name="b").update(drain_requested_at=database_now)
    assert samples(viewer, "nodes") == {"alive": 2, "draining": 1, "silent": 1, "stopped": 1}
    assert samples(viewer, "node_workers") == {"a": 8, "b": 4, "starts": 8}
    assert samples(viewer, "node_running") == {"a": 3, "b": 0, "starts": 3}
    assert samples(viewer, "node_resident_memory_bytes") == {"a": 2**20}
    assert samples(viewer, "node_clock_skew_seconds") == {"a": -1.5}
    ages = samples(viewer, "node_last_tick_age_seconds")
    assert ages["b"] - ages["a"] == pytest.approx(300, abs=0.01)
    [newest] = samples(viewer, "last_tick_age_seconds").values()
    assert ages["a"] <= newest < ages["b"]


def test_queues(viewer, make_job, database_now):
    Queue.objects.all().delete()
    Queue.objects.create(name="heavy", limit=2, paused=True)
    Queue.objects.ensure(["*", "idle"])
    make_job("noop", queue="heavy")
    make_job("succeeds")
    for minutes in (7, 3, -60):
        row = JobExecution.objects.request("noop")
        JobExecution.objects.filter(pk=row.pk).update(run_after=database_now - minutes * MINUTE)
    JobExecution.objects.request("succeeds", run_after=database_now + 60 * MINUTE)

    assert samples(viewer, "queue_limit") == {"heavy": 2}
    assert samples(viewer, "queue_paused") == {"heavy": 1, "idle": 0}
    assert samples(viewer, "queue_waiting") == {"default": 1, "heavy": 3, "idle": 0}
    assert samples(viewer, "queue_due") == {"default": 0, "heavy": 2, "idle": 0}
    waits = samples(viewer, "queue_oldest_wait_seconds")
    assert (waits["default"], waits["idle"]) == (0, 0)
    assert waits["heavy"] >= 420
    assert samples(viewer, "queue_running") == {"heavy": 0, "idle": 0}
    assert samples(viewer, "paused") == {(): 0}


def test_what_runs(viewer, make_job, database_now):
    make_job("noop", queue="heavy")
    make_job("succeeds")
    for name in ("noop", "noop", "succeeds"):
        JobExecution.objects.request(name)
    claim(node="a", limit=8, now=database_now + MINUTE)

    assert samples(viewer, "job_running") == {"noop": 2, "succeeds": 1}
    running = samples(viewer, "queue_running")
    assert (running["heavy"], running["default"]) == (2, 1)


def test_a_pause_of_everything(viewer, settings):
    Queue.objects.ensure(["*"])
    Queue.objects.filter(name="*").pause()
    assert samples(viewer, "paused") == {(): 1}
    Queue.objects.filter(name="*").resume()
    assert samples(viewer, "paused") == {(): 0}

    settings.CRONJOBS = {"PAUSED": True}

    assert samples(viewer, "paused") == {(): 1}


def test_what_ended_in_the_last_hour(viewer, make_job, database_now):
    mine, other = make_job("noop"), make_job("succeeds")
    recent = database_now - MINUTE
    ended(mine, "succeeded", recent, took=1_500, late=20, count=2)
    ended(mine, "failed", recent, took=500, late=10, attempt=3)
    ended(mine, "lost", recent, late=5, attempt=1)
    ended(mine, "missed", recent, missed_count=40)
    ended(other, "timed_out", database_now - 59 * MINUTE, took=250, late=0)
    ended(other, "succeeded", database_now - 61 * MINUTE, took=9_000, late=9_000)

    assert samples(viewer, "last_hour_executions") == {
        ("noop", "succeeded"): 2,
        ("noop", "failed"): 1,
        ("noop", "lost"): 1,
        ("noop", "missed"): 1,
        ("succeeds", "timed_out"): 1,
    }
    assert samples(viewer, "last_hour_duration_seconds_sum") == {"noop": 3.5, "succeeds": 0.25}
    assert samples(viewer, "last_hour_duration_seconds_count") == {"noop": 3, "succeeds": 1}
    assert samples(viewer, "last_hour_lateness_seconds_sum") == {"noop": 0.055, "succeeds": 0}
    assert samples(viewer, "last_hour_lateness_seconds_count") == {"noop": 4, "succeeds": 1}
    assert samples(viewer, "last_hour_retries") == {"noop": 2, "succeeds": 0}
    assert samples(viewer, "last_hour_missed_due_times") == {"noop": 40, "succeeds": 0}


def test_documents_modified_are_added_up_whatever_a_job_returns(viewer, make_job, database_now):
    job, odd = make_job("noop"), make_job("succeeds")
    recent = database_now - MINUTE
    for result in ({"modifiedCount": 3}, {"modifiedCount": 4}, {"other": 1}, None, [1], "text"):
        ended(job, "succeeded", recent, result=result)
    ended(job, "failed", recent, result={"modifiedCount": 100})
    ended(job, "succeeded", database_now - 61 * MINUTE, result={"modifiedCount": 1_000})
    for value in ("many", None, True, 2.5, [7], {"a": 1}):
        ended(odd, "succeeded", recent, result={"modifiedCount": value})

    assert samples(viewer, "last_hour_documents_modified") == {"noop": 7, "succeeds": 0}


def test_labels_may_hold_anything(viewer, beat, make_job):
    name = 'a"b\\c\nd{}=,é'
    beat(name)
    make_job("noop", queue=name)
    JobExecution.objects.request("noop")

    assert samples(viewer, "node_workers") == {name: 8}
    assert samples(viewer, "queue_waiting")[name] == 1


def test_the_number_of_queries_does_not_grow(viewer, beat, make_job, database_now):
    def queries(number):
        for each in range(number):
            beat(f"node-{number}-{each}")
            job = make_job("noop", name=f"job-{number}-{each}", queue=f"queue-{number}-{each}")
            ended(job, "succeeded", database_now - MINUTE, took=1, late=1, result={"modifiedCount": 1})
            JobExecution.objects.request(job.name)
            Queue.objects.ensure([f"queue-{number}-{each}"])
        with CaptureQueriesContext(connection) as captured:
            read(viewer.get("/cron/metrics"))
        return len(captured)

    assert queries(1) == queries(15)


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        "application/openmetrics-text",
        "application/openmetrics-text;version=x",
    ],
)
def test_who_asks_for_openmetrics_gets_it(viewer, beat, accept):
    beat("a")
    answer = viewer.get("/cron/metrics", Accept=accept)

    assert answer["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in parse_openmetrics(answer.content.decode())}
    assert {"cronjobs_nodes", "cronjobs_last_hour_duration_seconds_sum"} <= names


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/html", "text/plain;version=x", "text/plain;version=1.0.0", "application/json"]
)
def test_everybody_else_gets_plain_text(viewer, accept):
    assert read(viewer.get("/cron/metrics", Accept=accept))


def test_prometheus_comes_with_a_key(django_user_model):
    user = django_user_model.objects.create_user("prometheus")
    grant(user, "view_job")
    _, text = ApiKey.objects.issue(user=user, name="of a server", actions=["view_job"])
    _, limited = ApiKey.objects.issue(user=user, name="of a job", actions=["view_job"], jobs=["noop"])

    assert read(Client().get("/cron/metrics", headers={"Authorization": f"Bearer {text}"}))
    answer = Client().get("/cron/metrics", headers={"Authorization": f"Bearer {limited}"})
    assert_error(answer, 403, "permission_denied")


def test_errors_are_json(reader):
    assert_error(Caller().get("/cron/metrics", Accept="text/plain"), 401, "not_authenticated")
    assert_error(reader.get("/cron/metrics"), 403, "permission_denied")


def test_nothing_is_left_in_the_process(viewer):
    before = {family.name for family in REGISTRY.collect()}
    read(viewer.get("/cron/metrics"))
    read(viewer.get("/cron/metrics"))

    assert {family.name for family in REGISTRY.collect()} == before


WITHOUT_THE_PACKAGE = """
import sys
sys.modules["prometheus_client"] = None
import django
django.setup()
from django.test import RequestFactory
from rest_framework.permissions import AllowAny
from cronjobs.api.figures.metrics import MetricsView
answer = MetricsView.as_view(authentication_classes=[], permission_classes=[AllowAny])(RequestFactory().get("/"))
answer.render()
print(answer.status_code, answer.content.decode())
"""


@pytest.mark.slow
def test_without_the_package_it_says_what_to_install():
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", WITHOUT_THE_PACKAGE],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.startswith("501 ")
    assert '"code":"not_installed"' in done.stdout
    assert "pip install" in done.stdout
