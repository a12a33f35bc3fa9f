"""Celery workers in the admin: their list, their pages, the queues and the dashboard."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cronjobs.admin import rendering
from cronjobs.database import database_now_plus, read_clock
from cronjobs.models import JobExecution, Queue
from cronjobs.models.moves import begin, claim
from tests.integration.celery_shown.conftest import dispatched

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("with_celery", "node")]

ADMIN = "/admin/cronjobs/"
WORKERS, QUEUES, DASHBOARD, JOBS = (f"{ADMIN}{name}/" for name in ("celeryworker", "queue", "dashboard", "job"))
WORKER = "celery@box-1:5150"
MOST = 15


def source_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, response
    return response.content.decode()


def text_of(client: Client, url: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", source_of(client, url))).split())


def run_on(worker: str, count: int) -> list[JobExecution]:
    """Let executions of noop run on a worker."""
    rows = [JobExecution.objects.request("noop") for _ in range(count)]
    for row in rows:
        JobExecution.objects.filter(pk=row.pk).update(waits_for=2, claim_token=f"t{row.pk}")
        begin(row.pk, f"t{row.pk}", node=worker)
    return rows


@pytest.fixture(autouse=True)
def _jobs(make_job: Any) -> None:
    make_job("noop", overlap="allow")


@pytest.mark.parametrize(
    ("silent_for", "columns", "state"),
    [
        pytest.param(timedelta(seconds=5), {}, "Alive", id="alive"),
        pytest.param(timedelta(seconds=5), {"draining": True}, "Draining", id="draining"),
        pytest.param(timedelta(minutes=5), {"draining": True}, "Dead", id="dead"),
        pytest.param(timedelta(0), {"stopped_at": timezone.now()}, "Stopped", id="stopped"),
    ],
)
def test_a_worker_is_alive_draining_dead_or_stopped(admin_client, make_worker, silent_for, columns, state):
    worker = make_worker(WORKER, "default", "heavy", silent_for=silent_for, rss_bytes=81_500_000, **columns)

    for url in (WORKERS, f"{WORKERS}{worker.pk}/change/"):
        source = source_of(admin_client, url)
        assert re.findall(r'<span class="cron-badge[^>]*>(\w+)</span>', source) == [state]
        for part in (WORKER, "1.0", "78 MiB", "default, heavy", "ago"):
            assert part in text_of(admin_client, url)
        assert ("data-live-state" in source) == (url == WORKERS or state != "Stopped")
    page = text_of(admin_client, f"{WORKERS}{worker.pk}/change/")
    assert "Host box-1" in page
    assert "At once 4" in page


def test_what_a_worker_runs_is_named_with_how_long_and_how_much_of_it_is_busy(admin_client, make_worker):
    worker = make_worker(WORKER)
    mine, (other,) = run_on(WORKER, 5), run_on("celery@elsewhere:1", 1)

    source = source_of(admin_client, WORKERS)

    assert '<progress max="4" value="4" aria-label="Busy processes">' in source
    assert "5 of 4 processes" in text_of(admin_client, WORKERS)
    links = [f'href="{ADMIN}jobexecution/{each.pk}/change/"' for each in mine]
    assert [link in source for link in links] == [True, True, True, False, False]
    assert "and 2 more" in text_of(admin_client, WORKERS)
    page = source_of(admin_client, f"{WORKERS}{worker.pk}/change/")
    assert all(link in page for link in links)
    assert f"jobexecution/{other.pk}/change/" not in page + source


def test_workers_keep_their_places_and_their_text_is_escaped(admin_client, make_worker):
    make_worker("c", stopped_at=timezone.now())
    make_worker("d", silent_for=timedelta(minutes=5))
    make_worker("b", "<b>q</b>", version="<b>v</b>")
    make_worker("a", silent_for=timedelta(seconds=5))

    source = source_of(admin_client, WORKERS)

    assert re.findall(r'<th class="field-name">.*?>(\w)</a>', source) == ["a", "b", "d", "c"]
    assert "<b>" not in source


def test_the_list_asks_as_often_however_many_workers_there_are(admin_client, make_worker):
    admin_client.get(WORKERS)
    counts = []
    for begin_at, end in ((0, 1), (1, 40)):
        for n in range(begin_at, end):
            make_worker(f"w{n}")
            run_on(f"w{n}", 1)
        with CaptureQueriesContext(connection) as captured:
            source_of(admin_client, WORKERS)
        counts.append(len(captured))

    assert counts[0] == counts[1] <= MOST


def test_columns_cannot_be_asked_for(admin_client):
    assert admin_client.get(WORKERS, {"hostname__startswith": "w"}).status_code == 400


def test_the_index_leads_there_only_where_celery_performs_something(admin_client, settings):
    assert WORKERS in source_of(admin_client, "/admin/")
    assert WORKERS in source_of(admin_client, ADMIN)

    settings.CRONJOBS = {}
    assert WORKERS not in source_of(admin_client, "/admin/")
    assert WORKERS not in source_of(admin_client, ADMIN)


def test_queues_show_what_is_with_the_broker(admin_client, settings):
    Queue.objects.ensure()
    for _ in range(3):
        JobExecution.objects.request("noop")
    dispatched()

    text = text_of(admin_client, QUEUES)
    assert "Waiting With the broker Running" in text
    assert f"default Open {rendering.NOTHING} Waiting 3 With the broker 2 Running 0" in text

    settings.CRONJOBS = {}
    assert "broker" not in text_of(admin_client, QUEUES)


def test_the_dashboard_counts_workers_and_what_is_with_the_broker(admin_client, make_worker):
    make_worker("a", concurrency=8)
    make_worker("b", draining=True)
    make_worker("c", silent_for=timedelta(minutes=5))
    make_worker("d", stopped_at=timezone.now())
    for _ in range(3):
        JobExecution.objects.request("noop")
    dispatched()

    text = text_of(admin_client, DASHBOARD)

    assert "Celery workers 2 alive 8 at once, 1 of them draining, 1 dead" in text
    assert "With the broker 2" in text
    assert "Running 0 0 of 8 on nodes, 0 of 12 on Celery workers" in text
    assert "A Celery worker fell silent without saying that it stops: c." in text
    assert "Queue Waiting With the broker Oldest for" in text
    assert "default 3 2" in text
    # Workers are no nodes.
    assert "Nodes 1 alive" in text


def test_the_dashboard_counts_what_runs_on_nodes_and_on_workers_apart(admin_client, make_worker, make_job, settings):
    make_worker(WORKER)
    run_on(WORKER, 3)
    make_job("succeeds", executor="thread")
    JobExecution.objects.request("succeeds")
    claim(node="web-1:4711", limit=1, now=read_clock("default"))

    assert "Running 4 1 of 8 on nodes, 3 of 4 on Celery workers" in text_of(admin_client, DASHBOARD)

    settings.CRONJOBS = {}
    assert "Running 4 of 8 workers" in text_of(admin_client, DASHBOARD)


def test_the_headline_says_that_nobody_serves_a_queue(admin_client, make_worker, make_job):
    make_worker("a", "other")
    JobExecution.objects.request("noop")
    sentence = "No Celery worker that is alive serves a queue in which executions are due: default."
    assert sentence not in text_of(admin_client, DASHBOARD)

    JobExecution.objects.update(run_after=database_now_plus(-timedelta(minutes=2)))
    assert re.search(rf'cron-headsentence cron-bad">{sentence}', source_of(admin_client, DASHBOARD))

    Queue.objects.update_or_create(name="default", defaults={"paused": True})
    assert sentence not in text_of(admin_client, DASHBOARD)
    Queue.objects.update(paused=False)
    make_worker("b", "default")
    assert sentence not in text_of(admin_client, DASHBOARD)


def test_what_nodes_perform_is_no_worker_s_to_serve(admin_client, make_job):
    make_job("succeeds", executor="thread")
    JobExecution.objects.request("succeeds")
    JobExecution.objects.update(run_after=database_now_plus(-timedelta(minutes=2)))

    assert "No Celery worker that is alive serves" not in text_of(admin_client, DASHBOARD)


def test_the_dashboard_and_the_lists_stay_within_their_statements(admin_client, make_worker):
    for n in range(30):
        make_worker(f"w{n}")
        run_on(f"w{n}", 1)

    for url in (DASHBOARD, f"{ADMIN}jobexecution/", QUEUES):
        admin_client.get(url)
        with CaptureQueriesContext(connection) as captured:
            source_of(admin_client, url)
        assert len(captured) <= MOST, url


def test_without_celery_the_dashboard_says_nothing_of_it(admin_client, settings, make_worker):
    settings.CRONJOBS = {}
    make_worker(silent_for=timedelta(minutes=5))

    assert "elery" not in text_of(admin_client, DASHBOARD)
    assert "broker" not in text_of(admin_client, DASHBOARD)


def test_a_celery_worker_is_offered_to_a_job_only_where_there_are_any(admin_client, settings, make_job):
    option = '<option value="celery">A Celery worker</option>'
    job = make_job("noop")
    url = f"{JOBS}{job.pk}/change/"
    assert option in source_of(admin_client, url)

    settings.CRONJOBS = {}
    assert option not in source_of(admin_client, url)
    make_job("noop", executor="celery")
    assert '<option value="celery" selected>' in source_of(admin_client, url)


def test_the_api_refuses_celery_where_there_is_none(admin_client, settings):
    settings.CRONJOBS = {}

    answer = admin_client.patch("/cron/jobs/noop", {"executor": "celery"}, content_type="application/json")

    assert answer.status_code == 400
    assert "CRONJOBS['CELERY_APP'] names no app" in str(answer.json()["errors"]["executor"])
