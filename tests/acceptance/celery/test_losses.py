"""Workers that are killed leave lost executions, not silent ones; those that stop finish what they have begun."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import psutil
import pytest

from cronjobs.models import CeleryWorker, Job, JobExecution
from cronjobs.models.choices import WaitsFor
from cronjobs.models.moves import cancel
from tests.acceptance.conftest import status_of
from tests.servers import is_gone, wait_for
from tests.sites import worker_of

pytestmark = [pytest.mark.slow, pytest.mark.celery, pytest.mark.django_db(transaction=True)]


def begun(execution, *, attempt=1):
    """Return the process in which that attempt waits."""
    line = wait_for(lambda: execution.log_lines.filter(attempt=attempt, message="Waiting").first())
    return line.data["pid"]


def attempts(execution):
    return list(execution.attempts.values_list("attempt", "status"))


def kill_all_of(worker):
    """Let a worker and all its processes die at once, as with their machine."""
    os.killpg(worker.process.pid, signal.SIGKILL)
    worker.process.wait()


def test_a_process_of_a_worker_that_is_killed_leaves_a_lost_execution(site):
    site.start_node()
    worker = site.start_worker(concurrency=1)
    execution = JobExecution.objects.request("shared-waits")

    os.kill(begun(execution), signal.SIGKILL)

    wait_for(lambda: status_of(execution) == "lost")
    assert "fell silent" in execution.reason
    assert execution.node == worker_of(worker).name
    assert attempts(execution) == [(1, "lost")]
    # The worker has replaced it.
    after = JobExecution.objects.request("shared-says")
    wait_for(lambda: status_of(after) == "succeeded")


def test_what_was_lost_is_performed_again_by_another_worker_if_it_may_be(site):
    Job.objects.filter(name="shared-waits").update(rerun_lost=True)
    site.start_node()
    first = site.start_worker()
    again, finished = JobExecution.objects.request("shared-waits"), JobExecution.objects.request("shared-says")
    begun(again)
    wait_for(lambda: status_of(finished) == "succeeded")

    kill_all_of(first)
    second = site.start_worker()
    begun(again, attempt=2)

    assert status_of(again) == "running"
    assert again.node == worker_of(second).name
    assert attempts(again) == [(1, "lost")]
    cancel(JobExecution.objects.filter(pk=again.pk), reason="Enough.")
    wait_for(lambda: status_of(again) == "cancelled")
    assert (status_of(finished), finished.attempt) == ("succeeded", 1)


def test_a_message_that_the_broker_gives_to_another_when_its_worker_dies_is_refused(site, broker):
    if broker.kind == "redis":
        pytest.skip("Redis gives a message to another only after its visibility timeout")
    site.start_node()
    first = site.start_worker()
    execution = JobExecution.objects.request("shared-waits")
    begun(execution)
    second = site.start_worker()

    kill_all_of(first)

    wait_for(lambda: "A message was refused" in second.output())
    wait_for(lambda: status_of(execution) == "lost")
    assert attempts(execution) == [(1, "lost")]
    assert execution.log_lines.filter(message="Waiting").count() == 1


def test_what_is_in_a_process_of_its_own_does_not_outlive_its_worker(site):
    Job.objects.filter(name="shared-waits").update(timeout=timedelta(minutes=1))
    site.start_node()
    worker = site.start_worker()
    execution = JobExecution.objects.request("shared-waits")
    pid = begun(execution)
    above = {each.pid for each in psutil.Process(pid).parents()}
    assert worker.process.pid in above

    kill_all_of(worker)

    wait_for(lambda: is_gone(pid))
    wait_for(lambda: status_of(execution) == "lost")


def test_the_processes_of_a_worker_do_not_outlive_its_first(site):
    site.start_node()
    worker = site.start_worker()
    execution = JobExecution.objects.request("shared-waits")
    pid = begun(execution)

    worker.process.kill()

    wait_for(lambda: is_gone(pid))
    wait_for(lambda: status_of(execution) == "lost")


def test_a_worker_that_is_asked_to_stop_finishes_what_it_has_begun_and_leaves_the_rest_to_others(site, spans, broker):
    spans.job(seconds=2.0, queue=site.queue)
    site.start_node(DISPATCH_TIMEOUT=600)
    first = site.start_worker(concurrency=1, environment={"TEST_CELERY_PREFETCH": "4"})
    executions = [JobExecution.objects.request("spans") for _ in range(4)]
    wait_for(lambda: JobExecution.objects.running().exists())
    wait_for(lambda: JobExecution.objects.dispatched().count() == 3 and broker.depth() == 0)

    first.process.send_signal(signal.SIGTERM)

    assert first.process.wait(timeout=90) == 0
    ended = [each for each in executions if status_of(each) == "succeeded"]
    assert len(ended) == 1
    assert JobExecution.objects.filter(status="queued", waits_for=WaitsFor.WORKER).count() == 3
    assert worker_of(first).stopped_at is not None

    site.start_worker()
    wait_for(lambda: all(status_of(each) == "succeeded" for each in executions))
    assert sorted(int(pk) for what, pk, _ in spans.lines() if what == "begin") == [each.pk for each in executions]
    assert [each.attempt for each in executions] == [1] * 4


def test_a_job_learns_that_its_worker_stops(site):
    site.start_node()
    worker = site.start_worker()
    execution = JobExecution.objects.request("shared-waits")
    begun(execution)

    worker.process.send_signal(signal.SIGTERM)

    assert worker.process.wait(timeout=90) == 0
    assert status_of(execution) == "succeeded"
    assert execution.result == {"tidied": False, "stopping": True}


def test_a_worker_says_what_it_is_and_when_it_stops(site):
    worker = site.start_worker(concurrency=3)

    row = worker_of(worker)
    assert (row.concurrency, row.queue_names) == (3, [site.queue])
    assert row in CeleryWorker.objects.serving(site.queue)
    # Somebody may delete the row of one that lives.
    row.delete()
    wait_for(lambda: CeleryWorker.objects.alive().filter(name=row.name).exists())

    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(timeout=90) == 0
    assert worker_of(worker).stopped_at is not None
    assert CeleryWorker.objects.serving(site.queue) == []


def test_a_worker_that_is_killed_is_silent_after_a_lease(site):
    worker = site.start_worker()

    kill_all_of(worker)

    wait_for(lambda: CeleryWorker.objects.with_state().get().state == "silent")
    assert not CeleryWorker.objects.alive().exists()
