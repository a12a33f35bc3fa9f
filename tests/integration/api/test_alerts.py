"""Alerts over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cronjobs.models import Alert, AlertDelivery, AlertState, ApiKey
from tests.integration.api.callers import Caller, assert_error, document, grant

pytestmark = pytest.mark.django_db
AT = datetime(2026, 1, 15, 11, 30, tzinfo=UTC)


@pytest.fixture
def reader(django_user_model):
    """Somebody who may look at alerts."""
    user = django_user_model.objects.create_user("rita")
    grant(user, "view_alert")
    return Caller(user)


def alert(subject="backup", kind="failing", **columns):
    facts = {"details": "The last execution has failed.", "error_type": "RuntimeError", "error_message": "boom"}
    job_name = subject if kind == "failing" else ""
    return Alert.objects.create(**{"subject": subject, "kind": kind, "job_name": job_name, "facts": facts, **columns})


def subjects(found):
    return [each["subject"] for each in found["alerts"]]


def test_what_fires_and_what_was_told_is_shown_with_its_deliveries(reader):
    AlertState.objects.create(kind="failing", subject="backup", firing=True, since=AT, execution_id=7)
    AlertState.objects.create(kind="late", subject="backup")
    row = alert(execution_id=7, created_at=AT)
    AlertDelivery.objects.create(alert=row, notifier="ops", status="failed", attempts=3, last_error="refused")

    found = document(reader.get("/cron/alerts"))

    assert found["firing"] == [
        {"kind": "failing", "subject": "backup", "since": "2026-01-15T11:30:00.000Z", "executionId": 7}
    ]
    (told,) = found["alerts"]
    assert (told["id"], told["kind"], told["isOver"], told["jobName"]) == (row.pk, "failing", False, "backup")
    assert (told["errorType"], told["errorMessage"], told["executionId"]) == ("RuntimeError", "boom", 7)
    (delivery,) = told["deliveries"]
    assert (delivery["notifier"], delivery["status"], delivery["lastError"]) == ("ops", "failed", "refused")
    assert found["next"] is None


def test_pages_follow_one_another_without_a_gap(reader):
    for number in range(5):
        alert(f"job-{number}")

    found, seen = document(reader.get("/cron/alerts?limit=2")), []
    seen += subjects(found)
    while found["next"]:
        found = document(reader.get(found["next"]))
        seen += subjects(found)

    assert seen == [f"job-{number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("query", "told", "firing"),
    [
        ("", ["web-1", "other", "backup"], ["backup", "web-1"]),
        ("?kind=node_gone", ["web-1"], ["web-1"]),
        ("?job=backup", ["backup"], ["backup"]),
        ("?job=nobody", [], []),
    ],
)
def test_alerts_are_narrowed(reader, query, told, firing):
    alert()
    alert("other")
    alert("web-1", "node_gone")
    for kind, subject in (("failing", "backup"), ("node_gone", "web-1")):
        AlertState.objects.create(kind=kind, subject=subject, firing=True)

    found = document(reader.get(f"/cron/alerts{query}"))

    assert subjects(found) == told
    assert [each["subject"] for each in found["firing"]] == firing


@pytest.mark.usefixtures("reader")
def test_a_key_that_is_limited_to_jobs_sees_what_is_about_them(django_user_model, make_job):
    make_job("noop", name="backup")
    alert()
    alert("other")
    # A node may be called as a job is.
    alert("backup", "node_gone")
    AlertState.objects.create(kind="node_gone", subject="backup", firing=True)
    user = django_user_model.objects.get(username="rita")
    _, text = ApiKey.objects.issue(user=user, name="k", actions=["view_alert"], jobs=["backup"])
    bearer, program = {"Authorization": f"Bearer {text}"}, Caller()

    found = document(program.get("/cron/alerts", **bearer))

    assert [(each["kind"], each["subject"]) for each in found["alerts"]] == [("failing", "backup")]
    assert found["firing"] == []
    assert_error(program.get("/cron/alerts?job=other", **bearer), 403, "permission_denied")


@pytest.mark.parametrize("query", ["kind=falling", "before=0", "limit=201", "surprise=1", "job="])
def test_what_cannot_be_asked_is_refused(reader, query):
    assert_error(reader.get(f"/cron/alerts?{query}"), 400, "invalid_parameters")


def test_rows_that_sql_has_written_spoil_nothing(reader):
    alert(facts=[1], subject="x")
    alert(facts={"details": {"a": 1}, "error_type": None})

    assert len(document(reader.get("/cron/alerts"))["alerts"]) == 2
