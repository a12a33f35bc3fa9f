"""What counts is the row: a message that comes twice, late or from nowhere opens nothing."""

from __future__ import annotations

import json

import pytest

from cronjobs.database import read_clock
from cronjobs.models import JobExecution
from cronjobs.models.choices import WaitsFor
from cronjobs.models.moves import dispatch, recall
from tests.acceptance.conftest import status_of
from tests.commands import run_command, run_command_process
from tests.integration.dispatching import hire
from tests.servers import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.celery, pytest.mark.django_db(transaction=True)]

REFUSED = "A message was refused"


def dispatched():
    """Stamp what is due as a node does, and send nothing; return the rows."""
    return [each for each, _ in dispatch(limit=10, now=read_clock("default")).executions]


def succeeded(*executions):
    return all(status_of(each) == "succeeded" for each in executions)


def calls(marks):
    return sorted(int(pk) for pk, *_ in marks.lines())


def test_a_message_that_is_delivered_again_and_again_is_performed_once(site, broker, marks):
    marks.job(seconds=0.5, queue=site.queue)
    execution = JobExecution.objects.request("marks")
    (row,) = dispatched()
    for _ in range(5):
        broker.send(row.pk, row.claim_token)
    worker = site.start_worker()

    wait_for(lambda: worker.output().count(REFUSED) == 4)
    wait_for(lambda: succeeded(execution))
    # Also one that comes when all is over.
    broker.send(row.pk, row.claim_token)
    wait_for(lambda: worker.output().count(REFUSED) == 5)

    assert calls(marks) == [execution.pk]
    assert (status_of(execution), execution.attempt) == ("succeeded", 1)
    assert row.claim_token not in worker.output()


def test_a_message_that_comes_after_the_next_one_opens_nothing(site, broker, marks):
    execution = JobExecution.objects.request("marks")
    (late,) = dispatched()
    hire(site.queue)
    wait_for(recall)
    (current,) = dispatched()
    worker = site.start_worker()

    broker.send(late.pk, late.claim_token)
    wait_for(lambda: worker.output().count(REFUSED) == 1)
    assert (status_of(execution), execution.waits_for) == ("queued", WaitsFor.WORKER)
    broker.send(current.pk, current.claim_token)

    wait_for(lambda: succeeded(execution))
    assert current.claim_token != late.claim_token
    assert calls(marks) == [execution.pk]


def test_forged_messages_open_nothing_and_harm_nobody(site, broker, marks):
    execution = JobExecution.objects.request("marks")
    other = JobExecution.objects.request("marks", run_after=read_clock("default").replace(year=2100))
    (row,) = dispatched()
    worker = site.start_worker(concurrency=1)

    pk, token = row.pk, row.claim_token
    forged = [
        *[(pk, "0" * 32), (pk + 1000, token), (other.pk, ""), (other.pk, token), (pk, token.upper() + "x")],
        *[(pk, ""), (pk, None), (pk, 1), (pk, [token]), (pk, {"token": token}), (pk, "\0" * 32), (pk, "\ud800" * 32)],
        *[(str(pk), token), (True, token), (float(pk), token), (None, None), (10**30, token), (-1, token)],
        *[(pk,), (), (pk, "' OR '1'='1", 3, 4), ("cronjobs", {"a": [1]}, *range(50))],
    ]
    for arguments in forged:
        broker.send(*arguments)
    wait_for(lambda: worker.output().count(REFUSED) == len(forged))
    assert "Traceback" not in worker.output()
    broker.send(pk, token, task="cronjobs.nothing")
    broker.send_bytes(b"\x80\x02}q\x00.", content_type="application/x-python-serialize")
    broker.send_bytes(b"nonsense", content_type="text/plain")

    assert (status_of(execution), execution.claim_token, status_of(other)) == ("queued", token, "queued")
    assert marks.lines() == []
    broker.send(pk, token)
    wait_for(lambda: succeeded(execution))
    assert calls(marks) == [pk]
    worker.check()


