"""Past due times that are run after all: each once, oldest first, one after another."""

from __future__ import annotations

import threading
import tracemalloc
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs.database import read_clock
from cronjobs.exceptions import InvalidParameters, InvalidRequest, InvalidSchedule, JobNotFound
from cronjobs.models import Calendar, Job, JobExecution
from cronjobs.models.execution import occurrence_key
from cronjobs.models.moves import claim, revive
from cronjobs.scheduler.agenda import skipped_ahead
from cronjobs.scheduler.backfills import Backfill, Tally
from cronjobs.scheduler.node import NodeProcess
from cronjobs.scheduler.plans import sync
from cronjobs.scheduler.requests import skip_next
from cronjobs.scheduler.ticks import tick
from tests.integration.conftest import rows_of
from tests.servers import wait_for

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def midnight(database_now):
    """The beginning of yesterday."""
    return database_now.replace(hour=0, minute=0, second=0, microsecond=0) - DAY


@pytest.fixture
def hourly(make_job):
    """Make the one job there is; it is due each hour."""
    Job.objects.all().delete()

    def make(definition="noop", **columns):
        return make_job(definition, **{"schedule": "0 * * * *", **columns})

    return make


def fill(job, start, end, **options):
    return Backfill(job, start=start, end=end).perform(by="ann", **options)


def record(job, at, status, **columns):
    return JobExecution.objects.create(
        job=job,
        job_name=job.name,
        trigger="schedule",
        dedupe_key=occurrence_key(at),
        status=status,
        **dict.fromkeys(("scheduled_for", "due_at", "run_after", "claim_at", "queued_at"), at),
        **columns,
    )


def test_each_due_time_of_the_range_becomes_an_execution(hourly, midnight, database_now):
    job = hourly("succeeds", params={"value": 7}, priority=4, max_attempts=5, queue="heavy")

    tally = fill(job, midnight, midnight + 3 * HOUR)

    assert tally == Tally(created=4)
    assert rows_of(job) == [("backfill", "queued", midnight + number * HOUR) for number in range(4)]
    row = JobExecution.objects.order_by("scheduled_for").first()
    assert (row.dedupe_key, row.requested_by) == (occurrence_key(midnight), "ann")
    assert (row.params, row.priority, row.max_attempts, row.queue) == ({"value": 7}, 4, 5, "heavy")
    # It is asked for now, so it is not late.
    assert row.due_at == row.run_after >= database_now


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        pytest.param(timedelta(0), timedelta(0), 2, id="both-ends"),
        pytest.param(timedelta(microseconds=1), timedelta(0), 1, id="after-the-first"),
        pytest.param(timedelta(0), -timedelta(microseconds=1), 1, id="before-the-last"),
    ],
)
def test_both_ends_belong_to_the_range(hourly, midnight, before, after, count):
    assert Backfill(hourly(), start=midnight + before, end=midnight + HOUR + after).count == count


def test_doing_it_again_adds_nothing(hourly, midnight):
    job = hourly()
    fill(job, midnight, midnight + 3 * HOUR)

    assert fill(job, midnight, midnight + 3 * HOUR) == Tally(existing=4)
    assert fill(job, midnight, midnight + 5 * HOUR) == Tally(created=2, existing=4)


@pytest.mark.parametrize("status", ["queued", "running", "succeeded", "failed", "lost", "cancelled"])
def test_an_occurrence_that_history_has_is_not_repeated(hourly, midnight, status):
    job = hourly()
    record(job, midnight, status)

    assert fill(job, midnight, midnight) == Tally(existing=1)
    assert rows_of(job) == [("schedule", status, midnight)]


def test_an_occurrence_that_was_skipped_before_it_began_is_revived(hourly, midnight):
    job = hourly("succeeds", params={"value": 7}, priority=1)
    skipped = record(job, midnight, "skipped", reason="Execution 1 was still open.", finished_at=midnight)

    assert fill(job, midnight, midnight + HOUR) == Tally(created=1, revived=1)

    skipped.refresh_from_db()
    assert (skipped.status, skipped.trigger, skipped.reason, skipped.finished_at) == ("queued", "backfill", "", None)
    assert (skipped.params, skipped.priority, skipped.requested_by) == ({"value": 7}, 1, "ann")
    assert skipped.scheduled_for == midnight
    assert fill(job, midnight, midnight + HOUR) == Tally(existing=2)


