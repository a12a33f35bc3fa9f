"""Who waits, who follows and who is called off is the same, wherever jobs run."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs.database import read_clock
from cronjobs.models import JobExecution
from cronjobs.models.moves import cancel
from cronjobs.models.reruns import retry
from tests.acceptance.test_queues import most_at_once
from tests.commands import run_command
from tests.integration.conftest import flow_rows
from tests.servers import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def all_done():
    return not JobExecution.objects.open().exists()


def starts(job_name):
    """Return the ids of its executions in the order in which they started."""
    rows = JobExecution.objects.filter(job_name=job_name, started_at__isnull=False)
    return list(rows.order_by("started_at").values_list("pk", flat=True))


def wait_for_waiting(executor):
    """Return an execution that has begun to wait until somebody wants it to stop."""
    execution = executor.request("shared-waits")
    wait_for(execution.log_lines.exists)
    return execution


def test_a_running_job_that_is_asked_to_stop_learns_it(executor):
    execution = wait_for_waiting(executor)

    executor.cancel(execution)

    assert executor.until(execution).status == "cancelled"
    assert (execution.reason, execution.result) == ("Ann said so.", {"tidied": True, "stopping": False})


def test_a_waiting_one_that_is_called_off_never_begins(executor):
    executor.job("shared-waits", max_instances=1)
    first, second = executor.request("shared-waits"), executor.request("shared-waits")
    executor.until(first, "running")

    executor.cancel(second)
    assert second.status == "cancelled"
    executor.cancel(first)
    executor.until(first)

    assert executor.perform("shared-says").status == "succeeded"
    assert (executor.until(second).status, second.first_started_at) == ("cancelled", None)


def test_what_depends_on_others_follows_and_sees_their_results(executor):
    executor.job("extract", "adds-up", params={"value": 5})
    executor.job("left", "adds-up", depends_on="extract", params={"value": 1})
    executor.job("right", "adds-up", depends_on="extract", params={"value": 10})
    executor.job("join", "adds-up", depends_on="left, right")
    executor.job("check", "fails", depends_on="left")
    executor.job("report", "succeeds", depends_on="check")

    root = executor.request("extract")
    wait_for(lambda: flow_rows(root).count() == 6 and not flow_rows(root).open().exists())

    found = {each.job_name: each for each in flow_rows(root)}
    values = {name: each.result["value"] for name, each in found.items() if each.result}
    assert values == {"extract": 5, "left": 6, "right": 15, "join": 21}
    assert (found["check"].status, found["report"].status) == ("failed", "skipped")


def test_a_job_that_forbids_overlap_runs_once_at_a_time(executor, spans):
    spans.job(seconds=0.1, queue=executor.site.queue, overlap="forbid")
    asked = [executor.request("spans").pk for _ in range(5)]

    wait_for(all_done)

    assert most_at_once(spans.lines()) == 1
    assert sorted(starts("spans")) == asked


def test_a_job_runs_as_often_at_once_as_it_may(executor, spans):
    spans.job(seconds=0.4, queue=executor.site.queue, max_instances=3)
    for _ in range(9):
        executor.request("spans")

    wait_for(all_done)

    assert 1 < most_at_once(spans.lines()) <= 3
    assert len(starts("spans")) == 9


def test_a_queue_runs_as_much_at_once_as_it_may(executor, spans):
    executor.limit(2)
    spans.job(seconds=0.4, queue=executor.site.queue)
    for _ in range(8):
        executor.request("spans")

    wait_for(all_done)

    assert most_at_once(spans.lines()) == 2
    assert len(starts("spans")) == 8


def test_a_rate_limit_is_kept_exactly(executor):
    executor.job("shared-says", rate_limit="3/1s")
    for _ in range(9):
        executor.request("shared-says")

    wait_for(all_done)

    times = list(JobExecution.objects.order_by("started_at").values_list("started_at", flat=True))
    windows = [later - earlier for earlier, later in zip(times, times[3:], strict=False)]
    assert len(windows) == 6
    assert min(windows) >= timedelta(seconds=1)


def test_a_higher_priority_goes_first(executor):
    if executor.kind == "inline":
        pytest.skip("whoever performs inline says what is next")
    executor.limit(1, paused=True)
    ranks = ("low", "background", "critical", "medium", "high")
    rows = {rank: JobExecution.objects.request("shared-says", priority=rank).pk for rank in ranks}

    run_command("cronqueue", "--resume", executor.site.queue)
    wait_for(all_done)

    assert starts("shared-says") == [rows[rank] for rank in ("critical", "high", "medium", "low", "background")]


def test_nothing_of_a_paused_queue_begins_until_it_is_resumed(executor):
    run_command("cronqueue", "--pause", executor.site.queue)
    held = executor.request("shared-says")
    paused = read_clock("default")
    wait_for(lambda: read_clock("default") > paused + timedelta(seconds=1.5))
    assert executor.until(held, "queued").first_started_at is None

    run_command("cronqueue", "--resume", executor.site.queue)

    assert executor.until(held).status == "succeeded"


def test_what_has_ended_can_be_run_again(executor):
    original = executor.perform("shared-says", value=3)

    again, is_new = retry(original.pk, requested_by="ann")
    executor.until(again)

    assert (is_new, again.trigger, again.retry_of_id) == (True, "retry", original.pk)
    assert (again.status, again.result["value"]) == ("succeeded", 3)
    assert executor.workers.fullmatch(again.node)


def test_what_has_ended_long_ago_is_deleted_with_its_lines(executor):
    old, new = executor.perform("shared-says"), executor.perform("shared-says")
    long_ago = old.finished_at - timedelta(days=400)
    JobExecution.objects.filter(pk=old.pk).update(scheduled_for=long_ago, finished_at=long_ago)

    assert run_command("purge_executions").code == 0

    assert not JobExecution.objects.filter(pk=old.pk).exists()
    assert not old.log_lines.exists()
    assert new.log_lines.count() == 5


def test_many_executions_are_each_performed_once(executor, spans):
    spans.job(seconds=0.0, queue=executor.site.queue)
    asked = [executor.request("spans").pk for _ in range(60)]

    wait_for(all_done)

    assert sorted(int(pk) for what, pk, _ in spans.lines() if what == "begin") == asked
    rows = JobExecution.objects.filter(job_name="spans")
    assert set(rows.values_list("status", "attempt")) == {("succeeded", 1)}
    if executor.is_celery:
        # Neither of the two workers did it alone.
        assert len(set(rows.values_list("node", flat=True))) == 2


def test_asking_twice_makes_no_difference(executor):
    execution = wait_for_waiting(executor)

    first = cancel(JobExecution.objects.filter(pk=execution.pk), reason="Ann said so.")
    second = cancel(JobExecution.objects.filter(pk=execution.pk), reason="Bob too.")

    assert (first.asked, second.asked, second.asked_before) == ({execution.pk}, set(), {execution.pk})
    assert executor.until(execution).reason == "Ann said so."
