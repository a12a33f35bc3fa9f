"""What a purge leaves, each rule by itself: without it, the row would go."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs.models import Job, JobExecution
from cronjobs.models.execution import occurrence_key
from cronjobs.retention import Purged
from tests.integration.retention.conftest import DAY, add_traces, left, purge

pytestmark = pytest.mark.django_db


@pytest.fixture
def hourly(make_job):
    return make_job("noop", schedule="0 * * * *")


@pytest.fixture
def jobs(hourly, make_job):
    return hourly, make_job("succeeds")


@pytest.fixture
def old(record, newer):
    """What records an execution that is so old, and one that is not."""
    return record, newer


@pytest.mark.parametrize(
    ("status", "days"),
    [
        ("succeeded", 30),
        ("skipped", 30),
        ("cancelled", 30),
        ("missed", 30),
        ("failed", 90),
        ("timed_out", 90),
        ("lost", 90),
    ],
)
def test_an_execution_goes_when_it_is_older_than_its_outcome_is_kept(hourly, old, database_now, status, days):
    record, newer = old
    too_old, still_kept = record(hourly, days + 0.1, status), record(hourly, days - 0.1, status)
    newest = newer(hourly)

    assert purge(database_now).executions == 1
    assert left() == [still_kept.pk, newest.pk]
    assert not JobExecution.objects.filter(pk=too_old.pk).exists()


def test_logs_and_attempts_go_with_their_execution_and_no_others(hourly, record, newer, database_now):
    add_traces(record(hourly, 31), lines=3, attempts=2)
    newest = newer(hourly)
    add_traces(newest, lines=4)

    assert purge(database_now) == Purged(executions=1, attempts=2, log_lines=3)
    assert (newest.log_lines.count(), newest.attempts.count()) == (4, 1)


@pytest.mark.parametrize("status", ["queued", "running"])
def test_what_is_open_stays_however_old_it_is(hourly, record, newer, database_now, status):
    waiting = record(hourly, 400, status)
    newest = newer(hourly)

    assert purge(database_now).executions == 0
    assert left() == [waiting.pk, newest.pk]


def test_an_ending_that_somebody_has_to_look_at_stays(hourly, record, newer, database_now):
    asking = record(hourly, 400, followup_due=database_now)
    newest = newer(hourly)

    purge(database_now)

    assert left() == [asking.pk, newest.pk]


def test_an_ending_without_a_time_counts_from_when_it_was_recorded(hourly, record, newer, database_now):
    record(hourly, 31, finished_at=None)
    recent = record(hourly, 29, finished_at=None)
    newest = newer(hourly)

    purge(database_now)

    assert left() == [recent.pk, newest.pk]


def test_a_due_time_that_was_left_out_long_ago_stays_until_it_has_come(hourly, record, newer, database_now):
    ahead = database_now.replace(microsecond=0) + 100 * DAY
    skipped = record(hourly, 60, "skipped", scheduled_for=ahead, dedupe_key=occurrence_key(ahead))
    newest = newer(hourly)

    purge(database_now)

    assert left() == [skipped.pk, newest.pk]


def test_the_newest_execution_of_each_job_stays(hourly, make_job, record, database_now):
    other = make_job("succeeds")
    record(hourly, 300)
    newest = [record(hourly, 200), record(other, 400)]

    assert purge(database_now).executions == 1
    assert left() == [each.pk for each in newest]


def test_the_newest_success_and_start_of_each_job_stay(hourly, record, database_now):
    record(hourly, 310, trigger="manual")
    success = record(hourly, 300, trigger="manual")
    record(hourly, 290, "failed", trigger="manual")
    start = record(hourly, 280, "failed", trigger="manual")
    record(hourly, 270, "skipped", trigger="manual")
    newest = record(hourly, 260, "cancelled", trigger="manual")

    assert purge(database_now).executions == 3
    assert left() == [success.pk, start.pk, newest.pk]


def test_the_last_start_is_not_always_that_of_the_newest_execution(hourly, record, database_now):
    # It waited for its turn while a later one ran.
    start = record(hourly, 300, "failed", trigger="manual", started_at=database_now - 250 * DAY)
    newest = record(hourly, 290, trigger="manual")

    assert purge(database_now).executions == 0
    assert left() == [start.pk, newest.pk]


def test_a_success_is_found_behind_many_failures(hourly, record, newer, database_now):
    success = record(hourly, 400)
    failures = [record(hourly, 200, "failed") for _ in range(300)]

    assert purge(database_now).executions == 299
    assert left() == [success.pk, failures[-1].pk]


def test_of_a_job_that_is_gone_nothing_stays(hourly, record, database_now):
    record(hourly, 40)
    record(None, 40)
    Job.objects.filter(pk=hourly.pk).delete()

    assert purge(database_now).executions == 2
    assert left() == []


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(({"status": "queued"}, 60), id="open"),
        pytest.param(({"followup_due": "now"}, 60), id="to-be-looked-at"),
        pytest.param(({}, 5), id="young"),
        pytest.param(({"status": "failed"}, 60), id="a-failure"),
    ],
)
@pytest.mark.parametrize("is_root", [True, False], ids=["root", "member"])
def test_a_flow_stays_whole_while_a_part_of_it_has_to(jobs, old, database_now, part, is_root):
    (hourly, other), (record, newer), (columns, days) = jobs, old, part
    columns = {**columns, **({"followup_due": database_now} if "followup_due" in columns else {})}
    root = record(hourly, days if is_root else 60, **(columns if is_root else {}))
    upper = record(other, 60, flow=root.pk)
    lower = record(other, 60 if is_root else days, flow=root.pk, **({} if is_root else columns))
    newest = [newer(hourly), newer(other)]

    assert purge(database_now).executions == 0
    assert left() == [each.pk for each in (root, upper, lower, *newest)]


def test_a_flow_goes_whole_but_for_what_is_its_job_s_newest(hourly, make_job, record, newer, database_now):
    other = make_job("succeeds")
    root = record(hourly, 60)
    record(other, 60, flow=root.pk)
    last = record(other, 60, flow=root.pk)
    newest = newer(hourly)

    assert purge(database_now, size=1).executions == 2
    assert left() == [last.pk, newest.pk]


def test_what_a_rerun_repeats_may_go_and_its_page_says_so(hourly, record, newer, database_now, admin_client):
    original = record(hourly, 60)
    rerun = record(hourly, 5, retry_of=original, upstream=original, trigger="retry")
    newer(hourly)

    purge(database_now)

    assert not JobExecution.objects.filter(pk=original.pk).exists()
    page = admin_client.get(f"/admin/cronjobs/jobexecution/{rerun.pk}/change/")
    assert page.status_code == 200
    assert f"#{original.pk} (no longer there)" in page.content.decode()


def test_nothing_of_the_last_day_goes_whatever_is_asked_for(hourly, record, newer, database_now):
    young = record(hourly, 0.99)
    newest = newer(hourly)

    purge(database_now, retention=timedelta(0), failures=timedelta(0), per_job=1)

    assert left() == [young.pk, newest.pk]


def test_a_start_stays_while_the_rate_limit_of_its_job_counts_it(hourly, old, database_now):
    record, newer = old
    Job.objects.filter(pk=hourly.pk).update(rate_limit="10/60d")
    record(hourly, 61)
    counted = record(hourly, 59)
    record(hourly, 59, "cancelled")
    newest = newer(hourly)

    assert purge(database_now).executions == 2
    assert left() == [counted.pk, newest.pk]


def test_only_one_job_may_be_purged(hourly, make_job, record, newer, database_now):
    other = make_job("succeeds")
    record(hourly, 60)
    kept = [record(other, 60), newer(hourly), newer(other)]

    assert purge(database_now, job_name="noop").executions == 1
    assert left() == [each.pk for each in kept]


def test_a_flow_that_reaches_into_other_jobs_is_not_torn_apart_for_one(hourly, make_job, record, newer, database_now):
    other = make_job("succeeds")
    root = record(hourly, 60)
    below = record(other, 60, flow=root.pk)
    newest = [newer(hourly), newer(other)]

    assert purge(database_now, job_name="noop").executions == 0
    assert left() == [each.pk for each in (root, below, *newest)]
