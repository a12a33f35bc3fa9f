"""Due times that the last look saw coming: written without another look, and heeding what has changed since."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs.database import SteadyClock, read_clock
from cronjobs.models import Job, JobExecution, Queue
from cronjobs.models.queue import EVERYTHING
from cronjobs.scheduler.clock import Clock
from cronjobs.scheduler.clock_rows import own_rows
from cronjobs.scheduler.looks import Look
from tests.integration.conftest import rows_of
from tests.servers import wait_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(make_job):
    Job.objects.all().delete()
    return make_job("noop", schedule="* * * * * *")


class OneClock:
    """A clock that is told when to go on, and when it does."""

    def __init__(self):
        self.woken = []
        self.looks: list[Look] = []
        self.clock = Clock(time=SteadyClock(), on_work=self.woken_now, on_look=self.looks.append)

    def woken_now(self):
        self.woken.append(JobExecution.objects.count())

    def look(self):
        return self.clock.tick_once()

    def wait_until_due(self):
        due = self.looks[-1].next_due
        wait_for(lambda: min(read_clock("default"), self.clock._time.now()) >= due)


@pytest.fixture
def clock(job):
    clock = OneClock()
    clock.look()
    return clock


def test_it_is_written_before_anything_else_is_asked(clock, job):
    due = clock.looks[-1].next_due
    clock.wait_until_due()

    with CaptureQueriesContext(connection) as queries:
        clock.look()

    statements = [each["sql"] for each in queries]
    written = next(i for i, sql in enumerate(statements) if sql.startswith("INSERT INTO") and "jobexecution" in sql)
    looked = next(i for i, sql in enumerate(statements) if "cronjobs_node" in sql)
    assert written < looked
    assert ("schedule", "queued", due) in rows_of(job)
    # What has to be performed was told of as soon as it was there.
    assert clock.woken[-1] >= 1


def test_a_pause_since_then_is_heeded(clock, job):
    before = rows_of(job)
    clock.wait_until_due()
    Queue.objects.update_or_create(name=EVERYTHING, defaults={"paused": True})
    now = read_clock("default")

    clock.look()

    assert rows_of(job) == before
    assert own_rows().get(id=f"cronjobs:{job.pk}").next_run_time > now


@pytest.mark.parametrize("change", [{"enabled": False}, {"paused": True}, {"schedule": "0 0 1 1 *"}], ids=str)
def test_an_edit_since_then_is_heeded(clock, job, change):
    before = rows_of(job)
    clock.wait_until_due()
    Job.objects.filter(pk=job.pk).update(**change)

    clock.look()

    assert rows_of(job) == before


def test_what_is_not_due_yet_by_the_databases_clock_waits_for_it(clock, job):
    before = rows_of(job)
    # The node's reckoning is ahead of the database, as after a clock was set back.
    clock.clock._time.set(clock.looks[-1].next_due.replace(year=2200))
    own_rows().update(next_run_time=clock.looks[-1].next_due.replace(year=2190))

    clock.look()

    assert rows_of(job) == before


@pytest.mark.parametrize("catch_up", ["all", "latest"])
@pytest.mark.parametrize("is_foreseen", [True, False])
def test_an_edit_makes_nothing_due_before_it(job, catch_up, is_foreseen):
    clock = Clock(time=SteadyClock())
    Job.objects.filter(pk=job.pk).update(schedule="0 0 1 1 *")
    clock.tick_once()
    # The thread stood still, as of a machine that was frozen.
    due = read_clock("default").replace(microsecond=0) - timedelta(seconds=20)
    own_rows().update(next_run_time=due)
    clock._foreseen = due if is_foreseen else None
    before = set(rows_of(job))
    edited_at = read_clock("default")
    Job.objects.filter(pk=job.pk).update(schedule="*/2 * * * * *", catch_up=catch_up)

    clock.tick_once()

    assert [at for _, _, at in set(rows_of(job)) - before if at < edited_at - timedelta(seconds=1)] == []
