"""Two upstreams that end at the same time, on two connections: their join is neither lost nor doubled."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from cronjobs.database import engine_transaction, read_clock
from cronjobs.executors.inline import perform_inline, run_inline
from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.followups import follow_up

pytestmark = pytest.mark.django_db(transaction=True)
needs_row_locks = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")


@pytest.fixture
def sides(make_job):
    """Run the root of a diamond, and return both sides, which are to be performed."""
    Job.objects.all().delete()
    for name, depends_on in (("extract", ""), ("left", "extract"), ("right", "extract"), ("join", "left, right")):
        make_job("noop", name=name, depends_on=depends_on, overlap="allow")

    def make():
        run_inline("extract")
        sweep()
        return [JobExecution.objects.filter(job_name=name).latest("pk") for name in ("left", "right")]

    return make


@pytest.fixture
def elsewhere():
    """Run functions on another connection, one after another."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda work, *arguments: pool.submit(work, *arguments).result(timeout=90)
        pool.submit(lambda: connection.close()).result()  # noqa: PLW0108 - the pool thread's, not this one's


def sweep():
    return follow_up(read_clock("default"))


def joins():
    return list(JobExecution.objects.filter(job_name="join").values_list("status", flat=True))


@needs_row_locks
def test_an_ending_that_is_not_committed_is_joined_later(sides, elsewhere):
    left, right = sides()

    with transaction.atomic():
        perform_inline(left)
        elsewhere(perform_inline, right)
        elsewhere(sweep)
        assert joins() == []
    sweep()

    assert joins() == ["queued"]


@needs_row_locks
def test_one_that_ends_while_the_other_is_looked_at_is_joined_later(sides, elsewhere):
    left, right = sides()
    perform_inline(left)

    with transaction.atomic():
        assert sweep().decided == 1
        elsewhere(perform_inline, right)
        # The first look has the flow, and has seen the right side run.
        assert elsewhere(sweep) == (0, True)
    elsewhere(sweep)

    assert joins() == ["queued"]


@needs_row_locks
def test_what_is_looked_at_elsewhere_is_not_waited_for(sides, elsewhere):
    (left, right), (other, _) = sides(), sides()
    perform_inline(left)

    with transaction.atomic():
        sweep()
        elsewhere(perform_inline, right)
        elsewhere(perform_inline, other)
        assert elsewhere(sweep) == (1, True)


@needs_row_locks
def test_a_look_that_is_rolled_back_loses_nothing(sides):
    left, right = sides()
    perform_inline(left)
    perform_inline(right)

    with transaction.atomic():
        sweep()
        assert joins() == ["queued"]
        transaction.set_rollback(True)
    assert joins() == []
    sweep()

    assert joins() == ["queued"]


def test_an_ending_that_is_rolled_back_asks_for_nothing(sides):
    left, _ = sides()

    with engine_transaction("default"):
        perform_inline(left)
        transaction.set_rollback(True)

    assert not JobExecution.objects.to_be_followed_up().exists()


def test_two_that_end_and_are_looked_at_at_once_are_joined_once(sides):
    rounds = 20
    barrier = threading.Barrier(2)
    pairs = [sides() for _ in range(rounds)]

    def node(side):
        try:
            for pair in pairs:
                barrier.wait(30)
                perform_inline(pair[side])
                sweep()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(node, side) for side in (0, 1)]:
            done.result(timeout=120)
    # What was held up by the other is what a node's next look is for.
    while sweep().decided:
        pass

    assert joins() == ["queued"] * rounds
    assert JobExecution.objects.filter(job_name="join").values("flow").distinct().count() == rounds
    assert not JobExecution.objects.to_be_followed_up().exists()
