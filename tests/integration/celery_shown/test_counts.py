"""Workers, queues and what is with the broker: in commands, over HTTP and in metrics."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cronjobs.api.site import workers
from cronjobs.models import CeleryWorker, JobExecution, Queue
from cronjobs.models.moves import begin
from tests.commands import run_command
from tests.integration.api.callers import assert_error, document, grant
from tests.integration.celery_shown.conftest import dispatched

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("with_celery", "node")]

WORKER = "celery@box-1:5150"


@pytest.fixture
def caller(client: Any, django_user_model: Any) -> Any:
    user = django_user_model.objects.create_user("caller")
    grant(user, "view_job", "view_queue")
    client.force_login(user)
    return client


@pytest.fixture
def work(make_job: Any) -> None:
    """One that runs on a worker, two with the broker, one that waits in the database."""
    make_job("noop", overlap="allow")
    Queue.objects.ensure()
    JobExecution.objects.request("noop")
    (first,) = dispatched()
    begin(first.pk, first.claim_token, node=WORKER)
    for _ in range(3):
        JobExecution.objects.request("noop")
    assert len(dispatched()) == 2


def test_workers_over_http_by_their_state(caller, make_worker, work):
    make_worker("silent", silent_for=timedelta(minutes=5))
    make_worker("stopped", silent_for=timedelta(seconds=9), stopped_at=timezone.now())
    make_worker("draining", "x", silent_for=timedelta(seconds=6), draining=True)
    make_worker(WORKER, "default", "heavy", rss_bytes=2**20)

    found = document(caller.get("/cron/workers"))

    assert [(each["name"], each["state"]) for each in found["workers"]] == [
        (WORKER, "alive"),
        ("draining", "draining"),
        ("stopped", "stopped"),
        ("silent", "silent"),
    ]
    first = found["workers"][0]
    assert (first["host"], first["processId"], first["concurrency"], first["running"]) == ("box-1", 5150, 4, 1)
    assert (first["queues"], first["rssBytes"], first["stoppedAt"]) == (["default", "heavy"], 2**20, None)
    # Workers are no nodes.
    assert [each["name"] for each in document(caller.get("/cron/nodes"))["nodes"]] == ["web-1:4711"]


def test_of_many_workers_the_last_are_shown_in_as_many_queries(caller, make_worker, monkeypatch):
    monkeypatch.setattr(workers, "MOST", 2)
    make_worker("a")
    with CaptureQueriesContext(connection) as few:
        caller.get("/cron/workers")
    make_worker("b", silent_for=timedelta(minutes=2))
    make_worker("c", silent_for=timedelta(minutes=1))

    with CaptureQueriesContext(connection) as many:
        found = document(caller.get("/cron/workers"))

    assert ([each["name"] for each in found["workers"]], found["isCut"]) == (["a", "c"], True)
    assert len(few) == len(many)
    assert_error(caller.get("/cron/workers?name=a"), 400, "invalid_parameters")


@pytest.mark.parametrize("queues", [7, "default", {"default": 1}, ["default", 5, None]])
def test_queues_that_make_no_sense_break_nothing(caller, make_worker, queues):
    make_worker(WORKER)
    CeleryWorker.objects.update(queues=queues)

    expected = ["default"] if isinstance(queues, list) else []
    assert document(caller.get("/cron/workers"))["workers"][0]["queues"] == expected


def test_queues_tell_what_is_with_the_broker(caller, work):
    found = document(caller.get("/cron/queues"))["queues"]

    (default,) = [each for each in found if each["name"] == "default"]
    assert (default["waiting"], default["dispatched"], default["running"]) == (3, 2, 1)
    assert "default  open   3        2            1\n" in run_command("cronqueue").out
    told = json.loads(run_command("cronqueue", "--json").out)["queues"]
    assert {each["name"]: each["dispatched"] for each in told}["default"] == 2
    sentence = "Queue default: at most 5 at once; 3 waiting (2 of them with the broker), 1 running."
    assert sentence in run_command("cronqueue", "--limit", "default", "5").out


def test_a_queue_without_a_row_is_counted_as_well(caller, work):
    Queue.objects.filter(name="default").delete()

    found = {each["name"]: each for each in document(caller.get("/cron/queues"))["queues"]}

    assert found["default"]["dispatched"] == 2


def test_the_status_counts_workers_and_what_is_with_the_broker(caller, make_worker, work):
    make_worker(WORKER)
    make_worker("draining", draining=True, concurrency=8)
    make_worker("silent", silent_for=timedelta(minutes=5))

    found = document(caller.get("/cron/status"))

    assert found["celery"] == {"workers": 2, "draining": 1, "concurrency": 4, "dispatched": 2}
    assert len(found["nodes"]) == 1


def test_cronstatus_shows_workers_beside_nodes(make_worker, work):
    make_worker(WORKER, "default", "heavy")

    out, _, code = run_command("cronstatus")

    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert ["CELERY", "WORKER", "STATE", "BUSY", "QUEUES", "MEMORY", "UP"] in rows
    assert [WORKER, "alive", "1/4", "default,", "heavy"] in [row[:5] for row in rows]
    assert "Celery: 1 Celery worker is alive. 2 waiting with the broker.\n" in out
    told = json.loads(run_command("cronstatus", "--json").out)
    assert [each["name"] for each in told["workers"]] == [WORKER]
    assert told["celery"]["dispatched"] == 2
    assert [each["name"] for each in told["nodes"]] == ["web-1:4711"]


def test_where_celery_performs_nothing_nothing_is_said_of_it(caller, settings, make_worker):
    settings.CRONJOBS = {}
    make_worker()

    assert document(caller.get("/cron/status"))["celery"] is None
    assert "elery" not in run_command("cronstatus").out
    assert "BROKER" not in run_command("cronqueue").out
    assert "celery" not in caller.get("/cron/metrics").content.decode()
    assert json.loads(run_command("cronstatus", "--json").out)["workers"] == []


def test_metrics_count_workers_and_what_is_with_the_broker(caller, make_worker, work):
    make_worker(WORKER)
    make_worker("draining", draining=True)
    make_worker("silent", silent_for=timedelta(minutes=5))

    lines = caller.get("/cron/metrics").content.decode().splitlines()

    for line in (
        'cronjobs_celery_workers{state="alive"} 1',
        'cronjobs_celery_workers{state="draining"} 1',
        'cronjobs_celery_workers{state="silent"} 1',
        'cronjobs_celery_workers{state="stopped"} 0',
        "cronjobs_celery_concurrency 4",
        'cronjobs_queue_dispatched{queue="default"} 2',
        'cronjobs_queue_waiting{queue="default"} 3',
        'cronjobs_queue_running{queue="default"} 1',
        'cronjobs_nodes{state="alive"} 1',
    ):
        assert line in lines
