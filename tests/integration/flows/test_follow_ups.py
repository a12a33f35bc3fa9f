"""Following flows up: what others' code knows is left to them, nothing holds up the rest, and many are cheap."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from cronjobs.database import DatabaseNow, database_now_plus
from cronjobs.executors.inline import run_inline
from cronjobs.models import Job, JobExecution
from cronjobs.registry import registry
from cronjobs.scheduler.followups import BATCH, PATIENCE
from tests.integration.conftest import NOON
from tests.integration.flows.walking import flow_of, named, sweep
from tests.integration.test_many_jobs import plans_of, reads_whole

pytestmark = pytest.mark.django_db


class TestRollingRelease:
    """A definition that only other nodes have."""

    @pytest.fixture
    def hidden(self, define):
        """Let this process be one whose code has no "load", until it is given back."""
        define("extract")
        define("load", depends_on="extract")
        definition = registry["load"]
        registry.remove("load")
        return lambda: registry.add(definition)

    @pytest.mark.parametrize("depends_on", [None, "extract"], ids=["by-definition", "by-row"])
    def test_what_depends_on_it_is_left_to_them(self, hidden, depends_on):
        Job.objects.filter(name="load").update(depends_on=depends_on)
        root = run_inline("extract")

        assert sweep().decided == 0
        assert flow_of(root) == {"extract": "succeeded"}

        hidden()
        assert sweep().decided == 1
        assert flow_of(root) == {"extract": "succeeded", "load": "queued"}

    def test_what_this_node_knows_is_not_held_up(self, hidden, make_job):
        make_job("succeeds", name="report", depends_on="extract")
        Job.objects.filter(name="load").update(depends_on="extract")
        root = run_inline("extract")
        sweep()

        assert flow_of(root) == {"extract": "succeeded", "report": "queued"}

    def test_nobody_waits_for_ever(self, hidden):
        Job.objects.filter(name="load").update(depends_on="extract")
        root = run_inline("extract")
        JobExecution.objects.update(followup_due=F("followup_due") - PATIENCE)

        sweep()

        assert flow_of(root) == {"extract": "succeeded", "load": "skipped"}
        assert "No job definition is registered as 'load'" in named(root, "load").reason

    def test_a_definition_that_no_node_knows_costs_nothing(self, hidden):
        Job.objects.filter(name="load").update(broken_reason="No job definition is registered as 'load'.")
        run_inline("extract")

        assert not JobExecution.objects.filter(followup_due__isnull=False).exists()


# A time that SQL lets in and Python cannot hold.
IMPOSSIBLE = {"postgresql": "infinity", "sqlite": "2026-13-45 00:00:00"}.get(connection.vendor)


@pytest.mark.skipif(IMPOSSIBLE is None, reason="MariaDB lets no such time in")
def test_one_that_cannot_be_followed_up_is_put_off_and_does_not_stop_the_others(make_job):
    make_job("succeeds", name="extract")
    make_job("succeeds", name="load", depends_on="extract")
    bad, good = run_inline("extract"), run_inline("extract")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE cronjobs_jobexecution SET scheduled_for = %s WHERE id = %s", [IMPOSSIBLE, bad.pk])

    assert sweep().decided == 1
    assert flow_of(good)["load"] == "queued"
    waiting = JobExecution.objects.filter(followup_due__gt=database_now_plus(timedelta(seconds=50)))
    assert list(waiting.values_list("pk", flat=True)) == [bad.pk]

    JobExecution.objects.filter(pk=bad.pk).update(scheduled_for=NOON, followup_due=DatabaseNow())
    sweep()
    assert flow_of(bad)["load"] == "queued"


def test_what_is_asked_about_flows_goes_through_indexes(make_job):
    if connection.vendor == "mysql":
        pytest.skip("MariaDB's statistics are not those of this transaction")
    make_job("noop", name="extract", overlap="allow")
    make_job("noop", name="load", depends_on="extract")
    root = run_inline("extract")
    columns = ("scheduled_for", "due_at", "run_after", "claim_at", "queued_at")
    times = {each: getattr(root, each) for each in columns}
    JobExecution.objects.bulk_create(
        [JobExecution(job_name="extract", status="succeeded", **times) for _ in range(5_000)], batch_size=500
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE cronjobs_jobexecution")

    with CaptureQueriesContext(connection) as captured:
        assert sweep().decided == 1

    selects = [each["sql"] for each in captured.captured_queries if each["sql"].startswith("SELECT")]
    asked = [sql for sql in selects if "flow" in sql]
    assert len(asked) == 3
    plans = {sql: plans_of(sql) for sql in asked}
    assert not [
        sql for sql, plan in plans.items() if any(reads_whole(each, JobExecution._meta.db_table) for each in plan)
    ]


def test_a_hundred_and_more_endings_are_followed_up_in_one_go(make_job):
    make_job("noop", name="extract", overlap="allow")
    make_job("noop", name="load", depends_on="extract")
    make_job("noop", name="report", depends_on="load")
    Job.objects.filter(name="load").update(enabled=False)
    roots = [run_inline("extract") for _ in range(BATCH + 20)]

    assert sweep().decided == 2 * len(roots)
    assert sweep().decided == 0

    assert JobExecution.objects.filter(job_name="report", status="skipped").count() == len(roots)
