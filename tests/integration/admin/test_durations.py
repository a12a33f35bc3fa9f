"""How long an execution took, beside what is usual."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from cronjobs.admin.executions.durations import usual_durations
from cronjobs.models import Job
from tests.integration.admin.pages import EXECUTIONS, get, text_of


def bars_of(source):
    """Return label and width of each bar, the newest execution's first."""
    return re.findall(
        r'cron-span" role="img" aria-label="([^"]*)".*?<rect class="cron-(?:busy|odd)" width="(\d+)"', source
    )


@pytest.fixture
def usual(make_execution):
    """A job that takes a second."""
    for milliseconds in (500, 1_000, 1_000, 1_100):
        make_execution(duration_ms=milliseconds)


def test_what_is_usual_is_half_a_bar(viewer, make_execution, usual):
    make_execution(duration_ms=1_000)

    assert bars_of(get(viewer, EXECUTIONS))[0] == ("Usually 1.0 s", "32")


@pytest.mark.parametrize(("milliseconds", "width", "said"), [(4_000, "64", "4.0 s 4 × the usual"), (1, "1", "1 ms")])
def test_a_bar_neither_leaves_its_track_nor_vanishes(viewer, make_execution, usual, *, milliseconds, width, said):
    make_execution(status="failed", duration_ms=milliseconds)

    page = get(viewer, EXECUTIONS)

    assert bars_of(page)[0] == ("Usually 1.0 s", width)
    assert said in text_of(re.sub(r"<title>.*?</title>", "", page))


@pytest.mark.parametrize(("milliseconds", "said"), [(1_029, False), (1_030, True)])
def test_a_difference_of_less_than_a_second_is_not_worth_a_word(viewer, make_execution, milliseconds, said):
    for _ in range(4):
        make_execution(duration_ms=30)
    make_execution(status="failed", duration_ms=milliseconds)

    assert ("× the usual" in text_of(get(viewer, EXECUTIONS))) is said


def test_the_bar_of_what_runs_grows(viewer, make_execution, usual):
    make_execution(status="running", started_at=timezone.now() - timedelta(seconds=60), duration_ms=None)

    assert bars_of(get(viewer, EXECUTIONS))[0] == ("Usually 1.0 s", "64")


@pytest.mark.parametrize("columns", [{"status": "failed"}, {"duration_ms": None}, {"job": None}])
def test_too_few_that_succeeded_say_nothing(viewer, make_execution, columns):
    make_execution()
    make_execution()
    make_execution(**columns)

    assert bars_of(get(viewer, EXECUTIONS)) == []


def test_what_is_usual_is_the_median_of_the_newest(make_execution):
    for milliseconds in (*[90_000] * 10, *range(1, 31)):
        make_execution(duration_ms=milliseconds)
    other = make_execution("noop")
    job = Job.objects.get(name="succeeds")

    found = usual_durations({job.pk, other.job_id, 999_999})

    assert found == {job.pk: timedelta(milliseconds=15.5)}
    assert usual_durations(set()) == {}
