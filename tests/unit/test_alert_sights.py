"""What is wrong as long as it can be seen: it begins once, and is over once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cronjobs.alerting.decisions import decide
from cronjobs.alerting.evidence import Evidence, Running, State, Waiting, WatchedJob
from cronjobs.alerts import AlertKind, AlertPolicy

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LIMITS: dict[str, Any] = {"late_after": 60, "expected_duration": 60, "no_success_after": 3600}
JOB = WatchedJob(
    pk=1,
    name="backup",
    policy=AlertPolicy(on="late, overrunning, no_success", **LIMITS),
    counts_from=NOW - timedelta(days=9),
)
SITE = frozenset({AlertKind.NODE_GONE, AlertKind.WORKER_GONE, AlertKind.QUEUE_STUCK, AlertKind.MONGODB_UNREACHABLE})


def seen(states: dict[Any, State] | None = None, *, job: WatchedJob | None = JOB, **found: Any) -> Evidence:
    jobs = {} if job is None else {1: job}
    return Evidence(**{"now": NOW, "site_kinds": SITE, "states": states or {}, "jobs": jobs, **found})


def told(found: Evidence) -> tuple[list[str], dict[Any, State]]:
    """Return what is told, and the states that this leads to."""
    states, words = dict(found.states), []
    for each in decide(found):
        states[each.kind, each.subject] = each.after._replace(version=(each.before.version or 0) + 1)
        words += [f"{each.kind.value} {each.subject}{' over' if one.is_resolution else ''}" for one in each.told]
    return words, states


def waiting(minutes: float, **changes: Any) -> Waiting:
    return Waiting(7, 1, "default", NOW - minutes * MINUTE, has_started=False, trigger="schedule")._replace(**changes)


def running(minutes: float, **changes: Any) -> Running:
    return Running(7, 1, "default", NOW - minutes * MINUTE, None)._replace(**changes)


LATE: dict[str, Any] = {"waiting": [waiting(2)]}
LONG: dict[str, Any] = {"running": [running(2)]}
WITHOUT: dict[str, Any] = {"successes": {1: NOW - 61 * MINUTE}}
GONE: dict[str, Any] = {"silent_nodes": {"web-1": NOW - MINUTE}}
WORKER: dict[str, Any] = {"silent_workers": {"celery@box-1:5": NOW - MINUTE}}
DOWN: dict[str, Any] = {"is_mongodb_reached": False}


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        pytest.param(LATE, {}, ["late backup", "late backup over"], id="late"),
        pytest.param(LONG, {}, ["overrunning backup", "overrunning backup over"], id="overrunning"),
        pytest.param(
            WITHOUT, {"successes": {1: NOW}}, ["no_success backup", "no_success backup over"], id="no success"
        ),
        pytest.param(
            DOWN, {"is_mongodb_reached": True}, ["mongodb_unreachable ", "mongodb_unreachable  over"], id="MongoDB"
        ),
        pytest.param(GONE, {}, ["node_gone web-1"], id="a node, whose end is silent"),
        pytest.param(WORKER, {}, ["worker_gone celery@box-1:5"], id="a Celery worker, whose end is silent"),
    ],
)
def test_it_begins_once_and_is_over_once(wrong, right, words):
    first, states = told(seen(**wrong))
    again, states = told(seen(states, **wrong))
    over, states = told(seen(states, **right))
    after, states = told(seen(states, **right))

    assert (first + over, again, after) == (words, [], [])
    assert not any(state.firing for state in states.values())
    assert told(seen(states, **wrong))[0] == words[:1]


@pytest.mark.parametrize(
    "found",
    [
        pytest.param({"waiting": [waiting(0.9)]}, id="within its tolerance"),
        pytest.param({"waiting": [waiting(9, has_started=True)]}, id="waits for its second attempt"),
        pytest.param({"waiting": [waiting(9, trigger="backfill")]}, id="waits for its turn in a back-fill"),
        pytest.param({"waiting": [waiting(9, trigger="catch_up")]}, id="waits for its turn after an outage"),
        pytest.param({"waiting": [waiting(2)], "paused_queues": frozenset({"default"})}, id="in a paused queue"),
        pytest.param({"waiting": [waiting(2)], "is_everything_paused": True}, id="everything is paused"),
        pytest.param({"waiting": [waiting(2)], "job": replace(JOB, is_in_force=False)}, id="its job is paused"),
        pytest.param({"waiting": [waiting(2)], "job": replace(JOB, is_enabled=False)}, id="its job is disabled"),
        pytest.param({"waiting": [waiting(2)], "job": replace(JOB, policy=AlertPolicy(on="late"))}, id="no tolerance is set"),
        pytest.param({"running": [running(0.9)]}, id="runs as long as expected"),
        pytest.param({"running": [running(0.9, deadline_at=NOW + MINUTE)]}, id="before its timeout"),
        pytest.param({"successes": {1: NOW - 59 * MINUTE}}, id="a success lately"),
        pytest.param({"successes": {1: None}, "job": replace(JOB, counts_from=NOW - MINUTE)}, id="a new or resumed job"),
        pytest.param({"successes": {1: None}, "job": replace(JOB, is_in_force=False)}, id="a paused job without success"),
        pytest.param({"silent_nodes": {"web-1": NOW}, "site_kinds": frozenset()}, id="a node nobody asks for"),
    ],
)  # fmt: skip
def test_nobody_is_told(found):
    assert told(seen(**found))[0] == []


def test_a_thread_that_is_beyond_its_timeout_is_told_of_and_a_process_ends_by_itself():
    job = replace(JOB, policy=AlertPolicy(on="overrunning"))
    beyond = {"running": [running(2, deadline_at=NOW - MINUTE)]}

    assert told(seen(job=job, **beyond))[0] == ["overrunning backup"]
    assert told(seen(job=replace(job, is_in_thread=False), **beyond))[0] == []


@pytest.mark.parametrize("wrong", [LATE, LONG, WITHOUT])
@pytest.mark.parametrize(
    "job", [None, replace(JOB, is_enabled=False), replace(JOB, policy=AlertPolicy(on=[], **LIMITS))]
)
def test_what_fires_with_a_job_that_is_gone_or_off_ends_in_silence(wrong, job):
    _, states = told(seen(**wrong))

    words, states = told(seen(states, job=job, **wrong))

    assert words == []
    assert not any(state.firing for state in states.values())


@pytest.mark.parametrize("wrong", [LATE, WITHOUT])
def test_while_a_job_is_paused_nothing_begins_and_nothing_is_over(wrong):
    _, states = told(seen(**wrong))
    paused = replace(JOB, is_in_force=False)

    assert told(seen(states, job=paused)) == ([], states)
    assert told(seen(states, job=paused, **wrong)) == ([], states)


def test_a_job_that_is_edited_while_it_is_without_success_is_waited_for_anew_in_silence():
    _, states = told(seen(**WITHOUT))

    words, states = told(seen(states, job=replace(JOB, counts_from=NOW), **WITHOUT))

    assert words == []
    assert not any(state.firing for state in states.values())


def test_where_more_waits_than_was_read_nothing_is_over():
    _, states = told(seen(**LATE))

    assert told(seen(states, is_waiting_cut=True)) == ([], states)


def test_where_more_runs_than_was_read_nothing_is_over_and_no_queue_is_stuck():
    _, states = told(seen(**LONG))

    assert told(seen(states, is_running_cut=True)) == ([], states)
    _, states = told(seen(is_running_cut=True, **STUCK))
    assert told(seen(states, is_running_cut=True, **STUCK)) == ([], states)


STUCK: dict[str, Any] = {"waiting": [waiting(6, has_started=True)]}


def test_a_queue_is_stuck_when_two_looks_see_the_same_at_its_head_and_nothing_runs():
    first, states = told(seen(**STUCK))
    second, states = told(seen(states, **STUCK))
    third, states = told(seen(states, **STUCK))
    over, states = told(seen(states))

    assert [first, second, third, over] == [[], ["queue_stuck default"], [], ["queue_stuck default over"]]


@pytest.mark.parametrize(
    "found",
    [
        pytest.param({"waiting": [waiting(6, pk=8)]}, id="another one has moved up"),
        pytest.param({"waiting": [waiting(6)], "running": [running(1)]}, id="something of it runs"),
        pytest.param({"waiting": [waiting(6)], "paused_queues": frozenset({"default"})}, id="it is paused"),
        pytest.param({"waiting": [waiting(6)], "is_everything_paused": True}, id="everything is paused"),
        pytest.param({"waiting": [waiting(6)], "job": replace(JOB, is_rate_limited=True)}, id="a rate limit holds it"),
        pytest.param({"waiting": [waiting(4)]}, id="not for long"),
    ],
)
def test_a_queue_is_not_stuck_when(found):
    _, states = told(seen(job=replace(JOB, policy=AlertPolicy(on=[])), **STUCK))

    words, _ = told(seen(states, **found))

    assert [word for word in words if word.startswith("queue")] == []


def test_a_stuck_queue_that_is_paused_ends_in_silence():
    _, states = told(seen(**STUCK))
    _, states = told(seen(states, **STUCK))

    words, states = told(seen(states, paused_queues=frozenset({"default"}), **STUCK))

    assert words == []
    assert not states[AlertKind.QUEUE_STUCK, "default"].firing


def test_mongodb_that_is_configured_no_more_ends_in_silence():
    _, states = told(seen(**DOWN))

    words, states = told(seen(states, is_mongodb_reached=None))

    assert (words, states[AlertKind.MONGODB_UNREACHABLE, ""].firing) == ([], False)


def test_after_an_outage_nobody_tells_that_a_node_is_gone_or_back():
    assert told(seen(silent_nodes=None)) == ([], {})
    _, states = told(seen(**GONE))

    assert told(seen(states, silent_nodes=None)) == ([], states)
