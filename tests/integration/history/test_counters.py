"""Counters: what ended since the beginning, which no roll-up, purge or repetition makes less."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, connections, transaction

from cronjobs.history import roll_up, rolled_up_until
from cronjobs.models import HourlyRollup, Job, JobExecution, RollupMark
from cronjobs.models.moves import Ending, claim, record, revive
from cronjobs.models.rollups import SETTLING
from cronjobs.states import ExecutionStatus
from tests.integration.api.rows import ended
from tests.integration.conftest import NOON
from tests.integration.history.counting import count_of, counters, totals

pytestmark = pytest.mark.django_db

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DAY = 24 * HOUR
AFTERWARDS = NOON + HOUR + SETTLING

OUTCOMES = ("succeeded", "failed", "timed_out", "lost", "skipped", "cancelled", "missed")
RUN = ("succeeded", "failed", "timed_out")


class Site:
    """A site with a few jobs whose time passes at once; it remembers all that ever ended on it."""

    def __init__(self, make_job, seed):
        self.dice = random.Random(seed)  # noqa: S311 - chooses what happens
        self.jobs = [make_job("noop", name=f"job-{number}") for number in range(3)]
        self.now = NOON
        self.ever = defaultdict(list)
        self.seen = {}

    def end(self):
        """Let a few executions end, some of them as late as a day can be long."""
        job, status = self.dice.choice(self.jobs), self.dice.choice(OUTCOMES)
        # What never runs is written at the moment at which it ends.
        late = self.dice.choice([0, 0, 0, 1, 30, 90, 500]) if status in RUN else 0
        at = self.now - late * MINUTE - self.dice.randrange(60) * timedelta(seconds=1)
        facts = {"count": self.dice.randrange(1, 4)}
        if status in RUN:
            facts |= {
                "took": self.dice.choice([1, 10, 11, 999, 7_000_000]),
                "late": self.dice.randrange(3_000),
                "attempt": self.dice.randrange(1, 4),
                "result": self.dice.choice([None, {"modifiedCount": 5}, {"modifiedCount": "x"}, "text"]),
            }
            if facts["result"] == {"modifiedCount": "x"}:
                facts["result"] = {"other": 1}
        if status == "missed":
            facts["missed_count"] = self.dice.randrange(1, 100)
        self.ever[job.name] += ended(job, status, at, **facts)

    def revive(self):
        """Queue again what has been skipped, as a back-fill does."""
        job = self.dice.choice(self.jobs)
        skipped = list(JobExecution.objects.filter(job=job, status="skipped", dedupe_key=None)[:2])
        for row in skipped:
            row.dedupe_key = f"@{row.pk}"
            row.save()
        assert revive(job, skipped) == len(skipped)

    def roll_up(self):
        """Roll up; then everything has been counted."""
        roll_up(self.now)
        assert not differences(counters(), self.expected())

    def purge(self):
        """Delete what may be deleted, of the roll-ups as well."""
        old = min(self.now - DAY, rolled_up_until())
        JobExecution.objects.filter(finished_at__lt=old).delete()
        HourlyRollup.objects.filter(hour__lt=old - DAY).delete()

    def wait(self):
        self.now += self.dice.randrange(1, 120) * MINUTE

    def remove_job(self):
        Job.objects.filter(name=self.dice.choice(self.jobs).name).delete()

    def expected(self):
        return {name: dict(count_of(rows)) for name, rows in self.ever.items() if rows}

    def scrape(self):
        """Look at the counters: none of them is less than it was, and none more than there ever was."""
        found, ever = counters(), self.expected()
        for job, numbers in self.seen.items():
            assert all(found[job].get(name, 0) >= number for name, number in numbers.items())
        for job, numbers in found.items():
            assert all(number <= ever[job][name] for name, number in numbers.items())
        self.seen = found


@pytest.mark.parametrize("seed", range(12))
def test_counters_never_fall_whatever_happens(make_job, seed):
    site = Site(make_job, seed)
    rolled_at = site.now

    for _ in range(120):
        step = site.dice.choices(
            [site.end, site.wait, site.roll_up, site.purge, site.revive, site.remove_job], [8, 4, 3, 2, 2, 0.2]
        )[0]
        step()
        site.scrape()
        # No job is away for longer than things can be late.
        if site.now - rolled_at > 6 * HOUR:
            site.roll_up()
            rolled_at = site.now

    site.now += 2 * HOUR
    site.roll_up()
    assert not differences(totals(), site.expected())


def differences(found, expected):
    return {
        (job, name): (found[job].get(name, 0), expected[job].get(name, 0))
        for job in expected
        for name in {*found[job], *expected[job]}
        if found[job].get(name, 0) != expected[job].get(name, 0)
    }


def test_totals_outlive_executions_rollups_and_jobs(make_job):
    job = make_job("noop")
    rows = ended(job, "succeeded", NOON, took=5, late=1)
    roll_up(AFTERWARDS)

    for model in (JobExecution, HourlyRollup, Job):
        model.objects.all().delete()
    roll_up(AFTERWARDS + 48 * HOUR)

    assert counters() == {"noop": count_of(rows)}


@pytest.mark.parametrize("rolled", [False, True])
def test_what_was_skipped_and_is_queued_again_was_skipped_once(make_job, rolled):
    job = make_job("noop")
    [row] = ended(job, "skipped", NOON, dedupe_key="@1")
    if rolled:
        roll_up(AFTERWARDS)

    assert revive(job, [row]) == 1
    assert counters() == {"noop": {"skipped": 1}}
    roll_up(AFTERWARDS)
    assert counters() == {"noop": {"skipped": 1}}

    JobExecution.objects.filter(pk=row.pk).update(status="skipped", finished_at=NOON + MINUTE)
    roll_up(AFTERWARDS)
    assert counters() == {"noop": {"skipped": 2}}
    assert HourlyRollup.objects.get(hour=NOON).skipped == 1


def test_rows_of_nobody_s_making_are_counted_as_far_as_they_can_be(make_job):
    job = make_job("noop")
    ended(job, "exploded", NOON, took=5, late=1)
    [late] = ended(job, "succeeded", NOON, took=5, late=-3_000)
    ended(job, "succeeded", NOON, result={"modifiedCount": 10**30})
    ended(job, "succeeded", NOON, result={"modifiedCount": -7})
    ended(job, "succeeded", NOON, result={"modifiedCount": 2.5})
    ended(job, "succeeded", NOON, result={"modifiedCount": "12"})
    ended(job, "succeeded", NOON, result=["modifiedCount"])
    assert late.first_started_at < late.due_at

    before = counters()["noop"]
    roll_up(AFTERWARDS)

    assert before["succeeded"] == 6
    assert before["lateness_10"] == before["starts"] == 1
    assert "lateness_total" not in before
    assert "documents" not in before
    assert counters()["noop"] == before


def ending(execution, *, finished_at, waited):
    return Ending(
        execution=execution,
        outcome=ExecutionStatus.SUCCEEDED,
        status=ExecutionStatus.SUCCEEDED,
        finished_at=finished_at,
        duration_ms=1,
        run_after=execution.run_after,
        claim_at=execution.claim_at,
        ended=time.monotonic() - waited.total_seconds(),
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("late", "waits"), [(timedelta(0), False), (10 * MINUTE, True)])
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_an_end_that_is_written_late_is_written_before_a_roll_up_or_after(make_job, database_now, late, waits):
    make_job("noop")
    JobExecution.objects.request("noop")
    [execution, *_] = [each[0] for each in claim(node="a", limit=1, now=database_now + MINUTE).executions]
    roll_up(NOON)
    refused = []

    def roll_up_without_waiting():
        try:
            with transaction.atomic():
                RollupMark.objects.select_for_update(nowait=True).get()
        except OperationalError:
            refused.append(True)
        finally:
            connections.close_all()

    with transaction.atomic():
        record([], [ending(execution, finished_at=database_now - late, waited=late)])
        thread = threading.Thread(target=roll_up_without_waiting)
        thread.start()
        thread.join()

    assert bool(refused) == waits
