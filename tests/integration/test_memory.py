"""What a tick and a claim take of memory: by what is due and by what is claimed, not by what is registered or waits."""

from __future__ import annotations

import gc
import tracemalloc
from datetime import timedelta

import pytest
from django_apscheduler.models import DjangoJob

from cronjobs.database import read_clock
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import claim, current
from cronjobs.scheduler.clock_rows import clock_id
from cronjobs.scheduler.plans import reconcile
from cronjobs.scheduler.ticks import tick
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db

KB = 1_024
# What one execution takes on its way from a due time to a row, or from there to a claim: some 6 kB; and all together.
_EACH, _ALL = 10 * KB, 300 * KB


def register(number, *, due):
    """Register jobs of which `due` are due at noon and the others a year later."""
    Job.objects.all().delete()
    DjangoJob.objects.all().delete()
    Job.objects.bulk_create(
        [Job(name=f"job-{n}", definition="noop", schedule="0 12 15 1 *") for n in range(number)], batch_size=500
    )
    reconcile(NOON)
    ids = [clock_id(pk) for pk in Job.objects.order_by("pk").values_list("pk", flat=True)[:due]]
    DjangoJob.objects.filter(id__in=ids).update(next_run_time=NOON)


def peak_of(work):
    """Return how many bytes more there were at most while `work` was done than before, once all is imported."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("registered", "due"), [(20, 20), (5_000, 20), (500, 500)])
def test_a_tick_takes_memory_for_what_is_due(registered, due):
    register(registered, due=due)
    tick(NOON - timedelta(seconds=1))
    current._known.clear()

    peak = peak_of(lambda: tick(NOON + timedelta(seconds=1)))

    assert JobExecution.objects.count() == due
    assert peak < _ALL + due * _EACH


@pytest.mark.parametrize("waiting", [64, 2_000])
def test_a_claim_takes_memory_for_what_it_claims(make_job, waiting):
    make_job("noop", overlap="allow")
    JobExecution.objects.request_many("noop", [{}] * waiting)
    claims = []

    peak = peak_of(lambda: claims.extend(claim(node="a", limit=64, now=read_clock("default")).executions))

    assert len(claims) == 64
    assert peak < _ALL + 64 * _EACH
