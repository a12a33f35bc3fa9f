"""What a look sees: late, overrunning, no success, a node gone, a queue stuck, MongoDB down."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs.database import read_clock
from cronjobs.executors.inline import perform_inline, run_inline
from cronjobs.models import Alert, AlertState, CeleryWorker, Job, JobExecution, Node, Queue
from cronjobs.models.moves import claim
from cronjobs.models.queue import EVERYTHING
from tests.integration.alerts.conftest import firing

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _nothing_else() -> None:
    Job.objects.all().delete()


def test_what_waits_longer_than_its_job_tolerates_is_late_until_it_starts(make_job, look):
    make_job("noop", late_after=MINUTE)
    execution = JobExecution.objects.request("noop")
    assert look(59 * MINUTE / 60) == []

    assert look(2 * MINUTE) == ["late noop"]
    alert = Alert.objects.get()
    assert alert.execution_id == execution.pk
    assert alert.facts["details"].endswith("and should start within 1 min.")

    perform_inline(execution)
    assert look(3 * MINUTE) == ["late noop", "late noop over"]


def test_what_waits_in_a_paused_queue_is_not_late(make_job, look):
    make_job("noop", late_after=MINUTE)
    JobExecution.objects.request("noop")
    Queue.objects.ensure()
    Queue.objects.filter(name=EVERYTHING).pause()

    assert look(2 * MINUTE) == []
    Queue.objects.filter(name=EVERYTHING).resume()
    Queue.objects.filter(name="default").pause()
    assert look(2 * MINUTE) == []
    Queue.objects.filter(name="default").resume()

    assert look(2 * MINUTE) == ["late noop"]


def test_what_runs_longer_than_expected_overruns_until_it_ends(make_job, look):
    make_job("noop", expected_duration=MINUTE)
    JobExecution.objects.request("noop")
    claim(node="web-1", limit=1, now=read_clock("default"))
    assert look() == []

    assert look(2 * MINUTE) == ["overrunning noop"]

    JobExecution.objects.update(status="succeeded")
    assert look(2 * MINUTE) == ["overrunning noop", "overrunning noop over"]


def test_what_begins_again_is_told_again(make_job, look):
    make_job("noop", late_after=MINUTE, expected_duration=MINUTE, no_success_after=timedelta(hours=1))

    for times in (1, 2, 3):
        JobExecution.objects.request("noop")
        look(2 * MINUTE)
        claim(node="web-1", limit=1, now=read_clock("default"))
        look(2 * MINUTE)
        look(61 * MINUTE)
        now = read_clock("default")
        JobExecution.objects.running().update(status="succeeded", finished_at=now)
        told = look()
        assert firing() == []
        for kind in ("late", "overrunning", "no_success"):
            assert [each for each in told if each.startswith(kind)] == [f"{kind} noop", f"{kind} noop over"] * times


@pytest.mark.parametrize(("executor", "words"), [("thread", ["overrunning noop"]), ("process", [])])
def test_beyond_its_timeout_only_a_thread_overruns(make_job, look, executor, words):
    make_job("noop", timeout=MINUTE, executor=executor)
    JobExecution.objects.request("noop")
    claim(node="web-1", limit=1, now=read_clock("default"))

    assert look(2 * MINUTE) == words


def test_a_job_without_success_for_too_long_is_told_of_until_the_next(make_job, look):
    make_job("succeeds", no_success_after=timedelta(hours=1))
    run_inline("succeeds")
    assert look(59 * MINUTE) == []

    assert look(61 * MINUTE) == ["no_success succeeds"]

    run_inline("succeeds")
    later = read_clock("default") + timedelta(minutes=62)
    JobExecution.objects.filter(pk=JobExecution.objects.latest("pk").pk).update(started_at=later, finished_at=later)
    assert look(63 * MINUTE) == ["no_success succeeds", "no_success succeeds over"]


def test_a_new_job_has_time_for_its_first_success(make_job, look):
    make_job("fails", no_success_after=timedelta(hours=1), alert_on="no_success")
    run_inline("fails")

    assert look(59 * MINUTE) == []
    assert look(61 * MINUTE) == ["no_success fails"]


def test_the_limit_to_being_without_success_may_come_from_the_settings_or_the_code(make_job, look, settings, define):
    make_job("noop")
    assert look(timedelta(days=2)) == []

    settings.CRONJOBS = {"ALERTS": {"NO_SUCCESS_AFTER": 3600}}

    assert look(timedelta(days=2)) == ["no_success noop"]


def node(name: str, **columns) -> Node:
    now = read_clock("default")
    facts = {"hostname": "h", "pid": 1, "version": "1", "workers": 1, "started_at": now, "heartbeat_at": now}
    return Node.objects.create(name=name, **{**facts, **columns})


def test_a_node_that_falls_silent_is_told_of_once_each_time_and_its_return_is_not(look):
    now = read_clock("default")
    node("alive")
    node("stopped", heartbeat_at=now - 9 * MINUTE, stopped_at=now - 9 * MINUTE)
    gone = node("gone", heartbeat_at=now - 9 * MINUTE)

    assert look() == look() == ["node_gone gone"]
    assert firing() == ["node_gone gone"]

    Node.objects.filter(pk=gone.pk).update(heartbeat_at=now)
    assert (look(), firing()) == (["node_gone gone"], [])

    Node.objects.filter(pk=gone.pk).update(heartbeat_at=now - 9 * MINUTE)
    assert (look(), firing()) == (["node_gone gone"] * 2, ["node_gone gone"])


def test_a_celery_worker_that_falls_silent_is_told_of_as_a_node_is(look, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "CELERY_APP": "project.celery.app"}
    now = read_clock("default")
    facts = {"hostname": "h", "pid": 1, "version": "1", "concurrency": 1, "started_at": now}
    for name, heartbeat_at, stopped_at in (
        ("alive", now, None),
        ("stopped", now - 9 * MINUTE, now - 9 * MINUTE),
        ("gone", now - 9 * MINUTE, None),
    ):
        CeleryWorker.objects.create(name=name, heartbeat_at=heartbeat_at, stopped_at=stopped_at, **facts)

    assert look() == look() == ["worker_gone gone"]
    assert firing() == ["worker_gone gone"]

    CeleryWorker.objects.filter(name="gone").update(heartbeat_at=now)
    assert (look(), firing()) == (["worker_gone gone"], [])

    CeleryWorker.objects.filter(name="gone").update(heartbeat_at=now - 9 * MINUTE)
    assert look() == ["worker_gone gone"] * 2
    # Where Celery performs nothing any more, nobody misses it.
    settings.CRONJOBS = {}
    assert (look(), firing()) == (["worker_gone gone"] * 2, [])


def test_a_node_that_is_forgotten_is_no_longer_gone(look):
    node("gone", heartbeat_at=read_clock("default") - 9 * MINUTE)
    look()

    Node.objects.all().delete()

    assert (look(), firing()) == (["node_gone gone"], [])


def test_a_queue_of_which_nothing_is_started_is_stuck_until_it_moves(make_job, look):
    make_job("noop", queue="heavy")
    JobExecution.objects.request("noop")
    assert look(6 * MINUTE) == []

    assert look(6 * MINUTE) == ["queue_stuck heavy"]

    claim(node="web-1", limit=1, now=read_clock("default"))
    assert look(7 * MINUTE) == ["queue_stuck heavy", "queue_stuck heavy over"]

    JobExecution.objects.update(status="succeeded")
    JobExecution.objects.request("noop")
    look(6 * MINUTE)
    assert look(6 * MINUTE) == ["queue_stuck heavy", "queue_stuck heavy over", "queue_stuck heavy"]


def test_a_site_that_wants_to_know_of_nothing_is_told_nothing(make_job, look, settings):
    settings.CRONJOBS = {"ALERTS": {"ON": []}}
    make_job("fails", queue="heavy", late_after=MINUTE)
    run_inline("fails")
    JobExecution.objects.request("fails")
    node("gone", heartbeat_at=read_clock("default") - 9 * MINUTE)

    look(6 * MINUTE)

    assert (look(6 * MINUTE), firing()) == ([], [])


def test_states_of_what_is_right_are_not_written(make_job, look):
    make_job("noop", late_after=MINUTE, expected_duration=MINUTE, no_success_after=timedelta(hours=1))
    run_inline("noop")

    look()

    assert AlertState.objects.count() == 0
