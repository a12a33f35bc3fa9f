"""Jobs that misuse their thread: the next one finds everything in order."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction

from cronjobs.database import SteadyClock, read_clock
from cronjobs.executors.inline import run_inline
from cronjobs.executors.thread import ThreadExecutor
from cronjobs.models import JobExecution
from cronjobs.models.moves import adopt, claim
from cronjobs.scheduler.dispatcher import Dispatcher
from cronjobs.scheduler.node import NodeProcess
from tests.integration.conftest import holdings
from tests.servers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("name", ["opens-transaction", "turns-autocommit-off", "closes-connections"])
@pytest.mark.parametrize("way", ["node", "inline"])
def test_the_next_job_of_the_thread_can_use_the_database(name, way):
    if way == "inline":
        first, second = run_inline(name), run_inline("counts")
    else:
        node = NodeProcess(workers=1)
        first = JobExecution.objects.request(name)
        node.run_once()
        second = JobExecution.objects.request("counts")
        wait_for(node._dispatcher.claim_once)
        wait_for(lambda: not node.running)
        assert node.stop(grace=timedelta(seconds=10))
        first.refresh_from_db()
        second.refresh_from_db()

    assert (first.status, second.status) == ("succeeded", "succeeded")
    assert not connection.in_atomic_block
    assert JobExecution.objects.get(pk=first.pk).status == "succeeded"


def test_a_job_that_deletes_its_own_row_ends_quietly():
    execution = run_inline("deletes-itself")

    assert execution.job_name == "deletes-itself"
    assert not JobExecution.objects.filter(pk=execution.pk).exists()


def test_a_job_that_forks_leaves_no_second_process():
    execution = run_inline("forks")

    assert execution.status == "succeeded"
    with pytest.raises(ProcessLookupError):
        os.kill(execution.result["child"], 0)


def test_a_claim_whose_reply_was_lost_is_adopted_and_runs():
    first = JobExecution.objects.request("noop")
    done = []
    steady = SteadyClock()
    steady.set(read_clock("default"))
    executor = ThreadExecutor(size=1, now=steady.now, done=lambda claim, ending: done.append(ending))
    dispatcher = Dispatcher(node="a", time=steady, executor=executor, held=holdings(executor))
    # The COMMIT arrives after its connection is gone: the rows are claimed, and nobody has been told.
    token = "a token of the dispatcher's"
    dispatcher._unanswered = {token: time.monotonic()}
    JobExecution.objects.filter(pk=first.pk).update(run_after=read_clock("default") + timedelta(hours=1))
    assert dispatcher.claim_once() == 0
    JobExecution.objects.filter(pk=first.pk).update(run_after=read_clock("default"))
    with transaction.atomic():
        claim(node="a", limit=1, now=read_clock("default"), token=token)

    assert dispatcher.claim_once() == 1

    wait_for(lambda: done)
    executor.shutdown()
    assert done[0].execution.pk == first.pk
    assert adopt("another token") == []
