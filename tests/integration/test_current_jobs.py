"""Jobs are kept between claims for as long as their rows, the settings and their definitions stay: no longer."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cronjobs import job
from cronjobs.models import Calendar, Job, JobExecution
from cronjobs.models.moves import claim, current
from cronjobs.models.moves.current import current_jobs
from cronjobs.registry import registry
from cronjobs.runner import Claim

pytestmark = pytest.mark.django_db


def now_of(row):
    jobs, unreadable = current_jobs([row.pk], "default")
    assert not unreadable
    return jobs.get(row.pk)


def statements_of(work):
    with CaptureQueriesContext(connection) as captured:
        work()
    return [each["sql"] for each in captured if not each["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))]


def test_a_job_that_has_not_changed_is_not_read_again(make_job):
    row = make_job("noop", name="kept")
    first = now_of(row)

    assert len(statements_of(lambda: now_of(row))) == 1
    assert now_of(row) is first
    assert now_of(row).resolve() is first.resolve()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda row: Job.objects.filter(pk=row.pk).update(queue="heavy"), id="queryset"),
        pytest.param(lambda row: _by_sql("UPDATE cronjobs_job SET queue = 'heavy' WHERE id = %s", row.pk), id="SQL"),
    ],
)
def test_an_edit_is_seen_at_once(make_job, change):
    row = make_job("noop", name="kept")
    assert now_of(row).resolve().queue == "default"
    change(row)
    assert now_of(row).resolve().queue == "heavy"


def _by_sql(sql, *params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def test_an_edited_calendar_is_seen_at_once(make_job):
    calendar = Calendar.objects.create(name="holidays", dates=["2030-01-01"])
    row = make_job("noop", name="kept", schedule="@daily", calendar=calendar)
    before = now_of(row).resolve()
    Calendar.objects.filter(pk=calendar.pk).update(dates=["2030-01-02"])
    assert now_of(row).resolve().schedule != before.schedule


def test_replaced_settings_are_seen_at_once(make_job, settings):
    row = make_job("noop", name="kept")
    before = now_of(row).resolve().retry.max_attempts
    settings.CRONJOBS = {"RETRY": {"MAX_ATTEMPTS": before + 4}}
    assert now_of(row).resolve().retry.max_attempts == before + 4


def test_a_replaced_definition_is_seen_at_once(make_job):
    job("replaced-while-kept", queue="old")(lambda context: None)
    try:
        row = make_job("replaced-while-kept")
        assert now_of(row).resolve().queue == "old"
        registry.remove("replaced-while-kept")
        job("replaced-while-kept", queue="new")(lambda context: None)
        assert now_of(row).resolve().queue == "new"
    finally:
        registry.remove("replaced-while-kept")


def test_a_deleted_job_is_gone(make_job):
    row = make_job("noop", name="kept")
    now_of(row)
    Job.objects.filter(pk=row.pk).delete()
    assert now_of(row) is None


def test_what_an_observer_does_to_a_job_is_his_own_affair(make_job):
    make_job("noop", name="kept")
    for _ in range(2):
        JobExecution.objects.request("kept")
        ((execution, ours),) = claim(node="test", limit=1, now=timezone.now()).executions
        shown = Claim.of(execution, ours).execution.job
        assert (shown, shown.queue, shown.resolve()) == (ours, None, ours.resolve())
        shown.queue, shown.enabled, shown.pk = "mine", False, None


def test_the_oldest_are_forgotten(make_job, monkeypatch):
    monkeypatch.setattr(current, "_MOST", 3)
    monkeypatch.setattr(current, "_known", {})
    rows = [make_job("noop", name=f"kept-{number}") for number in range(5)]
    for each in rows:
        now_of(each)
    assert [key[1] for key in current._known] == [each.pk for each in rows[2:]]
    assert {each.pk for each in current_jobs([each.pk for each in rows], "default")[0].values()} == {
        each.pk for each in rows
    }


def test_a_hundred_are_claimed_in_as_many_statements_as_one(make_job):
    make_job("noop", name="kept", overlap="allow")

    def statements_for(number):
        JobExecution.objects.request_many("kept", [{}] * number)
        claim(node="test", limit=number, now=timezone.now())
        JobExecution.objects.all().delete()
        JobExecution.objects.request_many("kept", [{}] * number)
        found = statements_of(lambda: claim(node="test", limit=number, now=timezone.now()))
        JobExecution.objects.all().delete()
        return found

    # Candidates, whether their job has changed, and the claim; what binds 900 values at most sends it in parts.
    assert len(statements_for(1)) == 3
    updates = [sql for sql in statements_for(100) if sql.startswith("UPDATE")]
    assert len(updates) <= 1 if connection.vendor == "postgresql" else len(updates) <= 1 + 100 * 6 // 900
    assert len(statements_for(100)) == 2 + len(updates)
