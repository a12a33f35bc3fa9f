"""How much a node claims before a thread is free for it: only what threads will begin at once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cronjobs.executors.prefetch import Prefetch


class Pool:
    """Claims whose attempts take as long as a test says; time passes as they do."""

    def __init__(self, size):
        self.prefetch, self.now = Prefetch(size), 100.0

    def add(self, number=1):
        claims = [SimpleNamespace() for _ in range(number)]
        for each in claims:
            self.prefetch.add(each, self.now)
        return claims

    def perform(self, seconds, number=1):
        for _ in range(number):
            self.add()
            claim = self.prefetch.begin(self.now)
            self.now += seconds
            self.prefetch.end(claim, self.now)

    def begin(self, number=1):
        return [self.prefetch.begin(self.now) for _ in range(number)]

    @property
    def room(self):
        return self.prefetch.room(self.now)


@pytest.fixture
def pool():
    return Pool(4)


def test_at_first_there_is_room_for_as_many_as_there_are_threads(pool):
    assert pool.room == 4
    pool.add(3)
    assert pool.room == 1
    pool.begin(3)
    assert pool.room == 1
    pool.add(3)
    assert pool.room == 0


def test_while_attempts_are_short_more_is_claimed_than_threads_are_free(pool):
    pool.perform(0.01, number=100)
    # Four threads begin twenty of ten milliseconds within 50; four of these are not ahead.
    assert 4 + 15 <= pool.room <= 4 + 16


def test_there_is_a_most_for_each_thread(pool):
    pool.perform(0.000001, number=200)
    assert pool.room == 4 + 4 * 16


def test_nothing_is_claimed_ahead_of_attempts_that_take_long(pool):
    pool.perform(0.001, number=100)
    pool.perform(1.0, number=5)
    assert pool.room == 4


def test_one_that_takes_very_long_is_soon_forgotten(pool):
    pool.perform(0.001, number=100)
    pool.perform(3_600.0)
    pool.perform(0.001, number=20)
    assert pool.room > 20


def test_threads_that_are_busy_for_long_do_not_count(pool):
    pool.perform(0.001, number=100)
    quick = pool.room
    pool.add(2)
    pool.begin(2)
    assert pool.room == quick - 2
    pool.now += 1.0
    assert quick // 2 - 4 <= pool.room <= quick - 2
    pool.add(2)
    pool.begin(2)
    pool.now += 1.0
    assert pool.room == 0


def test_it_is_filled_when_half_of_it_is_gone(pool):
    pool.perform(0.001, number=100)
    pool.add(pool.room)
    assert pool.room == 0
    begun = 0
    while pool.room == 0:
        (claim,) = pool.begin()
        pool.prefetch.end(claim, pool.now + 0.001)
        begun += 1
    assert begun >= 16
    assert pool.room >= 16


def test_they_begin_in_the_order_in_which_they_came(pool):
    claims = pool.add(6)
    assert pool.begin(6) == claims
    assert pool.begin() == [None]


def test_what_is_withdrawn_never_begins(pool):
    early = pool.add(2)
    pool.now += 1.0
    (late,) = pool.add()
    assert pool.prefetch.withdraw(lambda claim, since: since < pool.now) == early
    assert pool.begin(2) == [late, None]
    assert pool.prefetch.withdraw(lambda claim, since: True) == []


def test_what_has_waited_too_long_begins_no_more_and_holds_nobody_up():
    pool = Pool(2)
    pool.prefetch = Prefetch(2, patience=15.0)
    late = pool.add()
    pool.now += 15.1
    (fresh,) = pool.add()

    assert pool.begin(2) == [fresh, None]
    assert pool.prefetch.withdraw(lambda claim, since: True) == late
