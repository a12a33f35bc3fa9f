"""How many are kept of each job, and what is counted how."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs.models import (
    Alert,
    AlertDelivery,
    AuditEntry,
    ExecutionLog,
    HourlyRollup,
    JobExecution,
    RolledHour,
    Suspect,
)
from cronjobs.retention import Pace, Purge, Purged, current_policy
from tests.integration.retention.conftest import DAY, add_traces, left, no_rest, purge
from tests.integration.tables import everything

pytestmark = pytest.mark.django_db


@pytest.fixture
def jobs(make_job):
    return [make_job("noop"), make_job("succeeds")]


def test_so_many_of_each_job_and_as_many_failures_are_kept(jobs, record, database_now):
    rows = {
        (job.name, status): [record(job, 10 - n, status) for n in range(5)]
        for job in jobs
        for status in ("succeeded", "failed")
    }

    assert purge(database_now, per_job=2).executions == 12
    assert left() == sorted(each.pk for group in rows.values() for each in group[-2:])


def test_what_is_young_counts_but_does_not_go(jobs, record, database_now):
    for _ in range(3):
        record(jobs[0], 10)
    young = [record(jobs[0], 0.5) for _ in range(4)]

    assert purge(database_now, per_job=2).executions == 3
    assert left() == [each.pk for each in young]


def test_all_that_did_not_fail_are_one_group(jobs, record, database_now):
    statuses = ("succeeded", "skipped", "missed", "cancelled", "skipped")
    rows = [record(jobs[0], 10 - n, status, trigger="manual") for n, status in enumerate(statuses)]

    purge(database_now, per_job=2)

    # The success is the newest one.
    assert left() == [rows[0].pk, rows[3].pk, rows[4].pk]


def test_the_number_is_a_setting_and_age_holds_beside_it(jobs, record, database_now, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "HISTORY_PER_JOB": 3, "HISTORY_RETENTION": 10 * DAY}
    for days in (40, 30, 20, 9, 8):
        record(jobs[0], days)
    kept = [record(jobs[0], days) for days in (7, 6, 5)]

    assert purge(database_now).executions == 5
    assert left() == [each.pk for each in kept]


def test_by_number_a_flow_that_is_open_stays_and_a_root_goes_last(jobs, record, database_now):
    root = record(jobs[0], 20)
    record(jobs[1], 20, flow=root.pk)
    open_root = record(jobs[0], 19)
    settled, waiting = record(jobs[1], 19, flow=open_root.pk), record(jobs[1], 19, "queued", flow=open_root.pk)
    newest = [record(job, 2) for job in jobs]
    unfinished = [open_root.pk, settled.pk, waiting.pk, *(each.pk for each in newest)]

    assert purge(database_now, per_job=1).executions == 1
    assert left() == [root.pk, *unfinished]

    assert purge(database_now, per_job=1).executions == 1
    assert left() == unfinished


def test_a_survey_writes_nothing(jobs, record, database_now):
    for days in (60, 50, 40):
        add_traces(record(jobs[0], days))
    before = everything()

    found = Purge(current_policy(database_now)).survey()

    assert found == Purged(executions=2, attempts=2, log_lines=4)
    assert everything() == before


@pytest.mark.parametrize("size", [1, 7, None])
@pytest.mark.parametrize("per_job", [None, 5])
def test_a_survey_comes_to_the_same_as_the_purge_of_a_mixed_history(jobs, record, database_now, size, per_job):
    statuses = ("succeeded", "failed", "skipped", "lost", "queued", "missed", "cancelled", "timed_out")
    roots = []
    for number in range(120):
        row = record(jobs[number % 2], 120 - number, statuses[number % len(statuses)])
        if number % 10 == 0:
            roots.append(row.pk)
        elif number % 3 == 0:
            JobExecution.objects.filter(pk=row.pk).update(flow=roots[-1])
        add_traces(row)
    total = JobExecution.objects.count()

    # `purge` compares the two.
    tally = purge(database_now, size=size, per_job=per_job)

    assert 20 < tally.executions < total
    assert (tally.attempts, tally.log_lines) == (tally.executions, 2 * tally.executions)
    assert JobExecution.objects.count() == total - tally.executions
    assert ExecutionLog.objects.exclude(execution__in=JobExecution.objects.all()).count() == 0


def test_alerts_go_with_their_deliveries_when_they_are_old_and_nobody_has_still_to_be_told(database_now):
    def alert(days: int, *statuses: str) -> int:
        made = Alert.objects.create(kind="failing", subject="noop", created_at=database_now - days * DAY)
        for number, status in enumerate(statuses):
            AlertDelivery.objects.create(alert=made, notifier=f"n{number}", status=status)
        return made.pk

    alert(91), alert(92, "sent", "failed")
    kept = [alert(91, "sent", "pending"), alert(89, "sent")]

    assert purge(database_now, size=1) == Purged(alerts=2)
    assert sorted(Alert.objects.values_list("pk", flat=True)) == kept
    assert set(AlertDelivery.objects.values_list("alert_id", flat=True)) == set(kept)
    assert AlertDelivery.objects.count() == 3


def test_other_records_go_when_they_are_old(database_now):
    for days in (200, 91, 89):
        AuditEntry.objects.create(at=database_now - days * DAY, status=200)
        Suspect.objects.create(subject=str(days), told_at=database_now - days * DAY)
        alert = Alert.objects.create(kind="failing", created_at=database_now - days * DAY)
        AlertDelivery.objects.create(alert=alert, notifier="ops", status="sent")
    for days in (800, 731, 729):
        hour = database_now - days * DAY
        RolledHour.objects.create(hour=hour, executions=1)
    Suspect.objects.create(subject="nobody was told of")

    assert purge(database_now, size=1) == Purged(audit_entries=2, suspects=2, alerts=2, rollups=2)
    assert (AuditEntry.objects.count(), Suspect.objects.count(), RolledHour.objects.count()) == (1, 2, 1)
    assert HourlyRollup.objects.count() == 0
    assert (Alert.objects.get(), AlertDelivery.objects.get().alert) == (alert, alert)


def test_a_suspect_is_remembered_for_the_whole_window(database_now, settings):
    window = {"AUDIT_RETENTION": 2 * DAY, "SUSPICIOUS_WINDOW": 5 * DAY}
    settings.CRONJOBS = {**settings.CRONJOBS, **window}
    for days in (3, 6):
        Suspect.objects.create(subject=str(days), told_at=database_now - days * DAY)

    assert purge(database_now).suspects == 1


def test_a_batch_takes_the_same_few_statements_for_some_as_for_many(jobs, record, database_now):
    def statements(number):
        for _ in range(number):
            add_traces(record(jobs[0], 40))
        policy = current_policy(database_now)
        with CaptureQueriesContext(connection) as queries:
            Purge(policy, pace=Pace(rest=no_rest, size=500)).perform()
        return len(queries)

    record(jobs[0], 1.5)
    assert statements(300) == statements(150)


def test_a_retention_of_centuries_keeps_everything(jobs, record, database_now, settings):
    settings.CRONJOBS = {
        **settings.CRONJOBS,
        **dict.fromkeys(("HISTORY_RETENTION", "FAILURE_RETENTION", "AUDIT_RETENTION"), timedelta.max),
    }
    record(jobs[0], 4_000)
    record(jobs[0], 3_000)

    assert purge(database_now) == Purged()