def test_what_no_worker_begins_in_time_is_dispatched_again_under_another_token(site, marks):
    site.start_node()
    worker = site.start_worker(concurrency=1)
    busy = JobExecution.objects.request("shared-waits")
    wait_for(lambda: status_of(busy) == "running")
    execution = JobExecution.objects.request("marks")

    tokens = set()

    def seen():
        row = JobExecution.objects.filter(pk=execution.pk, waits_for=WaitsFor.WORKER).first()
        tokens.update({row.claim_token} if row else ())
        return len(tokens)

    wait_for(lambda: seen() >= 3)
    run_command("croncancel", str(busy.pk))

    wait_for(lambda: succeeded(execution))
    assert worker.output().count(REFUSED) >= 1
    assert calls(marks) == [execution.pk]
    assert execution.attempt == 1


def test_messages_that_the_broker_loses_are_sent_again(site, broker, marks):
    site.start_node()
    executions = [JobExecution.objects.request("marks") for _ in range(5)]
    wait_for(lambda: broker.depth() >= 5)

    assert broker.lose() >= 5
    site.start_worker()

    wait_for(lambda: succeeded(*executions))
    assert calls(marks) == [each.pk for each in executions]


def test_what_a_node_has_stamped_and_not_sent_is_sent_by_another(site, marks):
    executions = [JobExecution.objects.request("marks") for _ in range(5)]
    # As a node leaves it that is killed in between.
    assert len(dispatched()) == 5
    site.start_worker()
    site.start_node()

    wait_for(lambda: succeeded(*executions))
    assert calls(marks) == [each.pk for each in executions]


@pytest.mark.parametrize("what", ["queue", "everything"])
def test_what_is_paused_with_the_broker_is_not_begun_and_waits(site, broker, marks, what):
    site.start_node(DISPATCH_TIMEOUT=600)
    executions = [JobExecution.objects.request("marks") for _ in range(3)]
    wait_for(lambda: broker.depth() == 3)
    run_command("cronqueue", *(["--pause", site.queue] if what == "queue" else ["--pause-all"]))

    worker = site.start_worker()

    wait_for(lambda: worker.output().count("was not begun") == 3)
    waiting = JobExecution.objects.filter(status="queued", waits_for=WaitsFor.DISPATCH, claim_token="")
    assert waiting.count() == 3
    assert marks.lines() == []
    run_command("cronqueue", *(["--resume", site.queue] if what == "queue" else ["--resume-all"]))
    wait_for(lambda: succeeded(*executions))
    assert calls(marks) == [each.pk for each in executions]


def test_what_is_called_off_while_with_the_broker_is_never_begun(site, broker, marks):
    site.start_node(DISPATCH_TIMEOUT=600)
    execution = JobExecution.objects.request("marks")
    wait_for(lambda: broker.depth() == 1)

    run_command("croncancel", str(execution.pk))
    worker = site.start_worker()

    wait_for(lambda: REFUSED in worker.output())
    assert status_of(execution) == "cancelled"
    assert marks.lines() == []


def test_a_node_that_runs_once_hands_over_what_is_due_and_what_comes_of_it(site, broker, marks):
    marks.job(queue=site.queue, overlap="allow")
    marks.job("here", queue=site.queue, executor="thread")
    marks.job("after", queue=site.queue, depends_on="here")
    for name in ("marks", "marks", "here"):
        JobExecution.objects.request(name)
    environment = {**broker.environment, "TEST_CRONJOBS": json.dumps(site.settings)}

    out, err, code = run_command_process("runcron", "--once", **environment)

    assert (out, code) == ("1 executions performed. 3 handed to Celery.\n", 0)
    assert "Handed 2 executions to the broker." in err
    assert "Handed 1 execution to the broker." in err
    assert broker.depth() == 3
    assert calls(marks) == [JobExecution.objects.get(job_name="here").pk]
