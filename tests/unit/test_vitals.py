"""A thread that hangs is told from one that waits, and from a process that stood still."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from cronjobs.vitals import Vitals


class Time:
    """A clock that goes when it is told to."""

    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def vitals(time):
    return Vitals(timedelta(seconds=10), now=time)


def names(vitals, time, *, after=0.0):
    """Let so many seconds pass, asking once in each, and return which threads are stuck then."""
    for _ in range(int(after)):
        time.now += 1
        vitals.stuck()
    return [each.name for each in vitals.stuck()]


def test_a_thread_without_a_sign_of_life_is_stuck_until_it_goes_on(vitals, time):
    pulse = vitals.pulse("clock")
    with pulse.watched():
        assert names(vitals, time, after=10) == []
        assert names(vitals, time, after=1) == ["clock"]
        pulse.beat()
        assert names(vitals, time) == []


def test_a_thread_that_waits_is_not_stuck_for_as_long_as_it_said(vitals, time):
    pulse = vitals.pulse("clock")
    with pulse.watched():
        pulse.beat(rest=3_600)
        assert names(vitals, time, after=3_610) == []
        assert names(vitals, time, after=1) == ["clock"]


def test_nothing_is_expected_of_a_thread_that_has_not_begun_or_has_ended(vitals, time):
    pulse = vitals.pulse("clock")
    pulse.beat()
    assert names(vitals, time, after=60) == []
    with pulse.watched():
        assert names(vitals, time, after=60) == ["clock"]
    assert names(vitals, time, after=60) == []


def test_each_thread_is_judged_by_itself(vitals, time):
    clock, recorder = vitals.pulse("clock"), vitals.pulse("recorder")
    with clock.watched(), recorder.watched():
        names(vitals, time, after=6)
        clock.beat()
        assert names(vitals, time, after=6) == ["recorder"]


def test_a_process_that_stood_still_is_given_the_whole_time_anew(vitals, time):
    pulse = vitals.pulse("clock")
    with pulse.watched():
        time.now += 3_600

        assert names(vitals, time) == []
        assert names(vitals, time, after=10) == []
        assert names(vitals, time, after=1) == ["clock"]


def test_it_is_said_where_a_thread_hangs(vitals):
    pulse, begun, released = vitals.pulse("clock"), threading.Event(), threading.Event()

    def hang_here():
        with pulse.watched():
            begun.set()
            released.wait(90)

    thread = threading.Thread(target=hang_here)
    thread.start()
    try:
        assert begun.wait(90)
        assert "hang_here" in pulse.whereabouts()
    finally:
        released.set()
        thread.join()
    assert pulse.whereabouts() == ""
