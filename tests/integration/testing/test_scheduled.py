"""When jobs are going to run, and what a test is told that thought otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine

from cronjobs.exceptions import InvalidSchedule, JobNotFound
from cronjobs.models import Job
from cronjobs.scheduler.requests import skip_next
from cronjobs.testing import assert_not_scheduled, assert_scheduled, next_runs
from tests.integration.conftest import NOON
from tests.servers import ROOT

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
# Before the clocks go forward.
SATURDAY = datetime(2026, 3, 28, 12, tzinfo=UTC)


@pytest.fixture
def digest(make_job):
    return make_job("noop", name="send-digest", schedule="0 7 * * mon-fri", time_zone="Europe/Berlin")


def change(job, **columns):
    Job.objects.filter(pk=job.pk).update(**columns)


def test_the_next_runs_are_in_the_zone_of_the_job(digest):
    runs = next_runs("send-digest", count=2, after=SATURDAY - timedelta(days=1, hours=6))

    assert [each.isoformat() for each in runs] == ["2026-03-30T07:00:00+02:00", "2026-03-31T07:00:00+02:00"]


def test_after_is_not_at(digest):
    assert next_runs(digest, 1, after="2026-03-30T05:00Z") == [datetime(2026, 3, 31, 7, tzinfo=BERLIN)]


def test_without_a_time_they_come_after_that_of_pythons_clock(digest):
    with time_machine.travel(SATURDAY, tick=False):
        assert next_runs(digest)[0] == datetime(2026, 3, 30, 7, tzinfo=BERLIN)


def test_there_may_be_fewer(make_job):
    make_job("noop", name="once", schedule="@at 2026-01-15T12:00:00Z")

    assert next_runs("once", after=NOON - timedelta(days=1)) == [NOON]
    assert next_runs("once", after=NOON) == []


@pytest.mark.parametrize("columns", [{"enabled": False}, {"paused": True}, {"schedule": ""}], ids=str)
def test_what_does_not_run_has_no_next_runs(digest, columns):
    change(digest, **columns)

    assert next_runs(digest, after=SATURDAY) == []


def test_what_was_skipped_ahead_of_time_is_left_out(digest):
    first, second = next_runs(digest, 2)
    skip_next(digest, by="ann")

    assert next_runs(digest, 1) == [second]
    assert_not_scheduled(digest, first)


def test_what_is_scheduled_passes(digest):
    assert_scheduled("send-digest", "2026-03-27T07:00+01:00", datetime(2026, 3, 30, 7, tzinfo=BERLIN))
    assert_not_scheduled("send-digest", "2026-03-30T07:00+01:00", "2026-03-30T07:00:00.000001+02:00")


def test_who_is_wrong_is_told_what_is_scheduled_instead(digest):
    with pytest.raises(AssertionError) as caught:
        assert_scheduled("send-digest", "2026-03-30T07:00+02:00", "2026-03-29T07:00+02:00")

    assert f"```text\n{caught.value}\n```" in (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"enabled": False}, "is due never. Note: disabled: it does not run until it is enabled."),
        ({"schedule": ""}, "(Monday). Note: on demand: it has no schedule."),
        (
            {"paused": True, "paused_until": datetime(2026, 3, 31, tzinfo=UTC)},
            "(Tuesday). Note: paused: it resumes at 2026-03-31 00:00:00 UTC.",
        ),
        (
            {"ends_at": datetime(2026, 3, 29, tzinfo=UTC)},
            "it is due before that at 2026-03-27T07:00:00+01:00 (Friday). Note: window: not after 2026-03-29 00:00:00 UTC.",
        ),
    ],
    ids=lambda value: str(value)[:20],
)
def test_and_why(digest, columns, sentence):
    change(digest, **columns)

    with pytest.raises(AssertionError) as caught:
        assert_scheduled(digest, "2026-03-30T07:00+02:00")

    assert str(caught.value).startswith("send-digest is not due at 2026-03-30T07:00:00+02:00 (Monday).")
    assert str(caught.value).endswith(sentence)


def test_what_is_scheduled_and_should_not_be_is_told(digest):
    with pytest.raises(AssertionError) as caught:
        assert_not_scheduled(digest, "2026-03-30T05:00Z")

    assert str(caught.value) == (
        "send-digest is due at 2026-03-30T07:00:00+02:00 (Monday): 0 7 * * mon-fri in Europe/Berlin."
    )


def test_operators_are_heeded(digest):
    change(digest, schedule="30 9 * * *", time_zone="UTC")

    assert_scheduled(digest, "2026-03-29T09:30Z")
    assert_not_scheduled(digest, "2026-03-30T07:00+02:00")


@pytest.mark.parametrize("check", [assert_scheduled, assert_not_scheduled, next_runs])
def test_a_job_that_there_is_not_is_an_error(check):
    with pytest.raises(JobNotFound):
        check("no-such-job", NOON) if check is not next_runs else check("no-such-job")


def test_a_job_that_is_broken_is_an_error(digest):
    change(digest, schedule="99 * * * *")

    with pytest.raises(InvalidSchedule, match="minute"):
        assert_not_scheduled(digest, NOON)
