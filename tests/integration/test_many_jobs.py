"""A tick costs what is due, not what is registered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJob

from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import current
from cronjobs.scheduler.clock_rows import clock_id
from cronjobs.scheduler.looks import look
from cronjobs.scheduler.plans import reconcile
from cronjobs.scheduler.ticks import tick
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db
DUE = 10


def register(count):
    """Register jobs of which `DUE` are due at noon and the others a year later."""
    Job.objects.all().delete()
    DjangoJob.objects.all().delete()
    jobs = [Job(name=f"job-{number}", definition="noop", schedule="0 12 15 1 *") for number in range(count)]
    jobs = Job.objects.bulk_create(jobs, batch_size=500)
    if not connection.features.can_return_rows_from_bulk_insert:
        jobs = list(Job.objects.order_by("pk"))
    reconcile(NOON)
    DjangoJob.objects.filter(id__in=[clock_id(job.pk) for job in jobs[:DUE]]).update(next_run_time=NOON)


def statements_of(work):
    with CaptureQueriesContext(connection) as captured:
        work()
    return [each["sql"] for each in captured.captured_queries]


def test_the_statements_of_a_tick_do_not_depend_on_how_many_jobs_are_registered():
    counts = []
    for registered in (DUE, 10_000):
        register(registered)
        JobExecution.objects.all().delete()
        # Both times they are new to this process.
        current._known.clear()
        assert len(statements_of(look)) == 1
        counts.append(len(statements_of(lambda: tick(NOON + timedelta(seconds=1)))))
        assert JobExecution.objects.count() == DUE

    assert counts[0] == counts[1]


@pytest.mark.parametrize("table", ["django_apscheduler_djangojob", "cronjobs_job"])
def test_a_look_and_a_tick_find_their_rows_through_indexes(table):
    register(2_000)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # The planner needs statistics to prefer an index over 2,000 rows.
            cursor.execute(f"ANALYZE {table}")
    asked = statements_of(look) + statements_of(lambda: tick(NOON + timedelta(seconds=1)))
    selects = [sql for sql in asked if sql.startswith("SELECT") and f"{table}" in sql]

    assert selects
    assert not [plan for sql in selects for plan in plans_of(sql) if reads_whole(plan, table)]


def plans_of(sql):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'QUERY PLAN' if connection.vendor == 'sqlite' else ''} {sql}")
        return [" ".join(map(str, row)) for row in cursor.fetchall()]


def reads_whole(plan, table):
    if connection.vendor == "sqlite":
        return f"SCAN {table}" in plan and "INDEX" not in plan
    if connection.vendor == "postgresql":
        return f"Seq Scan on {table}" in plan
    return table in plan and " ALL " in plan
