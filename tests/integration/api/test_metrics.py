"""`GET metrics`, read as Prometheus reads it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from cronjobs.conf import get_settings
from cronjobs.history import roll_up
from cronjobs.models import ApiKey, Job, JobExecution, Node, Queue
from cronjobs.models.moves import claim
from cronjobs.models.rollups import SETTLING
from cronjobs.states import FINAL
from tests.integration.api.callers import Caller, assert_error, grant
from tests.integration.api.rows import ended
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


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
    assert all(family.documentation for family in families)
    assert len({family.name for family in families}) == len(families)
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


def test_what_has_ended_since_the_beginning(viewer, make_job):
    Job.objects.all().delete()
    mine, other = make_job("noop"), make_job("succeeds")
    ended(mine, "succeeded", NOON, took=1_500, late=20, count=2, result={"modifiedCount": 3})
    ended(mine, "failed", NOON, took=500, late=10, attempt=3)
    ended(mine, "lost", NOON, late=5, attempt=1)
    ended(mine, "missed", NOON, missed_count=40)
    roll_up(NOON + HOUR + SETTLING)
    ended(mine, "succeeded", NOON + HOUR, took=4_000_000, late=9_000)
    ended(other, "timed_out", NOON + HOUR, took=250, late=0)

    executions = samples(viewer, "executions_total")
    assert {key: value for key, value in executions.items() if value} == {
        ("noop", "succeeded"): 3,
        ("noop", "failed"): 1,
        ("noop", "lost"): 1,
        ("noop", "missed"): 1,
        ("succeeds", "timed_out"): 1,
    }
    assert samples(viewer, "retries_total") == {"noop": 2, "succeeds": 0}
    assert samples(viewer, "missed_total") == {"noop": 40, "succeeds": 0}
    assert samples(viewer, "lost_total") == {"noop": 1, "succeeds": 0}
    assert samples(viewer, "documents_modified_total") == {"noop": 6, "succeeds": 0}
    assert samples(viewer, "execution_duration_seconds_sum") == {"noop": 4_003.5, "succeeds": 0.25}
    assert samples(viewer, "execution_duration_seconds_count") == {"noop": 4, "succeeds": 1}
    buckets = samples(viewer, "execution_duration_seconds_bucket")
    assert [buckets["noop", bound] for bound in ("0.25", "0.5", "1.0", "2.5", "3600.0", "+Inf")] == [0, 1, 1, 3, 3, 4]
    assert samples(viewer, "execution_lateness_seconds_sum") == {"noop": 9.055, "succeeds": 0}
    assert samples(viewer, "execution_lateness_seconds_count") == {"noop": 5, "succeeds": 1}
    assert samples(viewer, "rolled_up_until_timestamp_seconds") == {(): (NOON + HOUR).timestamp()}


def test_a_job_of_which_nothing_has_ended_has_noughts(viewer, make_job):
    """Its first failure is then seen as one more, and not as a sample that has come from nowhere."""
    Job.objects.all().delete()
    make_job("noop")

    assert samples(viewer, "executions_total") == {("noop", each): 0 for each in FINAL}
    assert samples(viewer, "execution_duration_seconds_count") == {"noop": 0}


def test_counters_survive_their_job(viewer, make_job):
    ended(make_job("noop"), "failed", NOON, took=1, late=1)
    Job.objects.all().delete()

    assert samples(viewer, "executions_total")["noop", "failed"] == 1


@pytest.mark.parametrize("openly", [False, True])
@pytest.mark.parametrize(
    "name", ['a"b', "back\\slash", "new\nline", "carriage\rreturn", '{x="1"} 7', "# HELP x y", "é\u2028", "\t", " "]
)
def test_names_that_sql_wrote_are_labels_like_others(viewer, make_job, name, openly):
    ended(make_job("noop"), "failed", NOON, took=1, late=1)
    JobExecution.objects.update(job_name=name)
    answer = viewer.get("/cron/metrics", Accept="application/openmetrics-text" if openly else "")
    read_it = parse_openmetrics if openly else parse

    found = {
        (each.labels["job"], each.labels["outcome"]): each.value
        for family in read_it(answer.content.decode())
        for each in family.samples
        if each.name == "cronjobs_executions_total"
    }

    assert found[name, "failed"] == 1


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
    assert {"cronjobs_nodes", "cronjobs_executions", "cronjobs_execution_duration_seconds"} <= names


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
