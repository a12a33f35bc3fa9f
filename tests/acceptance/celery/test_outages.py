"""Brokers and databases that go away delay what Celery performs, and lose nothing."""

from __future__ import annotations

import signal

import pytest
from django.db import connection

from cronjobs.models import JobExecution, Node
from cronjobs.models.choices import WaitsFor
from cronjobs.models.moves import cancel
from tests.acceptance.conftest import status_of
from tests.acceptance.test_outages import locked_by_another_process
from tests.brokers import Broker
from tests.private_brokers import PASSWORD, private_broker
from tests.private_servers import ServerMissing
from tests.servers import wait_for

# The brokers are what fails here; what fails with a server of databases is in test_outages.py beside.
pytestmark = [pytest.mark.slow, pytest.mark.celery, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]


@pytest.fixture(params=["redis", "rabbitmq"])
def server(request):
    """A broker that is nobody else's, and can be taken away."""
    try:
        with private_broker(request.param) as server:
            yield server
    except ServerMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def broker(server):
    """The same, for what the site needs to know of it."""
    broker = Broker("redis" if server.name == "Redis" else "rabbitmq", server.url)
    yield broker
    # Its queues end with it. A test that has failed may have left it frozen.
    server.thaw()
    broker.app.close()


def requested(number, name="marks"):
    return [JobExecution.objects.request(name) for _ in range(number)]


def noted():
    """Return since when, and why, the only node has been without a broker; None, while it is not."""
    since, because = Node.objects.values_list("broker_away_since", "broker_away_because").get()
    return None if since is None else (since, because)


def statuses(executions):
    return {status_of(each) for each in executions}


def calls(marks):
    return sorted(int(pk) for pk, *_ in marks.lines())


@pytest.mark.parametrize("crash", [False, True], ids=["stop", "crash"])
def test_a_broker_that_goes_away_delays_and_loses_nothing_and_nodes_do_their_own_work(site, server, marks, crash):
    marks.job("here", queue=site.queue, executor="thread")
    node, worker = site.start_node(), site.start_worker()
    marks.job(seconds=1.0, queue=site.queue)
    before = requested(5)
    wait_for(lambda: JobExecution.objects.running().exists())

    server.stop(crash=crash)
    meanwhile, own = requested(5), requested(5, "here")
    # What a node performs itself does not wait for any broker.
    wait_for(lambda: statuses(own) == {"succeeded"})
    # What a worker has begun ends without one.
    wait_for(lambda: not JobExecution.objects.running().exists())
    wait_for(lambda: "Nothing can be handed to the broker" in node.output())
    assert statuses(meanwhile) == {"queued"}
    server.start()

    wait_for(lambda: statuses([*before, *meanwhile]) == {"succeeded"})
    assert calls(marks) == sorted(each.pk for each in [*before, *meanwhile, *own])
    assert set(JobExecution.objects.values_list("status", "attempt")) == {("succeeded", 1)}
    wait_for(lambda: "The broker answers again" in node.output())
    # Once, however often it has tried.
    assert node.output().count("Nothing can be handed to the broker") <= 2
    assert [log for log in (node.output(), worker.output()) if PASSWORD in log] == []


def test_a_node_s_row_says_since_when_and_why_the_broker_takes_nothing(site, server, marks):
    node = site.start_node()
    site.start_worker()
    first = requested(1)
    wait_for(lambda: statuses(first) == {"succeeded"})

    server.stop()
    requested(1)
    since, because = wait_for(noted)
    assert because == "The broker cannot be reached: it refuses connections."
    assert since > first[0].finished_at
    # Nothing is left to be handed over: that it is back is noticed all the same.
    cancel(JobExecution.objects.waiting(), reason="Not now.", by="ann")
    server.start()
    wait_for(lambda: noted() is None)

    server.freeze()
    requested(1)
    again, because = wait_for(noted)
    assert because == "The broker cannot be reached: it does not answer."
    assert again > since
    server.thaw()
    last = requested(1)
    wait_for(lambda: statuses(last) == {"succeeded"})
    wait_for(lambda: noted() is None)
    assert PASSWORD not in node.output()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_a_node_that_ends_while_the_broker_takes_nothing_leaves_its_messages_to_others(site, server, marks, how):
    node = site.start_node()
    first = requested(1)
    site.start_worker()
    wait_for(lambda: statuses(first) == {"succeeded"})

    server.freeze()
    executions = requested(5)
    wait_for(lambda: JobExecution.objects.dispatched().count() == 5)
    node.process.send_signal(how)
    node.process.wait(timeout=90)
    assert statuses(executions) == {"queued"}
    if how == signal.SIGKILL:
        # One that stops may still learn that a message was not taken, and take it back.
        assert {each.waits_for for each in executions} == {WaitsFor.WORKER}
    server.thaw()
    site.start_node()

    wait_for(lambda: statuses(executions) == {"succeeded"})
    assert calls(marks) == sorted(each.pk for each in [*first, *executions])


@pytest.mark.sqlite_only
def test_what_a_worker_has_begun_is_recorded_when_the_database_is_back(site, marks):
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite locks the whole database")
    marks.job(seconds=1.0, queue=site.queue)
    site.start_node()
    site.start_worker(concurrency=4)
    executions = requested(4)
    wait_for(lambda: len(marks.lines()) == 4)

    # Longer than a lease.
    with locked_by_another_process(5):
        pass
    wait_for(lambda: statuses(executions) == {"succeeded"})

    assert [each.attempt for each in executions] == [1] * 4
    assert calls(marks) == [each.pk for each in executions]
