"""A machine whose clock is wrong: by a little it is said, by much the machine claims nothing."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from cronjobs.database import SteadyClock, read_clock
from cronjobs.executors.thread import ThreadExecutor
from cronjobs.models import JobExecution
from cronjobs.scheduler.clock import Clock
from cronjobs.scheduler.dispatcher import Dispatcher
from cronjobs.scheduler.upkeep import NodeState, Upkeep
from tests.integration.conftest import holdings

pytestmark = pytest.mark.django_db


@pytest.fixture
def steady():
    return SteadyClock()


@pytest.fixture
def dispatcher(steady):
    executor = ThreadExecutor(size=2, now=steady.now, done=lambda claim, ending: None)
    yield Dispatcher(node="a", time=steady, executor=executor, held=holdings(executor))
    executor.shutdown()


@pytest.mark.parametrize("ahead", [timedelta(seconds=40), timedelta(seconds=-40)], ids=["ahead", "behind"])
def test_a_clock_that_is_far_off_claims_nothing_until_it_agrees(dispatcher, steady, ahead, caplog):
    JobExecution.objects.request("noop")

    # What counts is the difference: the database's clock stands in for this machine's.
    steady.set(read_clock("default") - ahead)
    assert dispatcher.claim_once() == 0
    assert dispatcher.claim_once() == 0
    assert [record.levelname for record in caplog.records if "claiming nothing" in record.message] == ["ERROR"]

    steady.set(read_clock("default"))
    with caplog.at_level(logging.INFO):
        assert dispatcher.claim_once() == 1
    assert any("claiming again" in record.message for record in caplog.records)


def test_a_clock_that_is_a_little_off_is_mentioned_and_recorded(steady, caplog):
    steady.set(read_clock("default") - timedelta(seconds=5))
    state = NodeState(name="a", workers=1, time=steady, clock=Clock(time=steady), running=lambda: 0)
    upkeep = Upkeep(state)
    upkeep.introduce()

    upkeep.beat()

    assert any("differs from the database's by 5." in record.message for record in caplog.records)


def test_a_reading_tells_how_far_the_clock_has_jumped(steady):
    now = read_clock("default")
    assert steady.set(now) == timedelta(0)

    assert timedelta(hours=-2, seconds=-1) < steady.set(now - timedelta(hours=2)) < timedelta(hours=-1, minutes=-59)
