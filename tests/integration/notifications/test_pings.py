"""Pings to the monitor that a job names, from real executions to a real receiver."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from cronjobs import RetryPolicy
from cronjobs.exceptions import Retry, Skip
from cronjobs.executors.inline import run_inline
from cronjobs.models import Job, JobExecution
from cronjobs.models.mistakes import mistakes
from cronjobs.models.moves import cancel, rescue
from cronjobs.notifications.pinger import BODY_MAX_BYTES, MOST, Ping, Pinger, PingKind, process_pinger
from cronjobs.scheduler.node import NodeProcess
from tests.receivers import answers, closed_address, drops, hangs, receiving
from tests.servers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def monitor():
    """A monitor that takes everything."""
    with receiving() as receiver:
        yield receiver


def pinged(receiver):
    """Return the end of the path and the text of each ping, once all that this process had to send is sent."""
    assert process_pinger().flush(30)
    return [(urlsplit(each.path).path.removeprefix("/abc"), each.body.decode()) for each in receiver.received]


def perform(name):
    node = NodeProcess(workers=1)
    node.run_once()
    node.stop(grace=timedelta(seconds=10))
    return JobExecution.objects.filter(job_name=name)


def test_a_success_is_told_from_its_start_to_its_end(define, monitor):
    def succeeds_well(context):
        return 1

    name = define(succeeds_well, ping_url=f"{monitor.address}/abc?key=1")
    JobExecution.objects.request(name)
    perform(name)

    assert pinged(monitor) == [("/start", ""), ("", "")]
    first, second = (parse_qs(urlsplit(each.path).query) for each in monitor.received)
    assert first == second
    assert first["key"] == ["1"]
    assert uuid.UUID(first["rid"][0])


def test_two_executions_are_two_runs(define, monitor):
    def succeeds_twice(context):
        return 1

    name = define(succeeds_twice, ping_url=f"{monitor.address}/abc", overlap="allow")
    JobExecution.objects.request(name)
    JobExecution.objects.request(name)
    perform(name)

    assert len(pinged(monitor)) == 4
    assert len({parse_qs(urlsplit(each.path).query)["rid"][0] for each in monitor.received}) == 2


def test_a_failure_is_told_with_its_error_and_without_its_secrets(define, monitor):
    def fails_badly(context):
        raise ValueError("password=hunter2 is wrong")

    run_inline(define(fails_badly, ping_url=f"{monitor.address}/abc"))

    assert pinged(monitor) == [("/start", ""), ("/fail", "Failed. ValueError: password=*** is wrong")]


def test_a_retry_is_a_line_in_the_log_and_no_second_start(define, monitor):
    def fails_once(context):
        if context.attempt == 1:
            raise Retry("not yet", after=0)

    name = define(fails_once, ping_url=f"{monitor.address}/abc", retry=RetryPolicy(max_attempts=2))
    JobExecution.objects.request(name)
    perform(name)

    assert pinged(monitor) == [
        ("/start", ""),
        ("/log", "Attempt 1 of 2 came to nothing. cronjobs.exceptions.Retry: not yet"),
        ("", ""),
    ]


def test_what_is_skipped_or_cancelled_is_a_line_in_the_log(define, monitor):
    def has_nothing_to_do(context):
        raise Skip("a holiday")

    name = define(has_nothing_to_do, ping_url=f"{monitor.address}/abc")
    run_inline(name)
    waiting = JobExecution.objects.request(name)
    cancel(JobExecution.objects.filter(pk=waiting.pk), by="ada", reason="not today")

    assert pinged(monitor) == [("/start", ""), ("/log", "Skipped. a holiday"), ("/log", "Cancelled. not today")]


@pytest.mark.parametrize(("rerun", "kind"), [(True, "/log"), (False, "/fail")])
def test_what_a_silent_node_loses_is_told(define, monitor, rerun, kind):
    def vanishes(context):
        """Never called."""

    name = define(vanishes, ping_url=f"{monitor.address}/abc", rerun_lost=rerun)
    execution = JobExecution.objects.request(name)
    JobExecution.objects.filter(pk=execution.pk).update(
        status="running",
        node="n",
        attempt=1,
        claim_token="t",
        lease_expires_at=execution.queued_at - timedelta(hours=1),
    )
    assert len(rescue()) == 1

    ((path, text),) = pinged(monitor)
    assert path == kind
    assert text.endswith("Its node, n, fell silent.")


def test_a_job_may_name_another_monitor_or_none(define, monitor):
    def is_watched(context):
        return 1

    name = define(is_watched, ping_url=f"{closed_address()}/abc")
    Job.objects.filter(name=name).update(ping_url=f"{monitor.address}/abc")
    run_inline(name)
    assert pinged(monitor) == [("/start", ""), ("", "")]

    Job.objects.filter(name=name).update(ping_url="")
    run_inline(name)
    assert len(pinged(monitor)) == 2


def test_a_job_without_a_monitor_costs_its_executions_no_statement(make_job, django_assert_num_queries):
    execution = JobExecution.objects.request("noop")
    execution.job = Job.objects.get(name="noop")
    from cronjobs.notifications import pings

    with django_assert_num_queries(0):
        for tell in (pings.started, pings.retried, pings.lost, pings.finished):
            tell(execution)


def test_hosts_that_the_settings_do_not_allow_are_refused_where_people_write_them(make_job, settings):
    job = make_job("noop", ping_url="https://elsewhere.example.org/abc")
    assert "ping_url" not in mistakes(job)

    settings.CRONJOBS = {"PING_HOSTS": [".example.com"]}

    assert "The host elsewhere.example.org is not one of those that the settings allow." in str(
        mistakes(job)["ping_url"]
    )
    job.ping_url = "https://hc.example.com/abc"
    assert "ping_url" not in mistakes(job)
    # What was there before does not keep the job from running.
    Job.objects.filter(pk=job.pk).update(ping_url="https://elsewhere.example.org/abc")
    assert Job.objects.get(pk=job.pk).resolve().ping_url


def test_hosts_that_the_settings_do_not_allow_are_sent_nothing(define, monitor, settings, caplog):
    def is_watched_elsewhere(context):
        return 1

    settings.CRONJOBS = {"PING_HOSTS": ["hc.example.com"]}
    run_inline(define(is_watched_elsewhere, ping_url=f"{monitor.address}/abc"))

    assert pinged(monitor) == []
    assert "The host 127.0.0.1 is not one of those that the settings allow." in caplog.text
    assert "/abc" not in caplog.text


@pytest.mark.parametrize(
    "behaviour",
    [answers(500), answers(302, Location="/other"), drops, hangs],
    ids=["fails", "redirects", "drops", "hangs"],
)
def test_a_monitor_that_is_not_well_changes_no_execution(define, behaviour, caplog):
    def is_watched_badly(context):
        return 1

    with receiving(behaviour) as receiver:
        name = define(is_watched_badly, ping_url=f"{receiver.address}/abc")
        execution = run_inline(name)
        assert (execution.status, execution.attempt) == ("succeeded", 1)
        wait_for(lambda: receiver.received)
        receiver.released.set()
        receiver.behave = answers(200)
        assert process_pinger().flush(30)

    assert [urlsplit(each.path).path for each in receiver.received][-1] == "/abc"
    assert "/other" not in receiver.paths
    assert "/abc" not in caplog.text


def test_a_ping_is_tried_three_times_and_then_given_up(caplog):
    with receiving(answers(503)) as receiver, caplog.at_level(logging.WARNING, logger="cronjobs"):
        pinger = Pinger(delays=(0.01, 0.01))
        pinger.put(Ping(f"{receiver.address}/abc"))
        pinger.put(Ping(f"{receiver.address}/def"))
        assert pinger.flush(30)

    assert receiver.paths == ["/abc"] * 3 + ["/def"] * 3
    assert "answered with status 503." in caplog.text
    assert "/abc" not in caplog.text


def test_a_monitor_that_refuses_holds_up_no_other():
    with receiving(answers(503)) as ill, receiving() as well:
        pinger = Pinger(delays=(3_600.0,))
        for number in range(3):
            pinger.put(Ping(f"{ill.address}/{number}"))
            pinger.put(Ping(f"{well.address}/{number}"))
        wait_for(lambda: len(well.received) == 3)
        assert not pinger.flush(0)
        assert ill.paths == ["/0"]
        # An hour later.
        ill.behave = answers(200)
        next(iter(pinger._lanes.values())).not_before = 0.0
        pinger.put(Ping(f"{well.address}/3"))
        assert pinger.flush(30)

    assert well.paths == ["/0", "/1", "/2", "/3"]
    assert ill.paths == ["/0", "/0", "/1", "/2"]


def test_a_monitor_that_hangs_gets_one_call_in_a_round_and_others_all_that_wait():
    with receiving(hangs) as ill, receiving(hangs) as well:
        pinger = Pinger()
        # While this one hangs, the others gather.
        pinger.put(Ping(f"{well.address}/first"))
        for number in range(20):
            pinger.put(Ping(f"{ill.address}/{number}"))
            pinger.put(Ping(f"{well.address}/{number}"))
        well.released.set()
        wait_for(lambda: f"/{19}" in well.paths)

        assert len(ill.received) < 5
        ill.released.set()
        assert pinger.flush(60)


def test_only_so_many_wait(caplog):
    with receiving(hangs) as receiver, caplog.at_level(logging.WARNING, logger="cronjobs"):
        pinger = Pinger()
        for number in range(MOST + 5):
            pinger.put(Ping(f"{receiver.address}/{number}"))
        receiver.released.set()
        assert pinger.flush(60)

    assert len(receiver.received) == MOST
    assert "5 pings were dropped: 1000 others were waiting." in caplog.text


def test_a_text_is_cut_to_what_monitors_take():
    with receiving() as receiver:
        pinger = Pinger()
        pinger.put(Ping(f"{receiver.address}/abc", PingKind.FAILURE, text="ä" * 200_000))
        assert pinger.flush(30)

    assert BODY_MAX_BYTES - 10 < len(receiver.received[0].body) <= BODY_MAX_BYTES


def test_the_thread_ends_when_it_has_nothing_to_do_and_begins_again():
    with receiving() as receiver:
        pinger = Pinger()
        pinger.put(Ping(f"{receiver.address}/abc"))
        assert pinger.flush(30)
        wait_for(lambda: pinger._thread is None)
        pinger.put(Ping(f"{receiver.address}/def"))
        assert pinger.flush(30)

    assert receiver.paths == ["/abc", "/def"]