def test_a_job_that_has_run_and_skipped_itself_is_not_asked_again(hourly, midnight):
    job = hourly()
    record(job, midnight, "skipped", first_started_at=midnight, attempt=1)

    assert fill(job, midnight, midnight) == Tally(existing=1)
    assert rows_of(job) == [("schedule", "skipped", midnight)]


def test_only_what_is_still_skipped_is_revived(hourly, midnight):
    job = hourly()
    row = record(job, midnight, "skipped")
    JobExecution.objects.update(status="queued")

    assert revive(job, [row]) == 0
    assert revive(job, []) == 0


def test_what_a_missed_row_covers_is_run_and_the_row_stays(hourly, midnight):
    job = hourly()
    sync(midnight)
    tick(midnight + DAY / 2)
    assert [status for _, status, _ in rows_of(job)] == ["missed", "queued"]

    assert fill(job, midnight + HOUR, midnight + DAY / 2) == Tally(created=11, existing=1)

    assert JobExecution.objects.get(status="missed").missed_count == 11


def test_what_somebody_had_skipped_ahead_can_be_made_up_for(hourly, database_now):
    job = hourly(schedule="* * * * * *")
    at = skip_next(job, by="ann").scheduled_for
    wait_for(lambda: read_clock("default") >= at)

    assert fill(job, at, at) == Tally(revived=1)


def test_excluded_days_and_what_is_outside_the_window_are_left_out(hourly, midnight):
    yesterday = Calendar.objects.create(name="yesterday", dates=[f"{midnight:%Y-%m-%d}"])
    job = hourly(calendar=yesterday, starts_at=midnight - 3 * HOUR, ends_at=midnight + DAY)

    wanted = Backfill(job, start=midnight - DAY, end=midnight + DAY)

    assert (wanted.first, wanted.last, wanted.count) == (midnight - 3 * HOUR, midnight + DAY, 4)
    assert wanted.survey() == wanted.perform(by="ann") == Tally(created=4)


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param(lambda midnight: {"starts_at": midnight + DAY}, id="not-begun"),
        pytest.param(lambda midnight: {"ends_at": midnight - DAY}, id="over"),
        pytest.param(lambda midnight: {"schedule": "@at 2020-01-01T00:00:00Z"}, id="elsewhere"),
    ],
)
def test_a_range_without_due_times_leaves_nothing_to_do(hourly, midnight, columns):
    wanted = Backfill(hourly(**columns(midnight)), start=midnight, end=midnight + 5 * HOUR)

    assert (wanted.first, wanted.last, wanted.count) == (None, None, 0)
    assert wanted.perform(by="ann") == Tally()


def test_a_survey_writes_nothing_and_says_what_would_be_done(hourly, midnight):
    job = hourly()
    record(job, midnight, "succeeded")
    record(job, midnight + HOUR, "skipped")

    with CaptureQueriesContext(connection) as captured:
        tally = Backfill(job, start=midnight, end=midnight + 5 * HOUR).survey()

    assert tally == Tally(created=4, revived=1, existing=1)
    assert {each["sql"].split()[0] for each in captured} == {"SELECT"}
    assert JobExecution.objects.count() == 2


def test_a_range_that_cannot_be_meant_is_refused(hourly, database_now):
    job = hourly()

    with pytest.raises(InvalidRequest, match="The range is reversed"):
        Backfill(job, start=database_now - HOUR, end=database_now - 2 * HOUR)
    with pytest.raises(InvalidRequest, match="is in the future"):
        Backfill(job, start=database_now - HOUR, end=database_now + HOUR)


def test_a_job_that_cannot_be_filled_says_why(hourly, make_job, midnight):
    def wanted(**columns):
        return Backfill(hourly(**columns), start=midnight, end=midnight)

    with pytest.raises(InvalidRequest, match="noop runs on demand: it was never due"):
        wanted(schedule="")
    with pytest.raises(InvalidSchedule, match="61"):
        wanted(schedule="61 * * * *")
    with pytest.raises(InvalidParameters, match="vale"):
        wanted(params={"vale": 1})


