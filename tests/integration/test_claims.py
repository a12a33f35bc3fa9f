"""Who may work on what, and what becomes of a claim."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from cronjobs.conf import get_settings
from cronjobs.database import read_clock
from cronjobs.exceptions import ClaimLost, IllegalMove
from cronjobs.models import ExecutionAttempt, ExecutionLog, JobExecution
from cronjobs.models.moves import Ending, abandon, cancel, claim, claim_one, record, renew, rescue
from cronjobs.runner import Claim
from cronjobs.states import ExecutionStatus

pytestmark = pytest.mark.django_db


def claimed(limit=10, node="a", **options):
    claims = claim(node=node, limit=limit, now=read_clock("default"), **options)
    return [execution for execution, _ in claims.executions]


def request(name="succeeds", **options):
    return JobExecution.objects.request(name, **options)


def succeeded(execution, **changes):
    now = read_clock("default")
    values = {
        "outcome": ExecutionStatus.SUCCEEDED,
        "status": ExecutionStatus.SUCCEEDED,
        "finished_at": now,
        "duration_ms": 5,
        "run_after": execution.run_after,
        "claim_at": execution.claim_at,
        **changes,
    }
    return Ending(execution=execution, **values)


def expire(execution):
    past = read_clock("default") - timedelta(seconds=1)
    JobExecution.objects.filter(pk=execution.pk).update(lease_expires_at=past)


def test_a_claimed_execution_is_not_claimed_twice(make_job):
    make_job("noop")
    wanted = request("noop")

    (first,) = claimed()

    assert first.pk == wanted.pk
    assert claimed(node="b") == []
    first.refresh_from_db()
    assert (first.status, first.node, first.attempt) == ("running", "a", 1)
    assert first.lease_expires_at > read_clock("default") + get_settings().lease - timedelta(seconds=5)
    assert first.first_started_at == first.started_at


def test_what_is_due_later_is_not_claimed(make_job):
    make_job("noop")
    request("noop", run_after=read_clock("default") + timedelta(minutes=5))

    assert claimed() == []


def test_a_higher_priority_goes_first_and_waiting_makes_up_for_a_lower_one(make_job):
    make_job("noop")
    now = read_clock("default")
    low = request("noop", priority="low", run_after=now - timedelta(seconds=30))
    critical = request("noop", priority="critical", run_after=now - timedelta(seconds=10))
    aged = request("noop", priority="background", run_after=now - timedelta(minutes=10))

    assert [each.pk for each in claimed()] == [aged.pk, critical.pk, low.pk]


def test_a_job_that_forbids_overlap_runs_one_at_a_time(make_job):
    make_job("succeeds")
    first, second = request(), request()

    (running,) = claimed()
    assert running.pk == first.pk
    assert claimed(node="b") == []

    record([], [succeeded(running)])
    assert [each.pk for each in claimed(node="b")] == [second.pk]


def test_a_limit_counts_over_all_nodes(make_job):
    make_job("noop", max_instances=2)
    for _ in range(3):
        request("noop")

    assert len(claimed(limit=1, node="a")) == 1
    assert len(claimed(limit=5, node="b")) == 1
    assert claimed(limit=5, node="c") == []


def test_a_job_at_its_limit_does_not_hold_back_others(make_job):
    make_job("succeeds")
    make_job("noop")
    request(), request()
    other = request("noop")

    assert other.pk in [each.pk for each in claimed()]


def test_queues_are_claimed_apart(make_job):
    make_job("noop", queue="heavy")
    request("noop")

    assert claimed(queues=["default"]) == []
    assert len(claimed(queues=["heavy"])) == 1


def test_claiming_one_execution_that_is_taken_says_so(make_job):
    make_job("noop")
    wanted = request("noop")
    claim_one(wanted, node="a", now=read_clock("default"))

    with pytest.raises(ClaimLost):
        claim_one(wanted, node="b", now=read_clock("default"))


def test_an_ending_is_recorded_once_and_repeating_it_is_success(make_job):
    make_job("noop")
    request("noop")
    (execution,) = claimed()
    ending = succeeded(execution, result={"n": 1})

    assert record([], [ending]) == set()
    assert record([], [ending]) == set()

    execution.refresh_from_db()
    assert (execution.status, execution.result, execution.duration_ms) == ("succeeded", {"n": 1}, 5)
    assert execution.lease_expires_at is None


def test_a_stale_finisher_changes_nothing(make_job):
    make_job("noop", rerun_lost=True)
    request("noop")
    (stale,) = claimed(node="a")
    expire(stale)
    rescue()
    (fresh,) = claimed(node="b")

    assert record([], [succeeded(stale)]) == {stale.pk}

    fresh.refresh_from_db()
    assert (fresh.status, fresh.node) == ("running", "b")


def test_many_endings_of_every_kind_go_in_one_statement_each_to_its_row(make_job, django_assert_max_num_queries):
    make_job("noop")
    for _ in range(4):
        request("noop")
    ok, failed, again, skipped = claimed()
    later = read_clock("default") + timedelta(minutes=1)
    failure = {
        "outcome": ExecutionStatus.FAILED,
        "error_type": "ValueError",
        "error_message": "ü\n'\"%s",
        "traceback": "…",
    }
    endings = [
        succeeded(ok, result=[1, None, "x"]),
        succeeded(failed, status=ExecutionStatus.FAILED, **failure),
        succeeded(again, status=ExecutionStatus.QUEUED, run_after=later, claim_at=later, **failure),
        succeeded(skipped, outcome=ExecutionStatus.SKIPPED, status=ExecutionStatus.SKIPPED, reason="nothing to do"),
    ]

    # Savepoint and release, the endings, the attempts, what was asked to stop, what depends on them, the notices.
    with django_assert_max_num_queries(7):
        assert record([], endings) == set()

    rows = JobExecution.objects.in_bulk([each.pk for each in (ok, failed, again, skipped)])
    assert rows[ok.pk].result == [1, None, "x"]
    assert (rows[failed.pk].status, rows[failed.pk].error_message) == ("failed", "ü\n'\"%s")
    assert (rows[again.pk].status, rows[again.pk].run_after, rows[again.pk].finished_at) == ("queued", later, None)
    assert (rows[skipped.pk].status, rows[skipped.pk].reason) == ("skipped", "nothing to do")
    attempts = ExecutionAttempt.objects.order_by("execution_id")
    assert list(attempts.values_list("execution_id", "attempt", "status", "node")) == [
        (failed.pk, 1, "failed", "a"),
        (again.pk, 1, "failed", "a"),
    ]


def test_an_ending_that_the_lifecycle_does_not_know_is_refused(make_job):
    make_job("noop")
    execution = request("noop")

    with pytest.raises(IllegalMove):
        succeeded(execution, status=ExecutionStatus.MISSED)


def test_log_lines_written_twice_are_there_once(make_job):
    make_job("noop")
    request("noop")
    (execution,) = claimed()
    held = Claim.of(execution, None)
    held.log.add(20, "one", {"n": 1})
    held.log.add(30, "two\x00")
    lines = held.log.take()

    record(lines, [])
    record(lines, [])

    rows = ExecutionLog.objects.filter(execution=execution)
    assert list(rows.values_list("number", "level", "message", "data")) == [
        (1, 20, "one", {"n": 1}),
        (2, 30, "two\ufffd", None),
    ]


def test_renewal_extends_what_is_held_and_names_what_was_lost(make_job):
    make_job("noop", rerun_lost=True)
    request("noop"), request("noop")
    kept, lost = claimed()
    expire(kept), expire(lost)
    JobExecution.objects.filter(pk=lost.pk).update(claim_token="somebody else's")

    assert renew([kept, lost]) == [lost]
    assert renew([]) == []

    kept.refresh_from_db()
    assert kept.lease_expires_at > read_clock("default")
    assert [each.pk for each in rescue()] == [lost.pk]


def test_a_live_lease_is_not_rescued(make_job):
    make_job("noop")
    request("noop")
    claimed()

    assert rescue() == []


def test_lost_work_is_recorded_and_its_job_not_blocked(make_job):
    make_job("succeeds")
    request()
    (execution,) = claimed()
    expire(execution)

    (lost,) = rescue()

    lost.refresh_from_db()
    assert (lost.status, lost.lease_expires_at, lost.claim_token) == ("lost", None, "")
    assert lost.finished_at is not None
    assert "fell silent" in lost.reason
    assert list(lost.attempts.values_list("attempt", "status", "node")) == [(1, "lost", "a")]
    request()
    assert len(claimed()) == 1


def test_lost_work_is_tried_again_only_as_often_as_allowed(make_job, settings):
    settings.CRONJOBS = {"MAX_LOST": 2}
    make_job("noop", rerun_lost=True)
    request("noop")

    states = []
    while execution := next(iter(claimed()), None):
        expire(execution)
        states += [each.status for each in rescue()]

    assert states == ["queued", "queued", "lost"]
    assert ExecutionAttempt.objects.filter(status="lost").count() == 3


def test_giving_up_closes_only_what_is_still_held(make_job):
    make_job("noop")
    request("noop"), request("noop")
    finished, held = claimed()
    record([], [succeeded(finished)])

    given_up = abandon([finished, held], reason="The node stopped.")

    assert [(each.pk, each.status) for each in given_up] == [(held.pk, "lost")]


@pytest.mark.django_db(transaction=True)
def test_many_threads_claim_each_execution_once(make_job):
    make_job("noop")
    for _ in range(60):
        request("noop")
    taken, errors, barrier = [], [], threading.Barrier(5)

    def work(node):
        try:
            barrier.wait()
            while rows := claimed(limit=7, node=node):
                taken.extend(each.pk for each in rows)
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(f"n{number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    # A round that found only locked rows ends early; what is left is claimed by the next.
    taken.extend(each.pk for each in claimed(limit=60))
    assert sorted(taken) == sorted(JobExecution.objects.values_list("pk", flat=True))


def test_what_ended_in_this_moment_was_not_lost(make_job):
    make_job("noop")
    request("noop")
    (execution,) = claimed()
    record([], [succeeded(execution)])

    assert renew([execution]) == []


@pytest.mark.parametrize("way", ["fails", "is lost"])
def test_what_was_asked_to_stop_is_not_tried_again(make_job, way):
    make_job("noop", rerun_lost=True)
    wanted = request("noop")
    (execution,) = claimed()
    cancel(JobExecution.objects.filter(pk=wanted.pk), reason="Ann said so.")

    if way == "fails":
        failure = {"outcome": ExecutionStatus.FAILED, "status": ExecutionStatus.QUEUED}
        record([], [succeeded(execution, **failure)])
    else:
        expire(execution)
        rescue()

    wanted.refresh_from_db()
    assert wanted.status == ("cancelled" if way == "fails" else "lost")
    assert claimed() == []
