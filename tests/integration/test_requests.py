"""Executions that somebody asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.checks import run_checks
from django.db import connection, transaction

from cronjobs import job
from cronjobs.database import read_clock
from cronjobs.exceptions import InvalidParameters, InvalidRequest, JobNotFound
from cronjobs.models import Job, JobExecution
from cronjobs.models.choices import Priority
from cronjobs.registry import registry
from tests.app import jobs

pytestmark = pytest.mark.django_db


@pytest.fixture
def registered():
    """Register a definition for one test."""
    names, problems = [], list(registry.problems)

    def register(name, **options):
        names.append(name)
        return job(name, **options)(lambda context: None)

    yield register
    for name in names:
        registry.remove(name)
    registry.problems[:] = problems


def test_every_available_definition_has_a_job_after_migrate():
    names = set(Job.objects.values_list("name", flat=True))

    assert {"succeeds", "fails", "noop"} <= names


def test_creating_missing_jobs_again_keeps_what_the_operator_changed():
    Job.objects.filter(name="noop").update(schedule="@daily", enabled=False)
    Job.objects.filter(name="fails").delete()

    assert Job.objects.ensure([jobs.noop, jobs.fails]) == 1
    assert Job.objects.ensure([jobs.noop, jobs.fails]) == 0

    noop = Job.objects.named("noop")
    assert (noop.schedule, noop.enabled) == ("@daily", False)


def test_a_definition_that_cannot_say_whether_it_is_available_stops_no_other(registered):
    broken = registered("broken-condition", only_if=lambda: 1 / 0)
    Job.objects.filter(name="noop").delete()

    assert Job.objects.ensure([broken, jobs.noop]) == 1
    assert Job.objects.ensure([broken, jobs.noop]) == 0

    assert not Job.objects.filter(name="broken-condition").exists()
    found = [(each.id, each.msg) for each in run_checks(tags=["cronjobs"]) if "broken-condition" in each.msg]
    assert found == [("cronjobs.W001", "Job 'broken-condition': only_if fails: ZeroDivisionError: division by zero")]


def test_enqueue_records_a_row_and_runs_nothing():
    execution = jobs.succeeds.enqueue(value=5)

    assert (execution.status, execution.trigger, execution.params) == ("queued", "manual", {"value": 5})
    assert execution.dedupe_key is None


def test_enqueue_takes_a_time_and_a_priority():
    later = datetime(2030, 1, 1, tzinfo=UTC)

    execution = jobs.succeeds.enqueue(run_at=later, priority=5)

    assert (execution.run_after, execution.scheduled_for, execution.priority) == (later, later, 5)


@pytest.mark.parametrize("priority", [0, 6, 99, -3, True, 3.0, "hihg", ""])
def test_a_priority_that_there_is_not_is_refused(priority):
    with pytest.raises(InvalidRequest, match="priority is 1 to 5 or one of background, low"):
        jobs.succeeds.enqueue(priority=priority)

    assert not JobExecution.objects.exists()


def test_a_priority_is_a_number_or_its_name():
    assert jobs.succeeds.enqueue(priority="critical").priority == 5
    assert jobs.succeeds.enqueue(priority=Priority.LOW).priority == 2


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(InvalidRequest, match="needs a zone, which 2030-01-01T00:00:00 does not have"):
        jobs.succeeds.enqueue(run_at=datetime(2030, 1, 1))  # noqa: DTZ001 - what is refused


def test_a_repeated_key_returns_the_first_row():
    first = jobs.succeeds.enqueue(key="order 7", value=1)
    second = jobs.succeeds.enqueue(key="order 7", value=2)
    other = jobs.succeeds.enqueue(key="order 8", value=3)

    assert second.pk == first.pk
    assert second.params == {"value": 1}
    assert other.pk != first.pk


def test_enqueue_belongs_to_the_callers_transaction():
    with transaction.atomic():
        jobs.succeeds.enqueue()
        transaction.set_rollback(True)

    assert not JobExecution.objects.exists()


def test_bad_requests_are_refused_with_a_sentence_and_leave_nothing():
    with pytest.raises(InvalidParameters, match="valeu: There is no such parameter"):
        jobs.succeeds.enqueue(valeu=1)
    with pytest.raises(JobNotFound, match="There is no job named 'nobody'"):
        JobExecution.objects.request("nobody")

    assert not JobExecution.objects.exists()


def test_the_engines_clock_is_the_databases(make_job):
    before = read_clock("default")
    execution = JobExecution.objects.request("succeeds")
    after = read_clock("default")

    assert before - timedelta(milliseconds=1) <= execution.run_after <= after + timedelta(milliseconds=1)
    assert abs(after - datetime.now(UTC)) < timedelta(minutes=1)


def test_many_are_recorded_in_their_order_as_if_one_by_one():
    several = [{"value": number} for number in range(7)]
    rows = jobs.succeeds.enqueue_many(several, priority=Priority.HIGH)
    alone = jobs.succeeds.enqueue(value=0, priority=Priority.HIGH)

    stored = JobExecution.objects.in_bulk([each.pk for each in rows])
    assert [stored[each.pk].params for each in rows] == several
    same = ("job_id", "job_name", "status", "trigger", "priority", "queue", "max_attempts", "waits_for", "requested_by")
    assert {tuple(getattr(each, name) for name in same) for each in [*stored.values(), alone]} == {
        tuple(getattr(alone, name) for name in same)
    }
    assert all(each.claim_at - each.due_at == alone.claim_at - alone.due_at for each in stored.values())


def test_many_take_few_statements(django_assert_max_num_queries):
    # The job, the clock, three inserts, and a transaction around them; of SQLite, as many as 999 values allow.
    with django_assert_max_num_queries(80 if connection.vendor == "sqlite" else 7):
        JobExecution.objects.request_many("noop", [{}] * 1_500)

    assert JobExecution.objects.count() == 1_500


def test_if_one_of_many_does_not_fit_none_is_recorded():
    with pytest.raises(InvalidParameters):
        jobs.succeeds.enqueue_many([{"value": 1}, {"nonsense": 2}])
    with pytest.raises(JobNotFound):
        JobExecution.objects.request_many("nobody", [{}])
    with pytest.raises(InvalidRequest):
        jobs.noop.enqueue_many([{}], run_at=datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused

    with pytest.raises(InvalidRequest, match="list"):
        jobs.noop.enqueue_many({"value": 1})
    with pytest.raises(InvalidRequest, match="too early"):
        jobs.noop.enqueue_many([{}], run_at=datetime.min.replace(tzinfo=UTC))

    assert not JobExecution.objects.exists()
    assert jobs.noop.enqueue_many([]) == []
