"""Looking at jobs over HTTP: one, and all of them page by page."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs.database import read_clock
from cronjobs.models import Calendar, Job, Queue
from cronjobs.models.queue import EVERYTHING
from cronjobs.scheduler.plans import sync
from tests.integration.api.callers import TIME, assert_error, document
from tests.integration.api.jobs import EVERY_COLUMN

pytestmark = pytest.mark.django_db


def test_a_job_is_shown_with_what_is_set_and_what_that_comes_to(viewer, noop, make_job):
    make_job("succeeds", name="after", depends_on="noop:always", schedule=None)
    sync(read_clock("default"))

    found = document(viewer.get("/cron/jobs/noop"))

    assert (found["success"], found["name"], found["definition"]) == (True, "noop", "noop")
    assert (found["schedule"], found["timeZone"], found["maxAttempts"]) == ("@hourly", None, None)
    assert found["effective"]["timeZone"] == "UTC"
    assert found["effective"]["overlap"] == "allow"
    assert set(found["effective"]) <= set(EVERY_COLUMN)
    assert set(EVERY_COLUMN) <= set(found)
    assert TIME.fullmatch(found["nextRun"])
    assert (found["isPaused"], found["broken"], found["brokenReason"]) == (False, False, None)
    assert (found["dependencies"], found["dependents"]) == ({}, {"after": "always"})
    assert document(viewer.get(found["url"]))["name"] == "noop"
    after = document(viewer.get("/cron/jobs/after/"))
    assert (after["dependsOn"], after["dependencies"], after["nextRun"]) == ({"noop": "always"},) * 2 + (None,)


def test_a_broken_job_says_why_and_hides_nothing_else(viewer, noop):
    Job.objects.update(time_zone="Mars/Base", depends_on="???")

    (found,) = document(viewer.get("/cron/jobs"))["jobs"]

    assert found["broken"] is True
    assert "Mars/Base" in found["brokenReason"]
    assert (found["effective"], found["timeZone"], found["dependsOn"]) == (None, "Mars/Base", "???")
    assert document(viewer.get("/cron/jobs/noop"))["broken"] is True
    assert_error(viewer.get("/cron/jobs/noop/preview"), 409, "job_broken")


def test_secrets_in_parameters_are_masked(viewer, noop):
    Job.objects.update(params={"password": "hunter2", "url": "https://ann:hunter2@example.org"})

    for path in ("/cron/jobs", "/cron/jobs/noop"):
        answer = viewer.get(path)
        assert "hunter2" not in answer.content.decode()
        assert '"password":"***"' in answer.content.decode()


def test_everything_paused_is_said_of_each_job(viewer, noop):
    sync(read_clock("default"))
    Queue.objects.named(EVERYTHING).pause()

    found = document(viewer.get("/cron/jobs/noop"))

    assert (found["paused"], found["isPaused"], found["nextRun"]) == (False, True, None)


def test_the_list_is_read_in_pages_by_name(viewer, noop, make_job):
    for number in range(5):
        make_job("noop", name=f"noop-{number}")
    names = [f"noop-{number}" for number in range(5)]

    pages, address = [], "/cron/jobs/?limit=2"
    while address is not None:
        page = document(viewer.get(address))
        pages.append([each["name"] for each in page["jobs"]])
        address = page["next"]

    assert pages == [["noop", *names[:1]], names[1:3], names[3:]]
    assert document(viewer.get("/cron/jobs?after=zzz"))["jobs"] == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=-1", "limit=²", "after=%00", "after=" + "n" * 256, "page=2"]
)
def test_a_page_that_cannot_be_meant_is_refused(viewer, noop, query):
    found = assert_error(viewer.get(f"/cron/jobs?{query}"), 400, "invalid_parameters")

    assert set(found["errors"]) == {query.partition("=")[0]}


def test_the_list_asks_as_often_for_10_100_and_1000_jobs(viewer):
    Job.objects.all().delete()
    calendar = Calendar.objects.create(name="holidays", dates=["2026-12-25"])
    counts = []
    for count in (10, 100, 1000):
        Job.objects.bulk_create(
            Job(name=f"job-{number}", definition="noop", schedule="*/5 * * * *", calendar=calendar, depends_on=None)
            for number in range(Job.objects.count(), count)
        )
        while Job.objects.stale().exists():
            sync(read_clock("default"))
        viewer.get("/cron/jobs?limit=1")
        with CaptureQueriesContext(connection) as captured:
            answer = document(viewer.get("/cron/jobs?limit=1000"))
        assert len(answer["jobs"]) == count
        assert all(each["nextRun"] for each in answer["jobs"])
        counts.append(len(captured))

    assert counts[0] == counts[1] == counts[2] <= 15


def test_looking_writes_nothing(viewer, noop):
    with CaptureQueriesContext(connection) as captured:
        for path in ("jobs", "jobs/noop", "jobs/noop/preview"):
            assert viewer.get(f"/cron/{path}").status_code == 200

    assert all(each["sql"].startswith("SELECT") for each in captured)


STRANGE = ["reports/daily", "a.b", "x y", "nächtlich 日報", "..", "a%2Fb", "?q", "<b>", ""]


@pytest.mark.parametrize("name", STRANGE)
def test_a_name_that_sql_has_written_stops_no_list(viewer, noop, make_job, name):
    make_job("noop", name=name)

    jobs = document(viewer.get("/cron/jobs"))["jobs"]

    assert sorted(each["name"] for each in jobs) == sorted(["noop", name])
    assert document(viewer.get("/cron/jobs/noop"))["name"] == "noop"


@pytest.mark.parametrize("after", ["\U0001f600", "日報", "%", "'", "n" * 255])
def test_a_page_may_begin_after_any_text(viewer, noop, after):
    assert viewer.get(f"/cron/jobs?after={quote(after)}").status_code == 200
