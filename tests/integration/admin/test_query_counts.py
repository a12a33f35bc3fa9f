"""Pages ask the database the same number of questions, however much there is."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs.admin.windows import WIDE
from cronjobs.database import read_clock
from cronjobs.models import (
    Alert,
    ApiKey,
    AuditEntry,
    Calendar,
    ExecutionAttempt,
    ExecutionLog,
    Job,
    JobExecution,
    Node,
    Queue,
)
from cronjobs.scheduler.plans import sync
from tests.integration.admin.conftest import AT
from tests.integration.admin.pages import (
    ALERTS,
    AUDIT,
    CALENDARS,
    DASHBOARD,
    EXECUTIONS,
    JOBS,
    KEYS,
    NODES,
    QUEUES,
    change_url,
    get,
)

MOST = 15


def statements(client: Any, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        get(client, url)
    return len(captured)


@pytest.fixture
def fill(make_job, make_execution, make_node, make_entry, make_alert):
    """Replace what is there by `count` jobs, each with executions, and `count` nodes."""

    def fill(count: int) -> Any:
        for model in (Job, Node, Calendar, Queue, AuditEntry, Alert):
            model.objects.all().delete()
        users = get_user_model().objects
        users.filter(username__startswith="user-").delete()
        for number in range(count):
            calendar = Calendar.objects.create(name=f"calendar-{number}", dates=["2026-12-25"])
            make_job("noop", name=f"noop-{number}", schedule="*/5 * * * *", calendar=calendar)
            for status in ("succeeded", "failed"):
                execution = make_execution(f"noop-{number}", status=status, error_message="boom")
            node = make_node(f"node-{number}")
            make_execution(f"noop-{number}", status="running", finished_at=None, node=node.name)
            Queue.objects.create(name=f"queue-{number}", limit=2)
            user = users.create_user(f"user-{number}")
            ApiKey.objects.issue(user=user, name="deploy", actions=["view_job"], jobs=[f"noop-{number}"])
            make_alert(subject=f"noop-{number}")
            make_entry(target=f"noop-{number}", address=f"203.0.113.{number}")
        sync(read_clock("default"))
        for number in range(count):
            ExecutionLog.objects.create(
                execution=execution, attempt=1, number=number, level=20, message="m", logged_at=AT
            )
            ExecutionAttempt.objects.create(execution=execution, attempt=number, status="failed")
        return execution

    return fill


@pytest.mark.parametrize("url", [JOBS, KEYS, AUDIT, AUDIT + "?past=week", ALERTS, ALERTS + "?past=week"])
def test_a_list_asks_as_often_for_1_10_and_100_rows(superuser, fill, url):
    counts = []
    for count in (1, 10, 100):
        fill(count)
        counts.append(statements(superuser, url))

    # Rows on the page may save a question (an empty page asks less), never cost one.
    assert counts[1] == counts[2]
    assert max(counts) <= MOST


# Plain, filtered, searched and by date.
EXECUTION_LISTS = (
    EXECUTIONS,
    EXECUTIONS + "?q=boom",
    EXECUTIONS + "?q=noop-1",
    EXECUTIONS + "?recorded=week",
    EXECUTIONS + "?date=2026-01-15",
    EXECUTIONS + "?date=2026&node=node-0&q=boom",
    EXECUTIONS + "?status__exact=failed&trigger__exact=schedule",
    EXECUTIONS + "?status__exact=running&p=2",
)


@pytest.mark.parametrize("url", [*EXECUTION_LISTS, NODES, QUEUES, CALENDARS])
def test_a_list_asks_as_often_for_10_100_and_1000_jobs(superuser, fill_at_once, url):
    # The first page of a process also looks up what Django caches.
    superuser.get(url)
    counts = []
    for count in (10, 100, 1000):
        fill_at_once(count)
        counts.append(statements(superuser, url))

    assert counts[0] == counts[1] == counts[2]
    assert max(counts) <= MOST


@pytest.fixture
def fill_at_once(db):
    """Replace what is there by `count` jobs, nodes, queues and calendars, and three executions of each job."""

    def fill(count: int) -> None:
        for model in (JobExecution, Job, Node, Calendar, Queue):
            model.objects.all().delete()
        now = read_clock("default")
        calendars = Calendar.objects.bulk_create(
            Calendar(name=f"calendar-{n}", dates=["2026-12-25"]) for n in range(count)
        )
        Queue.objects.bulk_create(Queue(name=f"queue-{n}", limit=2) for n in range(count))
        facts = {"hostname": "web-1", "pid": 4711, "version": "1.0", "workers": 8, "started_at": now}
        times = {"heartbeat_at": now, "last_tick_at": now}
        Node.objects.bulk_create(Node(name=f"node-{n}", **facts, **times) for n in range(count))
        # Not by what `bulk_create` gives back: one of the databases does not tell the ids.
        calendar = Calendar.objects.get(name=calendars[0].name)
        Job.objects.bulk_create(
            Job(name=f"noop-{n}", definition="noop", schedule="*/5 * * * *", queue=f"queue-{n}", calendar=calendar)
            for n in range(count)
        )
        JobExecution.objects.bulk_create(
            listed_row(job, n, status)
            for n, job in enumerate(Job.objects.order_by("pk"))
            for status in ("succeeded", "failed", "running")
        )

    return fill


def listed_row(job: Job, n: int, status: str) -> JobExecution:
    """Return an execution with something in every column that a list must not read."""
    times = dict.fromkeys(("scheduled_for", "due_at", "run_after", "claim_at", "queued_at"), AT)
    is_over = status != "running"
    return JobExecution(
        job=job,
        job_name=job.name,
        status=status,
        trigger="schedule",
        queue=f"queue-{n}",
        node=f"node-{n}",
        started_at=AT,
        first_started_at=AT,
        finished_at=AT + timedelta(seconds=2) if is_over else None,
        duration_ms=2000 if is_over else None,
        params={"days": 2},
        result={"modifiedCount": 3},
        error_message="boom",
        traceback="Traceback: boom",
        reason="Because.",
        **times,
    )


# A statement's text before the first FROM, where it says which columns it reads.
_READ = re.compile(r"^SELECT (.*?) FROM ", re.DOTALL)


@pytest.mark.parametrize("url", EXECUTION_LISTS)
def test_no_list_of_executions_counts_them_or_reads_what_is_long(superuser, fill_at_once, url):
    fill_at_once(10)
    with CaptureQueriesContext(connection) as captured:
        get(superuser, url)

    asked = [each["sql"].replace("`", '"') for each in captured]
    of_executions = [sql for sql in asked if f'"{JobExecution._meta.db_table}"' in sql]
    assert of_executions
    assert not [sql for sql in of_executions if "COUNT(" in sql.upper()]
    read = [_READ.match(sql) for sql in of_executions]
    columns = " ".join(found.group(1) for found in read if found)
    # Only the ends of two of them, which the database cuts off.
    for column in WIDE:
        assert not re.search(rf'(^|, )"\w+"\."{column}"', columns), column
    assert not [sql for sql in asked if ExecutionLog._meta.db_table in sql]


def test_the_list_of_jobs_asks_as_often_for_1000_jobs(superuser, viewer, fill):
    fill(100)
    superuser.get(JOBS)
    before = statements(superuser, JOBS)
    begin = read_clock("default") - timedelta(days=1)
    jobs = Job.objects.bulk_create(
        Job(name=f"more-{number}", definition="noop", schedule="*/5 * * * *") for number in range(900)
    )
    JobExecution.objects.bulk_create(
        JobExecution.closed(job, status=status, scheduled_for=begin, now=begin, started_at=begin, duration_ms=7)
        for job in Job.objects.filter(pk__in=[each.pk for each in jobs])
        for status in ("succeeded", "failed")
    )

    assert statements(superuser, JOBS) == before
    for filtered in ("?outcome=failed", "?queue=default&broken=no", "?q=more&p=2"):
        assert statements(superuser, JOBS + filtered) <= before
    # Whoever is no superuser is asked for permissions as well.
    viewer.get(JOBS)
    assert statements(viewer, JOBS) <= MOST


@pytest.mark.parametrize("count", [1, 10, 100])
def test_a_page_asks_as_often_whatever_is_on_it(superuser, fill, count):
    execution = fill(count)
    # The first page of a process also looks up what Django caches, such as content types.
    for row in (execution, execution.job):
        superuser.get(change_url(row))

    assert statements(superuser, change_url(execution)) == 10
    log = change_url(execution).replace("change/", "log/")
    assert statements(superuser, f"{log}new/?after=0.0") == 6
    assert statements(superuser, change_url(execution.job)) <= MOST


def test_the_dashboard_asks_as_often_for_10_100_and_1000_jobs(superuser, viewer, fill_dashboard):
    # The first page of a process also looks up what Django caches.
    superuser.get(DASHBOARD)
    counts = []
    for count in (10, 100, 1000):
        fill_dashboard(count)
        # Once while every job has to be worked out, and once while none has.
        counts.append([statements(client, DASHBOARD) for client in (viewer, viewer, superuser)])

    assert counts[0] == counts[1] == counts[2]
    assert max(counts[0]) <= MOST


@pytest.fixture
def fill_dashboard(make_node):
    """Replace the jobs by `count` others, each with a calendar, executions in each hour, and something that waits."""

    def fill(count: int) -> None:
        for model in (Job, Node, JobExecution):
            model.objects.all().delete()
        calendar, _ = Calendar.objects.get_or_create(name="holidays", dates=["2099-12-25"])
        now = read_clock("default")
        Job.objects.bulk_create(
            Job(name=f"noop-{n}", definition="noop", schedule=f"{n % 60} * * * *", calendar=calendar)
            for n in range(count)
        )
        jobs, rows = list(Job.objects.order_by("pk")), []
        for n, job in enumerate(jobs):
            for status in ("succeeded", "failed", "running", "queued"):
                at = now - timedelta(minutes=n % 120, seconds=5)
                rows.append(dashboard_row(job, at, status))
        JobExecution.objects.bulk_create(rows)
        for n in range(min(count, 100)):
            make_node(f"node-{n}")
        sync(now)

    return fill


def dashboard_row(job: Job, at: datetime, status: str) -> JobExecution:
    times = dict.fromkeys(("scheduled_for", "due_at", "run_after", "claim_at", "queued_at"), at)
    started = None if status == "queued" else at
    finished = at + timedelta(seconds=2) if status in ("succeeded", "failed") else None
    return JobExecution(
        job=job,
        job_name=job.name,
        status=status,
        started_at=started,
        first_started_at=started,
        finished_at=finished,
        duration_ms=2000 if finished else None,
        result={"modifiedCount": 3} if status == "succeeded" else None,
        **times,
    )


@pytest.mark.parametrize("count", [1, 10, 100])
def test_the_page_of_a_node_asks_as_often_whatever_it_runs(superuser, make_node, make_execution, count):
    node = make_node(memory_trend=[[60 * n, 2**20] for n in range(120)])
    for _ in range(count):
        make_execution(status="running", finished_at=None, node=node.name)
    superuser.get(change_url(node))

    assert statements(superuser, change_url(node)) == 4


def test_the_list_of_nodes_reads_nothing_that_is_long(superuser, fill):
    fill(2)
    with CaptureQueriesContext(connection) as captured:
        get(superuser, NODES)

    asked = " ".join(each["sql"] for each in captured)
    for column in ("memory_trend", "traceback", "result", "params", "error_message"):
        assert f"{column}" not in asked
