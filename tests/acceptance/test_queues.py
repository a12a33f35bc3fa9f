"""Real nodes share the limits of queues and jobs, and follow pauses."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs.database import read_clock
from cronjobs.models import JobExecution, Queue
from tests.commands import run_command
from tests.servers import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

# More than the two seconds that are promised: the machine may be busy.
FOLLOWS_WITHIN = timedelta(seconds=5)


def all_done():
    return not JobExecution.objects.open().exists()


def most_at_once(lines):
    """Return how many calls overlapped at most, by the times that the calls wrote themselves."""
    steps = sorted((float(at), 1 if what == "begin" else -1) for what, _, at in lines)
    now = most = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def test_three_nodes_never_exceed_the_limit_of_a_queue(start_node, spans):
    Queue.objects.create(name="narrow", limit=2)
    spans.job(seconds=0.3, queue="narrow")
    for _ in range(3):
        start_node("--workers", "1", POLL_INTERVAL=0.2)
    ids = [JobExecution.objects.request("spans").pk for _ in range(20)]

    wait_for(all_done)

    assert set(JobExecution.objects.filter(pk__in=ids).values_list("status", flat=True)) == {"succeeded"}
    assert sorted(int(pk) for what, pk, _ in spans.lines() if what == "begin") == sorted(ids)
    # Two workers are never on one node here, so that it was two nodes that kept within the limit.
    assert most_at_once(spans.lines()) == 2


def test_two_nodes_keep_a_rate_limit_exactly(start_node, marks):
    marks.job(rate_limit="3/2s")
    for _ in range(2):
        start_node(POLL_INTERVAL=0.2)
    for _ in range(12):
        JobExecution.objects.request("marks")

    wait_for(all_done)

    starts = list(JobExecution.objects.order_by("started_at").values_list("started_at", flat=True))
    assert len(starts) == len(marks.lines()) == 12
    windows = [later - earlier for earlier, later in zip(starts, starts[3:], strict=False)]
    assert min(windows) >= timedelta(seconds=2)


def test_a_paused_queue_starts_nothing_until_it_is_resumed(start_node, marks):
    start_node()
    marks.job("heavy", queue="heavy")
    marks.job()
    assert run_command("cronqueue", "--pause", "heavy").code == 0
    held = JobExecution.objects.request("heavy")
    for _ in range(3):
        JobExecution.objects.request("marks")
    wait_for(lambda: JobExecution.objects.filter(status="succeeded").count() == 3)
    until = read_clock("default") + timedelta(seconds=2)
    wait_for(lambda: read_clock("default") > until)
    held.refresh_from_db()
    assert (held.status, len(marks.lines())) == ("queued", 3)

    run_command("cronqueue", "--resume", "heavy")
    wait_for(lambda: len(marks.lines()) == 4)


def test_everything_paused_is_still_and_goes_on_from_now(start_node, marks):
    start_node()
    start_node()
    job = marks.job("every-second", schedule="* * * * * *", misfire_grace=timedelta(hours=1), catch_up="all")
    wait_for(marks.lines)

    run_command("cronqueue", "--pause-all")
    paused = read_clock("default")
    JobExecution.objects.request("every-second")
    wait_for(lambda: read_clock("default") > paused + 2 * FOLLOWS_WITHIN)
    resumed = read_clock("default")
    run_command("cronqueue", "--resume-all")
    rows = JobExecution.objects.filter(job=job, trigger="schedule")
    first = wait_for(lambda: rows.filter(scheduled_for__gt=paused + FOLLOWS_WITHIN).order_by("scheduled_for").first())
    wait_for(lambda: not JobExecution.objects.filter(job=job, trigger="manual").exclude(status="succeeded").exists())

    between = JobExecution.objects.filter(first_started_at__gt=paused + FOLLOWS_WITHIN, first_started_at__lt=resumed)
    assert not between.exists()
    assert first.scheduled_for > resumed - timedelta(seconds=1)
    assert not JobExecution.objects.filter(job=job, trigger="catch_up").exists()
    assert not JobExecution.objects.filter(job=job, status="missed").exists()
