"""At most so many starts within a period, counted over nodes and attempts."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from cronjobs.database import read_clock
from cronjobs.exceptions import AtLimit
from cronjobs.models import ExecutionAttempt, JobExecution
from cronjobs.models.moves import Ending, claim, claim_one, record, rescue
from cronjobs.states import ExecutionStatus

pytestmark = pytest.mark.django_db


def claimed(limit=10, node="a"):
    return [each for each, _ in claim(node=node, limit=limit, now=read_clock("default")).executions]


def request(count, name="noop"):
    return [JobExecution.objects.request(name) for _ in range(count)]


def shift(*executions, seconds):
    """Let starts lie further in the past."""
    for each in executions:
        each.refresh_from_db()
        started = each.started_at - timedelta(seconds=seconds)
        JobExecution.objects.filter(pk=each.pk).update(started_at=started)
        for attempt in ExecutionAttempt.objects.filter(execution=each):
            attempt.started_at -= timedelta(seconds=seconds)
            attempt.save()


def fail(execution):
    """End an attempt so that another follows at once."""
    now = read_clock("default")
    ending = Ending(
        execution=execution,
        outcome=ExecutionStatus.FAILED,
        status=ExecutionStatus.QUEUED,
        finished_at=now,
        duration_ms=1,
        run_after=now,
        claim_at=now,
    )
    assert record([], [ending]) == set()


def test_no_more_start_than_the_limit_says_over_all_nodes(make_job):
    make_job("noop", rate_limit="3/m")
    request(5)

    assert len(claimed(limit=2, node="a")) == 2
    assert len(claimed(limit=2, node="b")) == 1
    assert claimed(node="c") == []
    assert JobExecution.objects.waiting().count() == 2


def test_that_an_execution_has_ended_makes_no_difference(make_job):
    make_job("noop", rate_limit="1/m")
    request(2)
    (first,) = claimed()

    JobExecution.objects.filter(pk=first.pk).update(status="succeeded")

    assert claimed() == []


def test_the_window_slides(make_job):
    make_job("noop", rate_limit="2/m")
    request(4)
    first, second = claimed()

    shift(first, seconds=59)
    assert claimed() == []
    shift(first, seconds=1)
    assert len(claimed()) == 1
    assert claimed() == []
    shift(second, seconds=60)
    assert len(claimed()) == 1


@pytest.mark.parametrize("how", ["fails", "is lost"])
def test_every_attempt_counts_once(make_job, how):
    make_job("noop", rate_limit="3/m", max_attempts=9, rerun_lost=True)
    request(1)
    starts = []

    while executions := claimed():
        starts += executions
        if how == "fails":
            fail(executions[0])
        else:
            past = read_clock("default") - timedelta(seconds=1)
            JobExecution.objects.filter(pk=executions[0].pk).update(lease_expires_at=past)
            rescue()

    assert len(starts) == 3
    # Once the first of the three is out of the window, one more may start: no attempt was counted twice.
    oldest = ExecutionAttempt.objects.order_by("attempt").first()
    oldest.started_at -= timedelta(seconds=60)
    oldest.save()
    assert len(claimed()) == 1
    assert claimed() == []


def test_starts_of_other_jobs_do_not_count(make_job):
    make_job("noop", rate_limit="1/m")
    make_job("noop", name="other", rate_limit="2/h")
    request(2), request(3, "other")

    assert sorted(each.job_name for each in claimed()) == ["noop", "other", "other"]


def test_a_rate_limit_holds_within_the_number_at_once(make_job):
    make_job("noop", rate_limit="5/m", max_instances=2)
    request(9)

    taken = []
    while rows := claimed():
        taken.append(len(rows))
        JobExecution.objects.filter(pk__in=[each.pk for each in rows]).update(status="succeeded")

    assert taken == [2, 2, 1]


def test_what_has_to_wait_holds_back_no_other_job(make_job):
    make_job("noop", rate_limit="1/h")
    make_job("noop", name="other")
    request(30)
    others = request(3, "other")

    assert {each.pk for each in others} < {each.pk for each in claimed(limit=4)}


def test_starts_have_the_database_s_time_and_not_the_node_s(make_job):
    make_job("noop", rate_limit="1/m")
    request(1)
    late = read_clock("default") + timedelta(seconds=30)

    ((execution, _),) = claim(node="a", limit=1, now=late).executions

    execution.refresh_from_db()
    assert execution.started_at <= read_clock("default")


def test_one_execution_is_refused_with_the_reason(make_job):
    make_job("noop", rate_limit="1/h")
    (first, second), now = request(2), read_clock("default")
    claim_one(first, node="a", now=now, within_limits=True)

    with pytest.raises(AtLimit, match="has started as often as its rate limit, 1/h, allows"):
        claim_one(second, node="a", now=now, within_limits=True)

    # Somebody who insists is not held back, but counts.
    claim_one(second, node="a", now=now)
    shift(first, seconds=3600)
    request(1)
    assert claimed() == []


def test_a_long_period_and_a_job_that_is_never_due_together(make_job):
    make_job("noop", rate_limit="1/366d")
    request(1)
    (first,) = claimed()
    shift(first, seconds=365 * 86_400)
    request(1)

    assert claimed() == []


@pytest.mark.django_db(transaction=True)
def test_threads_that_claim_at_once_never_exceed_the_limit(make_job):
    make_job("noop", rate_limit="4/h")
    request(30)
    taken, errors, barrier = [], [], threading.Barrier(4)

    def work(node):
        try:
            barrier.wait()
            for _ in range(5):
                taken.extend(each.pk for each in claimed(limit=3, node=node))
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(f"n{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(taken) <= 4
    assert len([*taken, *claimed()]) == 4
    assert claimed() == []