def test_what_is_older_than_history_takes_force(hourly, midnight, settings):
    settings.CRONJOBS = {"HISTORY_RETENTION": 86_400}
    job = hourly()

    with pytest.raises(InvalidRequest, match="is longer ago than executions are kept"):
        fill(job, midnight, midnight + HOUR)

    assert rows_of(job) == []
    assert fill(job, midnight, midnight + HOUR, force=True) == Tally(created=2)


def test_very_many_due_times_take_force(hourly, midnight):
    wanted = Backfill(hourly(schedule="* * * * * *"), start=midnight, end=midnight + DAY / 2)

    assert wanted.count == 43_201
    assert wanted.objection == "43,201 due times are more than the 10,000 that are written without being asked twice."


def test_a_job_that_may_not_run_by_itself_can_be_filled(hourly, midnight):
    assert fill(hourly(enabled=False, paused=True), midnight, midnight) == Tally(created=1)


def test_a_job_that_was_deleted_meanwhile_is_not_found(hourly, midnight):
    job = hourly()
    wanted = Backfill(job, start=midnight, end=midnight)
    Job.objects.all().delete()

    with pytest.raises(JobNotFound, match="noop"):
        wanted.perform(by="ann")


def test_many_due_times_are_written_batch_by_batch_in_bounded_memory(hourly, midnight):
    wanted = Backfill(hourly(schedule="*/15 * * * * *"), start=midnight, end=midnight + 10 * HOUR)

    tracemalloc.start()
    with CaptureQueriesContext(connection) as captured:
        tally = wanted.perform(by="ann")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert tally == Tally(created=2_401)
    in_turn = JobExecution.objects.order_by("claim_at", "id").values_list("scheduled_for", flat=True)
    assert list(in_turn) == sorted(in_turn)
    # Per batch of 500: the job, what history has, the rows (in chunks where a database wants them), savepoints.
    assert len(captured) <= 5 * 30
    assert peak < 20_000_000


def test_two_that_fill_the_same_range_add_each_row_once(hourly, midnight, transactional_db):
    job = hourly(schedule="* * * * *")
    tallies, errors, barrier = [], [], threading.Barrier(4)

    def work():
        try:
            wanted = Backfill(Job.objects.get(pk=job.pk), start=midnight, end=midnight + 20 * HOUR)
            barrier.wait()
            tallies.append(wanted.perform(by="ann"))
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert JobExecution.objects.count() == 1_201
    assert sum(each.created for each in tallies) == 1_201
    assert sum(each.existing for each in tallies) == 3 * 1_201


def test_what_is_due_meanwhile_goes_first(hourly, midnight):
    fill(hourly(overlap="allow"), midnight, midnight + 12 * HOUR)
    later = JobExecution.objects.request("noop")

    claimed = claim(node="a", limit=4, now=read_clock("default")).executions

    assert [each.scheduled_for for each, _ in claimed] == [later.scheduled_for, midnight]


def test_one_that_skips_itself_is_no_occurrence_skipped_ahead(hourly, midnight):
    fill(hourly("skips"), midnight, midnight)
    JobExecution.objects.update(status="skipped")

    assert skipped_ahead() == {}


def test_a_node_performs_them_one_after_another_oldest_first_with_their_own_times(
    hourly, midnight, tmp_path, transactional_db
):
    path = tmp_path / "marks"
    job = hourly("marks", overlap="allow", params={"path": str(path), "seconds": 0.1})
    # It has the lowest id, and belongs in the middle.
    record(job, midnight + 2 * HOUR, "skipped")
    fill(job, midnight, midnight + 4 * HOUR)
    node = NodeProcess(workers=4)

    try:
        node.start()
        wait_for(lambda: not JobExecution.objects.open().exists())
    finally:
        node.stop(grace=timedelta(seconds=10))

    lines = [line.split() for line in path.read_text().splitlines()]
    assert [at for _, at, *_ in lines] == [f"{midnight + n * HOUR:%Y-%m-%dT%H:%M:%SZ}" for n in range(5)]
    rows = JobExecution.objects.filter(job=job).order_by("scheduled_for")
    assert {(each.status, each.trigger) for each in rows} == {("succeeded", "backfill")}
    assert all(earlier.finished_at <= later.started_at for earlier, later in pairwise(rows))
