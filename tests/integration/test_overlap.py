"""What happens to a due time while an earlier execution is still open."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs.database import read_clock
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import Cancellation, cancel, claim, record
from cronjobs.runner import Claim, perform
from cronjobs.scheduler.plans import sync
from cronjobs.scheduler.ticks import tick
from tests.integration.conftest import NOON, rows_of

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _nothing_else_scheduled(db):
    Job.objects.all().delete()


@pytest.fixture
def minutely(make_job):
    def make(**columns):
        job = make_job("succeeds", schedule="* * * * *", **columns)
        sync(NOON)
        return job

    return make


def claimed(limit=10):
    return claim(node="a", limit=limit, now=read_clock("default")).executions


def finish(execution, job):
    record([], [perform(Claim.of(execution, job), now=lambda: read_clock("default"))])


def statuses(job):
    return [status for _, status, _ in rows_of(job)]


def test_forbid_skips_while_another_is_open_and_goes_on_afterwards(minutely):
    job = minutely()
    tick(NOON + MINUTE)
    tick(NOON + 2 * MINUTE)
    finish(*claimed()[0])

    tick(NOON + 3 * MINUTE)

    assert statuses(job) == ["succeeded", "skipped", "queued"]


def test_runs_asked_for_by_hand_wait_instead(minutely):
    job = minutely()
    tick(NOON + MINUTE)
    claimed()

    JobExecution.objects.request("succeeds")

    assert claimed() == []
    assert sorted(statuses(job)) == ["queued", "running"]


def test_allow_runs_side_by_side_up_to_the_limit_and_skips_beyond(minutely):
    job = minutely(overlap="allow", max_instances=2)

    for number in (1, 2, 3):
        tick(NOON + number * MINUTE)

    assert statuses(job) == ["queued", "queued", "skipped"]
    assert "2 executions were still open" in JobExecution.objects.get(status="skipped").reason
    assert len(claimed()) == 2


def test_queue_lets_one_wait(minutely):
    job = minutely(overlap="queue")
    tick(NOON + MINUTE)
    claimed()

    tick(NOON + 2 * MINUTE)
    tick(NOON + 3 * MINUTE)

    assert statuses(job) == ["running", "queued", "skipped"]
    assert claimed() == []


def test_replace_cancels_what_waits_and_asks_what_runs_to_stop(minutely):
    job = minutely(overlap="replace")
    tick(NOON + MINUTE)
    (running, _), *_ = claimed()

    tick(NOON + 2 * MINUTE)
    tick(NOON + 3 * MINUTE)

    assert statuses(job) == ["running", "cancelled", "queued"]
    running.refresh_from_db()
    assert running.cancel_requested_at is not None
    assert "Replaced by the execution due at 2026-01-15T12:02:00Z" in running.cancel_reason
    # The new one waits until the old one has really ended.
    assert claimed() == []


def test_what_runs_ends_as_cancelled_whatever_it_came_to(minutely):
    minutely()
    tick(NOON + MINUTE)
    (execution, job), *_ = claimed()
    held = Claim.of(execution, job)
    execution.cancel_reason = "Ann said so."
    held.stop_requested.set()

    record([], [perform(held, now=lambda: read_clock("default"))])

    execution.refresh_from_db()
    assert (execution.status, execution.reason, execution.result) == ("cancelled", "Ann said so.", {"value": 1})


def test_cancelling_counts_the_open_ones_only(minutely):
    minutely(overlap="allow")
    for number in (1, 2, 3):
        tick(NOON + number * MINUTE)
    finish(*claimed(limit=1)[0])
    claimed(limit=1)

    found = cancel(JobExecution.objects.all(), reason="enough")
    assert (len(found.cancelled), len(found.asked), len(found.asked_before)) == (1, 1, 0)
    # Asking again changes nothing, and says so.
    assert cancel(JobExecution.objects.all(), reason="again") == Cancellation(asked_before=found.asked)
    assert JobExecution.objects.asked_to_stop().get().cancel_reason == "enough"


def test_what_an_outage_left_behind_runs_one_after_another_oldest_first(make_job):
    job = make_job("noop", schedule="* * * * *", catch_up="all")
    sync(NOON)
    tick(NOON + timedelta(minutes=4, seconds=30))
    assert statuses(job) == ["queued"] * 4

    order = []
    for _ in range(4):
        ((execution, claimed_job),) = claimed()
        assert claimed() == []
        order.append(execution.scheduled_for)
        finish(execution, claimed_job)

    assert order == [NOON + number * MINUTE for number in (1, 2, 3, 4)]
    assert set(JobExecution.objects.values_list("trigger", flat=True)) == {"catch_up"}


def test_rows_of_a_full_job_do_not_hold_back_the_queue(minutely, make_job):
    minutely()
    make_job("noop")
    for _ in range(30):
        JobExecution.objects.request("succeeds", priority="critical")
    other = JobExecution.objects.request("noop", priority="background")

    names = [execution.job_name for execution, _ in claimed(limit=4)]

    assert names == ["succeeds", "noop"]
    other.refresh_from_db()
    assert other.status == "running"


def test_replace_leaves_alone_what_is_not_the_schedules(minutely):
    job = minutely(overlap="replace")
    by_hand = JobExecution.objects.request("succeeds")
    tick(NOON + MINUTE)
    tick(NOON + 2 * MINUTE)

    by_hand.refresh_from_db()
    assert by_hand.status == "queued"
    assert sorted(statuses(job)) == ["cancelled", "queued", "queued"]


def test_due_times_of_one_late_tick_do_not_pile_up(make_job):
    job = make_job("succeeds", schedule="* * * * * *")
    sync(NOON)

    tick(NOON + timedelta(seconds=3))

    assert statuses(job) == ["queued", "skipped", "skipped"]
    assert JobExecution.objects.filter(status="skipped").first().reason == "One of the same moment goes first."
