"""Due times become rows: each once, whatever happened before."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django_apscheduler.models import DjangoJob

from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.clock_rows import clock_id
from cronjobs.scheduler.looks import look
from cronjobs.scheduler.plans import mend, reconcile, restore, sync
from cronjobs.scheduler.ticks import tick
from tests.integration.conftest import NOON, rows_of

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def next_run_time(job):
    return DjangoJob.objects.get(id=clock_id(job.pk)).next_run_time


def tick_all(now):
    sync(now)
    while tick(now):
        pass


@pytest.fixture(autouse=True)
def _nothing_else_scheduled(db):
    Job.objects.all().delete()


def test_a_new_job_is_planned_from_now_on(make_job):
    job = make_job(schedule="* * * * *")
    assert look().is_stale

    assert sync(NOON) == 1

    assert next_run_time(job) == NOON + MINUTE
    assert not look().is_stale
    assert rows_of(job) == []


def test_a_due_time_becomes_one_row_and_the_clock_moves_on(make_job):
    job = make_job(schedule="* * * * *", params={"value": 7}, priority=4, max_attempts=5)
    sync(NOON)

    assert tick(NOON + MINUTE) == 1
    assert tick(NOON + MINUTE) == 0

    assert rows_of(job) == [("schedule", "queued", NOON + MINUTE)]
    assert next_run_time(job) == NOON + 2 * MINUTE
    row = JobExecution.objects.get(job=job)
    assert (row.dedupe_key, row.params, row.priority, row.max_attempts) == ("@2026-01-15T12:01:00Z", {"value": 7}, 4, 5)


def test_the_row_of_an_occurrence_exists_once_even_if_the_clock_is_set_back(make_job):
    job = make_job("noop", schedule="* * * * *")
    sync(NOON)
    tick(NOON + MINUTE)
    JobExecution.objects.update(status="running")
    DjangoJob.objects.update(next_run_time=NOON + MINUTE)

    tick(NOON + MINUTE)

    assert rows_of(job) == [("schedule", "running", NOON + MINUTE)]


def test_the_clock_row_holds_json_and_never_a_pickle(make_job):
    job = make_job(schedule="*/5 * * * *", time_zone="Europe/Berlin")
    sync(NOON)

    state = json.loads(bytes(DjangoJob.objects.get(id=clock_id(job.pk)).job_state))

    assert (state["schedule"], state["timeZone"], state["active"]) == ("*/5 * * * *", "Europe/Berlin", True)


def test_rows_of_others_are_never_touched(make_job):
    job = make_job(schedule="* * * * *")
    foreign = [
        DjangoJob(id=name, next_run_time=NOON, job_state=b"\x80pickle") for name in ("cronjob", "mine", "cronjobs:x")
    ]
    DjangoJob.objects.bulk_create(foreign)
    sync(NOON)

    tick_all(NOON + MINUTE)
    reconcile(NOON + MINUTE)

    assert rows_of(job) == [("schedule", "queued", NOON + MINUTE)]
    kept = DjangoJob.objects.filter(id__in=["cronjob", "mine"])
    assert {(each.next_run_time, bytes(each.job_state)) for each in kept} == {(NOON, b"\x80pickle")}


@pytest.mark.parametrize(
    "change", [{"schedule": "*/10 * * * *"}, {"time_zone": "Asia/Kathmandu"}, {"enabled": False}], ids=str
)
def test_an_edit_by_any_way_is_seen_and_never_fires_the_past(make_job, change):
    job = make_job(schedule="*/30 * * * *")
    sync(NOON)

    Job.objects.filter(pk=job.pk).update(**change)
    assert look().is_stale
    tick_all(NOON + timedelta(hours=5, minutes=1))

    assert rows_of(job) == []
    assert not look().is_stale


def test_a_paused_job_resumes_by_itself(make_job):
    job = make_job(schedule="* * * * *", paused=True, paused_until=NOON + 10 * MINUTE)

    sync(NOON)

    assert next_run_time(job) == NOON + 11 * MINUTE


def test_a_job_enabled_again_starts_from_now(make_job):
    job = make_job(schedule="0 * * * *")
    sync(NOON)
    Job.objects.update(enabled=False)
    tick_all(NOON + MINUTE)
    Job.objects.update(enabled=True)

    tick_all(NOON + timedelta(hours=7, minutes=1))

    assert rows_of(job) == []
    assert next_run_time(job) == NOON + timedelta(hours=8)


def test_an_outage_leaves_the_latest_due_time_and_one_missed_row(make_job):
    job = make_job(schedule="* * * * *")
    sync(NOON)

    tick_all(NOON + timedelta(days=1, seconds=30))

    latest = NOON + timedelta(days=1)
    assert rows_of(job) == [("schedule", "missed", latest - MINUTE), ("catch_up", "queued", latest)]
    missed = JobExecution.objects.get(status="missed")
    assert (missed.missed_from, missed.missed_until, missed.missed_count) == (NOON + MINUTE, latest - MINUTE, 1_439)
    assert next_run_time(job) == latest + MINUTE


def test_a_due_time_is_skipped_while_an_earlier_execution_is_open(make_job):
    job = make_job("succeeds", schedule="* * * * *")
    sync(NOON)
    tick(NOON + MINUTE)
    (first,) = JobExecution.objects.filter(job=job)

    tick(NOON + 2 * MINUTE)

    assert rows_of(job) == [("schedule", "queued", NOON + MINUTE), ("schedule", "skipped", NOON + 2 * MINUTE)]
    assert JobExecution.objects.get(status="skipped").reason == f"Execution {first.pk} was still open."


def test_a_job_that_may_overlap_is_never_skipped(make_job):
    job = make_job("noop", schedule="* * * * *")
    sync(NOON)
    tick(NOON + MINUTE)
    tick(NOON + 2 * MINUTE)

    assert [status for _, status, _ in rows_of(job)] == ["queued", "queued"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schedule": "61 * * * *"}, "minute"),
        ({"time_zone": "Mars/Base"}, "Mars/Base"),
        ({"definition": "nobody"}, "'nobody'"),
        ({"params": [1]}, "JSON object"),
        ({"priority": 5, "catch_up": "some"}, "some"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_one_bad_row_stops_nobody_and_recovers_once_mended(make_job, change, reason):
    healthy = make_job("noop", name="healthy", schedule="* * * * *")
    bad = make_job("noop", name="bad", schedule="* * * * *")
    good = {column: getattr(bad, column) for column in change}
    sync(NOON)
    Job.objects.filter(pk=bad.pk).update(**change)

    tick_all(NOON + MINUTE)

    bad.refresh_from_db()
    assert reason in bad.broken_reason
    assert rows_of(bad) == []
    assert rows_of(healthy) == [("schedule", "queued", NOON + MINUTE)]

    Job.objects.filter(pk=bad.pk).update(**good)
    sync(NOON + MINUTE)
    mend(NOON + MINUTE)
    tick_all(NOON + 2 * MINUTE)

    bad.refresh_from_db()
    assert bad.broken_reason == ""
    assert rows_of(bad) == [("schedule", "queued", NOON + 2 * MINUTE)]


def test_a_clock_row_that_somebody_deleted_comes_back_where_history_ends(make_job):
    job = make_job("noop", schedule="* * * * *")
    sync(NOON)
    tick(NOON + MINUTE)
    DjangoJob.objects.all().delete()

    assert restore(NOON + 5 * MINUTE) == 1

    assert next_run_time(job) == NOON + 2 * MINUTE
    assert restore(NOON + 5 * MINUTE) == 0


def test_an_unreadable_clock_row_is_written_anew(make_job):
    job = make_job("noop", schedule="* * * * *")
    sync(NOON)
    DjangoJob.objects.update(job_state=b"\x80\x05garbage")

    assert reconcile(NOON + MINUTE) == 1
    assert reconcile(NOON + MINUTE) == 0
    assert next_run_time(job) == NOON + 2 * MINUTE


def test_changed_settings_are_seen_at_the_next_start_and_never_fire_the_past(make_job, settings):
    job = make_job(schedule="30 16 * * *")
    own = make_job(name="own", schedule="30 16 * * *", time_zone="UTC")
    sync(NOON)

    settings.CRONJOBS = {"TIME_ZONE": "America/New_York"}
    start = NOON + timedelta(hours=6)
    reconcile(start)

    assert next_run_time(job) == NOON.replace(hour=21, minute=30)
    # A job with its own zone is late, and its misfire rules decide, as after any outage.
    assert next_run_time(own) == NOON.replace(hour=16, minute=30)
    tick_all(start)
    assert rows_of(job) == []


def test_a_clock_that_went_back_silences_nobody(make_job):
    minutely, daily = (
        make_job("noop", name="a", schedule="* * * * *"),
        make_job("noop", name="b", schedule="0 15 * * *"),
    )
    three = NOON + timedelta(hours=3)
    sync(NOON)
    tick_all(three)
    tick_all(three + timedelta(hours=2))
    back = three + timedelta(seconds=60)

    reconcile(back, rewind=True)
    tick_all(back + MINUTE)

    assert next_run_time(minutely) == back + 2 * MINUTE
    assert [at for _, status, at in rows_of(daily) if status == "queued"] == [three]


def test_deleting_a_job_keeps_its_history_and_silences_its_clock(make_job):
    job = make_job("noop", schedule="* * * * *")
    sync(NOON)
    tick(NOON + MINUTE)
    pk = job.pk
    job.delete()

    tick_all(NOON + 2 * MINUTE)

    assert JobExecution.objects.get().job_name == "noop"
    assert DjangoJob.objects.get(id=clock_id(pk)).next_run_time is None


def test_nothing_is_planned_while_the_setting_pauses_everything(make_job, settings):
    job = make_job("noop", schedule="* * * * *")
    settings.CRONJOBS = {"PAUSED": True}

    sync(NOON)

    assert next_run_time(job) is None


def test_a_tick_of_many_jobs_takes_as_many_statements_as_one_of_few(make_job, django_assert_max_num_queries):
    for number in range(60):
        make_job("noop", name=f"job-{number}", schedule="* * * * *")
    sync(NOON)

    with django_assert_max_num_queries(11):
        assert tick(NOON + MINUTE) == 60

    assert JobExecution.objects.count() == 60
