"""Pages ask the database the same number of questions, however much there is."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs.database import read_clock
from cronjobs.models import ApiKey, AuditEntry, Calendar, ExecutionAttempt, ExecutionLog, Job, Node, Queue
from cronjobs.scheduler.plans import sync
from tests.integration.admin.conftest import AT
from tests.integration.admin.pages import AUDIT, EXECUTIONS, JOBS, KEYS, NODES, QUEUES, change_url, get

MOST = 15


def statements(client: Any, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        get(client, url)
    return len(captured)


@pytest.fixture
def fill(make_job, make_execution, make_node, make_entry, django_user_model):
    """Replace what is there by `count` jobs, each with executions, and `count` nodes."""

    def fill(count: int) -> Any:
        for model in (Job, Node, Calendar, Queue, AuditEntry):
            model.objects.all().delete()
        django_user_model.objects.filter(username__startswith="user-").delete()
        for number in range(count):
            calendar = Calendar.objects.create(name=f"calendar-{number}", dates=["2026-12-25"])
            make_job("noop", name=f"noop-{number}", schedule="*/5 * * * *", calendar=calendar)
            for status in ("succeeded", "failed"):
                execution = make_execution(f"noop-{number}", status=status, error_message="boom")
            node = make_node(f"node-{number}")
            make_execution(f"noop-{number}", status="running", finished_at=None, node=node.name)
            Queue.objects.create(name=f"queue-{number}", limit=2)
            user = django_user_model.objects.create_user(f"user-{number}")
            ApiKey.objects.issue(user=user, name="deploy", actions=["view_job"], jobs=[f"noop-{number}"])
            make_entry(target=f"noop-{number}", address=f"203.0.113.{number}")
        sync(read_clock("default"))
        for number in range(count):
            ExecutionLog.objects.create(
                execution=execution, attempt=1, number=number, level=20, message="m", logged_at=AT
            )
            ExecutionAttempt.objects.create(execution=execution, attempt=number, status="failed")
        return execution

    return fill


@pytest.mark.parametrize(
    "url",
    [
        JOBS,
        EXECUTIONS,
        EXECUTIONS + "?q=boom",
        EXECUTIONS + "?recorded=week",
        NODES,
        QUEUES,
        KEYS,
        AUDIT,
        AUDIT + "?past=week",
    ],
)
def test_a_list_asks_as_often_for_1_10_and_100_rows(superuser, fill, url):
    counts = []
    for count in (1, 10, 100):
        fill(count)
        counts.append(statements(superuser, url))

    # Rows on the page may save a question (an empty page asks less), never cost one.
    assert counts[1] == counts[2]
    assert max(counts) <= MOST


@pytest.mark.parametrize("count", [1, 10, 100])
def test_a_page_asks_as_often_whatever_is_on_it(superuser, fill, count):
    execution = fill(count)
    # The first page of a process also looks up what Django caches, such as content types.
    for row in (execution, execution.job):
        superuser.get(change_url(row))

    assert statements(superuser, change_url(execution)) == 10
    assert statements(superuser, change_url(execution.job)) <= MOST


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
