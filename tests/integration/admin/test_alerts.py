"""Alerts in the admin, and what fires on the dashboard."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cronjobs.models import Alert, AlertDelivery, AlertState
from tests.integration.admin.pages import ALERTS, DASHBOARD, change_url, get, text_of


def subjects_on(source):
    """Return the subjects of the rows that a list shows, from top to bottom."""
    return re.findall(r'class="field-shown_subject"><span[^>]*>([^<]*)<', source)


def test_an_alert_says_what_was_told_and_whether_it_arrived(viewer, make_alert):
    alert = make_alert()
    AlertDelivery.objects.create(
        alert=alert, notifier="hook", status="failed", last_error="refused by hook.example.com"
    )

    for url in (ALERTS, change_url(alert)):
        text = text_of(get(viewer, url))
        for part in ("Failing", "noop", "The last execution has failed.", "ops Sent", "hook Failed", "refused by hook"):
            assert part in text
    assert "RuntimeError: boom" in text


@pytest.mark.parametrize(
    ("is_resolution", "sentence"),
    [
        (False, "Told nobody: there was no notifier for it when it began."),
        (True, "Told nobody: there was no notifier for it, or none that had been told of the beginning."),
    ],
)
def test_that_nobody_was_told_is_said_on_its_page(viewer, make_alert, is_resolution, sentence):
    alert = make_alert(is_resolution=is_resolution)
    AlertDelivery.objects.all().delete()

    assert sentence in text_of(get(viewer, change_url(alert)))


def test_what_is_over_says_so(viewer, make_alert):
    make_alert(is_resolution=True)

    assert "Failing Over" in text_of(get(viewer, ALERTS))


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({}, ["web-1", "backup", "backup"]),
        ({"kind__exact": "node_gone"}, ["web-1"]),
        ({"is_resolution__exact": "1"}, ["backup"]),
        ({"is_resolution__exact": "0"}, ["web-1", "backup"]),
        ({"past": "hour"}, ["web-1"]),
        ({"q": "back"}, ["backup", "backup"]),
    ],
)
def test_the_list_is_narrowed(viewer, make_alert, params, found):
    make_alert(subject="backup")
    make_alert(subject="backup", is_resolution=True)
    make_alert(kind="node_gone", subject="web-1", job_name="", created_at=timezone.now())

    assert subjects_on(get(viewer, ALERTS, **params)) == found


def test_facts_that_are_none_spoil_no_page(viewer, make_alert):
    for facts in ([], "text", {"log_lines": "none", "details": 5}, {"log_lines": [1, {"message": "<b>"}]}):
        alert = make_alert(facts=facts)
        get(viewer, change_url(alert))
    assert len(subjects_on(get(viewer, ALERTS))) == Alert.objects.count() == 4


def test_secrets_in_facts_are_masked_once_more(viewer, make_alert):
    alert = make_alert(facts={"error_message": "password=hunter2", "token": "hunter2"})

    assert "hunter2" not in get(viewer, change_url(alert))


def test_the_dashboard_says_what_fires(viewer, make_job):
    for kind, subject in (("failing", "backup"), ("failing", "import"), ("late", "report"), ("node_gone", "web-1")):
        AlertState.objects.create(kind=kind, subject=subject, firing=True)
    AlertState.objects.create(kind="lost", subject="cleanup")

    text = text_of(get(viewer, DASHBOARD))

    assert "Failing: backup, import." in text
    assert "Late: report." in text
    assert "cleanup." not in text
    assert "web-1." not in text


def test_the_list_does_not_read_the_log_lines_that_alerts_carry(viewer, make_alert):
    make_alert()

    with CaptureQueriesContext(connection) as captured:
        get(viewer, ALERTS)

    asked = [each["sql"].replace("`", '"') for each in captured]
    lists = [sql for sql in asked if 'FROM "cronjobs_alert" ORDER BY' in sql]
    assert lists
    # The database takes the sentence out of it; by itself the column is not read.
    assert not [sql for sql in lists if re.search(r'(?<!\()"cronjobs_alert"."facts"', sql)]


def test_the_page_of_an_alert_leads_to_the_job_while_there_is_one(viewer, make_alert, make_job):
    alert = make_alert(subject="report", job_name="report")
    assert 'href="/admin/cronjobs/job/' not in get(viewer, change_url(alert)).partition("field-linked_subject")[2][:400]

    job = make_job("report")

    assert f'<a href="{change_url(job)}">report</a>' in get(viewer, change_url(alert))
