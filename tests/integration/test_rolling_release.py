"""Two versions of the code on one database: what one does not know, the other does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import override_settings

from cronjobs.database import read_clock
from cronjobs.models import Job, JobExecution, Node
from cronjobs.models.moves import claim
from cronjobs.registry import registry
from cronjobs.scheduler.plans import mend, reconcile, sync
from cronjobs.scheduler.ticks import tick
from tests.integration.conftest import NOON, rows_of

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def without():
    """Let this process be one whose code has no such definition, until it is given back."""
    hidden = {}

    def hide(name):
        hidden[name] = registry[name]
        registry.remove(name)

    def give_back():
        for definition in hidden.values():
            registry.add(definition)
        hidden.clear()

    hide.give_back = give_back
    yield hide
    give_back()


@pytest.mark.parametrize("heal", [mend, reconcile], ids=["a-look", "a-start"])
def test_a_due_time_that_old_code_met_is_decided_by_new_code(make_job, without, heal):
    Job.objects.all().delete()
    job = make_job("noop", schedule="*/10 * * * *")
    sync(NOON)
    without("noop")
    tick(NOON + 10 * MINUTE)
    job.refresh_from_db()
    assert "'noop'" in job.broken_reason
    assert rows_of(job) == []

    without.give_back()
    assert job.why_broken() == "A node runs older code without this definition: restart it."
    heal(NOON + 11 * MINUTE)
    tick(NOON + 11 * MINUTE)

    job.refresh_from_db()
    assert job.broken_reason == ""
    assert rows_of(job) == [("catch_up", "queued", NOON + 10 * MINUTE)]


def test_an_execution_waits_for_a_node_that_has_its_definition(make_job, without):
    make_job("noop")
    make_job("succeeds")
    execution, other = JobExecution.objects.request("noop"), JobExecution.objects.request("succeeds")
    without("noop")

    taken = claim(node="old", limit=1, now=read_clock("default"))
    assert [each.pk for each, _ in taken.executions] == [other.pk]
    assert claim(node="old", limit=10, now=read_clock("default")).executions == []

    without.give_back()
    taken = claim(node="new", limit=10, now=read_clock("default"))
    assert [each.pk for each, _ in taken.executions] == [execution.pk]


def test_the_engine_reads_where_it_writes():
    with override_settings(DATABASE_ROUTERS=["tests.app.routers.ReadFromReplica"]):
        assert {model.objects.all().db for model in (Job, JobExecution, Node)} == {"default"}
