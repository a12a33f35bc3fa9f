"""What executions come to: failing and recovered, lost, missed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from cronjobs.alerting.looks import look_around
from cronjobs.database import read_clock
from cronjobs.executors.inline import run_inline
from cronjobs.models import Alert, AlertNotice, AlertState, Job, JobExecution
from cronjobs.models.moves import Ending, abandon, claim, record, rescue
from cronjobs.scheduler.clock_rows import clock_id, own_rows
from cronjobs.scheduler.plans import sync
from cronjobs.scheduler.ticks import tick
from cronjobs.states import ExecutionStatus
from tests.integration.alerts.conftest import firing, told

pytestmark = pytest.mark.django_db


def run(*definitions: str, name: str = "backup") -> None:
    for definition in definitions:
        Job.objects.filter(name=name).update(definition=definition)
        run_inline(name)


@pytest.fixture
def backup(make_job):
    """A job whose function a test changes as it likes."""
    return make_job("succeeds", name="backup", owner="ann", runbook_url="https://wiki.example.com/backup")


def claimed(make_job, **columns):
    make_job("noop", name="backup", **columns)
    JobExecution.objects.request("backup")
    ((execution, _),) = claim(node="web-1", limit=1, now=read_clock("default")).executions
    return execution


def fall_silent():
    JobExecution.objects.running().update(lease_expires_at=read_clock("default") - timedelta(seconds=1))


def test_a_failure_is_told_once_and_so_is_the_recovery(backup, look):
    run("succeeds", "fails")
    assert look() == ["failing backup"]
    assert firing() == ["failing backup"]

    run("fails", "fails")
    assert look() == ["failing backup"]

    run("succeeds")
    assert look() == ["failing backup", "failing backup over"]
    assert firing() == []
    assert look() == ["failing backup", "failing backup over"]


def test_attempts_within_an_execution_are_no_failures(backup, look):
    Job.objects.update(max_attempts=3)

    run("fails-twice")

    assert (look(), AlertNotice.objects.count()) == ([], 0)


def test_a_success_between_two_failures_gives_both_messages_in_order(backup, look):
    run("fails", "succeeds", "fails")

    assert look() == ["failing backup", "failing backup over", "failing backup"]


def test_a_message_has_the_facts_of_its_moment(backup, look, settings):
    settings.CRONJOBS = {"ALERTS": {"LOG_LINES": 2}}
    Job.objects.filter(pk=backup.pk).update(definition="fails", description="Copies things.")
    execution = run_inline("backup")
    log = execution.log_lines.model.objects
    for number in range(1, 4):
        log.create(
            execution=execution, attempt=1, number=number + 100, level=20, message=f"password=hunter{number}",
            logged_at=execution.finished_at,
        )  # fmt: skip

    look()

    alert = Alert.objects.get()
    assert (alert.execution_id, alert.job_name) == (execution.pk, "backup")
    assert alert.facts["error_type"].endswith("RuntimeError")
    assert (alert.facts["error_message"], alert.facts["attempt"], alert.facts["status"]) == ("boom", 1, "failed")
    assert (alert.facts["owner"], alert.facts["description"]) == ("ann", "Copies things.")
    assert alert.facts["runbook_url"] == "https://wiki.example.com/backup"
    assert alert.facts["details"] == "The last execution has failed."
    assert [line["message"] for line in alert.facts["log_lines"]] == ["password=***", "password=***"]
    assert alert.facts["log_lines"][0]["level"] == "INFO"


def test_three_have_to_fail_where_the_job_says_so(backup, look):
    Job.objects.update(alert_after=3)

    run("fails", "fails")
    assert look() == []
    run("fails")

    assert look() == ["failing backup"]
    assert Alert.objects.get().facts["details"] == "The last 3 executions have failed."


def test_a_time_out_counts_as_a_failure(make_job, look):
    execution = claimed(make_job)
    record([], [_timed_out(execution)])

    assert look() == ["failing backup"]


def test_an_ending_that_is_recorded_again_is_told_once(make_job, look):
    execution = claimed(make_job)
    ending = _timed_out(execution)
    record([], [ending])
    look()

    assert record([], [ending]) == set()
    assert AlertNotice.objects.count() == 1

    assert look() == ["failing backup"]
    assert AlertNotice.objects.count() == 0


def _timed_out(execution):
    now = read_clock("default")
    status = ExecutionStatus.TIMED_OUT
    return Ending(
        execution=execution, outcome=status, status=status, finished_at=now - timedelta(hours=3), duration_ms=1,
        run_after=execution.run_after, claim_at=execution.claim_at,
    )  # fmt: skip


@pytest.mark.parametrize("rerun_lost", [True, False])
def test_what_a_silent_node_had_is_lost_whether_it_is_tried_again_or_not(make_job, look, rerun_lost):
    claimed(make_job, rerun_lost=rerun_lost)
    fall_silent()
    rescue()

    assert look() == ["lost backup"]
    assert Alert.objects.get().facts["details"] == "Its node, web-1, fell silent."

    run("succeeds")
    assert look() == ["lost backup"]
    assert firing() == []


def test_what_its_own_node_gives_up_is_lost(make_job, look):
    abandon([claimed(make_job)], reason="The node stopped.")

    assert look() == ["lost backup"]


def test_due_times_that_nobody_served_are_missed(make_job, look):
    job = make_job("noop", name="backup", schedule="* * * * *", misfire_grace=timedelta(0))
    now = read_clock("default")
    sync(now)
    own_rows().filter(id=clock_id(job.pk)).update(next_run_time=now - timedelta(hours=1))

    tick(now)

    assert look() == ["missed backup"]
    assert "passed while no node was there" in Alert.objects.get().facts["details"]
    assert look() == ["missed backup"]


def test_a_rolled_back_ending_gives_no_notice(make_job, look):
    execution = claimed(make_job)
    with transaction.atomic():
        abandon([execution], reason="The node stopped.")
        transaction.set_rollback(True)

    assert (AlertNotice.objects.count(), look()) == (0, [])


@pytest.mark.parametrize("end", [{"enabled": False}, {"alert_on": "none"}, {"alert_on": "lost"}])
def test_a_job_that_is_switched_off_while_it_fails_ends_in_silence(backup, look, end):
    run("fails")
    look()

    Job.objects.update(**end)

    assert look() == ["failing backup"]
    assert firing() == []


def test_a_job_that_is_deleted_while_it_fails_ends_in_silence(backup, look):
    run("fails")
    look()
    Job.objects.filter(pk=backup.pk).delete()
    AlertNotice.objects.create(job_id=backup.pk, job_name="backup", what="failed", at=read_clock("default"))

    assert look() == ["failing backup"]
    assert (firing(), AlertNotice.objects.count()) == ([], 0)


def test_a_job_whose_row_says_nonsense_is_still_told_of(backup, look):
    Job.objects.update(alert_on="falling, apart", alert_after=2**15 - 1, ping_url="nowhere")
    run("fails")

    assert look() == ["failing backup"]


def test_a_success_is_not_put_down(backup, look):
    run("succeeds")

    assert (AlertNotice.objects.count(), AlertState.objects.count(), look()) == (0, 0, [])


@pytest.mark.parametrize("count", [2, 60])
def test_a_look_reads_in_as_many_statements_for_many_jobs_as_for_two(make_job, count):
    for number in range(count):
        make_job("fails", name=f"job-{number}")
        run_inline(f"job-{number}")
    Job.objects.update(alert_after=2)

    with CaptureQueriesContext(connection) as captured:
        look_around(read_clock("default"))

    reads = [each["sql"] for each in captured if each["sql"].startswith(("SELECT", "(SELECT"))]
    assert len(reads) <= 12
    assert told() == []
