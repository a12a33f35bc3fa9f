"""Making, changing, pausing, skipping and deleting jobs over HTTP."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.db import connection
from django.test import Client
from rest_framework.authtoken.models import Token

from cronjobs.database import read_clock
from cronjobs.models import Calendar, Job, JobExecution
from cronjobs.scheduler.plans import sync
from tests.integration.api.callers import assert_error, document
from tests.integration.api.jobs import EVERY_COLUMN, entries, rows

pytestmark = pytest.mark.django_db


def test_a_job_is_made_of_every_column(editor, noop):
    Calendar.objects.create(name="holidays", dates=["2026-12-25"])

    answer = editor.post("/cron/jobs", {"name": "mine", **EVERY_COLUMN})

    made = document(answer)
    assert answer.status_code == 201, made
    assert answer["Location"] == made["url"] == "/cron/jobs/mine"
    assert {key: made[key] for key in EVERY_COLUMN} == EVERY_COLUMN
    assert document(editor.get("/cron/jobs/mine/"))["effective"]["rateLimit"] == "10/m"
    job = Job.objects.get(name="mine")
    assert (job.jitter, job.depends_on, job.memory_limit) == (timedelta(seconds=1.5), "noop:always", 2**28)
    assert entries() == [("eddie", ADDITION, "mine")]
    assert document(editor.patch("/cron/jobs/mine", EVERY_COLUMN))["updatedAt"] == made["updatedAt"]
    assert len(entries()) == 1


def test_a_job_inherits_what_is_not_said(editor, noop):
    made = document(editor.post("/cron/jobs/", {"name": "mine", "definition": "noop"}))

    assert {made[key] for key in ("schedule", "timeZone", "queue", "dependsOn", "timeoutSeconds")} == {None}
    assert (made["params"], made["enabled"], made["owner"]) == ({}, True, "")


def test_only_what_is_named_is_changed_and_recorded(editor, noop):
    sync(read_clock("default"))
    before = rows()[0]

    found = document(editor.patch("/cron/jobs/noop", {"schedule": "@daily", "timeoutSeconds": None, "owner": ""}))

    assert (found["schedule"], found["effective"]["schedule"]) == ("@daily", "0 0 * * *")
    after = rows()[0]
    assert {key for key in after if after[key] != before[key]} == {"schedule", "updated_at", "stale"}
    assert entries() == [("eddie", CHANGE, "noop")]
    assert json.loads(LogEntry.objects.get().change_message) == [
        {"changed": {"fields": ["schedule"], "values": {"schedule": ["@hourly", "@daily"]}}}
    ]
    assert list(Job.objects.stale().values_list("name", flat=True)) == ["noop"]


def test_null_inherits_and_an_empty_schedule_is_on_demand_only(editor, noop):
    assert document(editor.patch("/cron/jobs/noop", {"schedule": ""}))["schedule"] == ""
    assert document(editor.patch("/cron/jobs/noop", {"schedule": None}))["schedule"] is None
    assert document(editor.patch("/cron/jobs/noop", {"dependsOn": {}}))["dependsOn"] == {}
    assert document(editor.patch("/cron/jobs/noop", {"dependsOn": None}))["dependsOn"] is None


def test_masked_values_that_are_sent_back_stay_what_they_were(editor, define):
    name = define(lambda context, **options: None)
    stored = {"token": "s3cr3t", "nested": [{"password": "hunter2"}], "days": 1}
    Job.objects.filter(name=name).update(params=stored)

    shown = document(editor.get(f"/cron/jobs/{name}"))["params"]
    assert "hunter2" not in json.dumps(shown)
    document(editor.patch(f"/cron/jobs/{name}", {"params": {**shown, "days": 2}}))
    assert Job.objects.get(name=name).params == {**stored, "days": 2}
    assert len(entries()) == 1

    document(editor.patch(f"/cron/jobs/{name}", {"params": shown | {"days": 2, "token": "new"}}))
    assert Job.objects.get(name=name).params == {**stored, "days": 2, "token": "new"}
    assert "new" not in editor.get(f"/cron/jobs/{name}").content.decode().partition('"params"')[2].partition("}")[0]


def test_parameters_that_python_takes_for_the_same_are_changed(editor, make_job):
    make_job("succeeds", params={"value": 1})

    assert document(editor.patch("/cron/jobs/succeeds", {"params": {"value": True}}))["params"]["value"] is True
    assert Job.objects.get(name="succeeds").params["value"] is True


def test_a_project_without_the_admin_changes_jobs_all_the_same(editor, noop, settings):
    settings.INSTALLED_APPS = [each for each in settings.INSTALLED_APPS if each != "django.contrib.admin"]

    assert document(editor.patch("/cron/jobs/noop", {"owner": "ann"}))["owner"] == "ann"
    assert not LogEntry.objects.exists()


def test_a_broken_job_can_be_disabled_and_mended(editor, noop):
    Job.objects.update(definition="gone", time_zone="Mars/Base")

    assert document(editor.patch("/cron/jobs/noop", {"enabled": False}))["enabled"] is False
    assert_error(editor.patch("/cron/jobs/noop", {"timeZone": "Venus/Base"}), 400, "invalid")
    mended = document(editor.patch("/cron/jobs/noop", {"definition": "noop", "timeZone": None}))
    assert (mended["broken"], mended["enabled"]) == (False, False)


def test_a_pause_ends_with_its_end(editor, noop):
    until = "2036-01-01T00:00:00.000Z"
    document(editor.patch("/cron/jobs/noop", {"paused": True, "pausedUntil": until}))
    assert document(editor.patch("/cron/jobs/noop", {"paused": False}))["pausedUntil"] is None
    assert_error(editor.patch("/cron/jobs/noop", {"paused": False, "pausedUntil": until}), 400, "invalid")


def test_a_job_that_the_code_defines_is_not_deleted(editor, noop):
    before = rows()

    assert "disable" in assert_error(editor.delete("/cron/jobs/noop"), 409, "has_definition")["error"]

    assert (rows(), entries()) == (before, [])


def test_a_deleted_job_leaves_its_history(editor, make_job):
    make_job("noop", name="mine")
    execution = JobExecution.objects.request("mine")

    answer = editor.delete("/cron/jobs/mine/")

    assert (answer.status_code, answer.content) == (204, b"")
    assert not Job.objects.filter(name="mine").exists()
    assert JobExecution.objects.filter(pk=execution.pk, job_name="mine").exists()
    assert entries() == [("eddie", DELETION, "mine")]
    assert_error(editor.delete("/cron/jobs/mine"), 404, "job_not_found")


def test_pausing_and_resuming(editor, noop):
    until = "2036-01-01T00:00:00.000Z"

    assert document(editor.post("/cron/jobs/noop/pause"))["paused"] is True
    assert document(editor.post("/cron/jobs/noop/pause/"))["pausedUntil"] is None
    assert len(entries()) == 1
    found = document(editor.post("/cron/jobs/noop/pause", {"until": until}))
    assert (found["paused"], found["pausedUntil"], found["isPaused"]) == (True, until, True)
    found = document(editor.post("/cron/jobs/noop/resume"))
    assert (found["paused"], found["pausedUntil"], found["isPaused"]) == (False, None, False)
    document(editor.post("/cron/jobs/noop/resume/"))

    assert entries() == [("eddie", CHANGE, "noop")] * 3


def test_the_next_occurrence_is_skipped(editor, noop):
    coming = document(editor.get("/cron/jobs/noop/preview?count=2"))["fires"]

    answer = editor.post("/cron/jobs/noop/skip-next")

    skipped = document(answer)
    assert answer.status_code == 201
    assert (skipped["status"], skipped["scheduledFor"], skipped["requestedBy"]) == ("skipped", coming[0], "eddie")
    preview = document(editor.get("/cron/jobs/noop/preview?count=1"))
    assert preview["fires"] == coming[1:]
    assert [each["runs"] for each in preview["details"]] == [False, True]


def test_what_never_comes_cannot_be_skipped(editor, noop):
    document(editor.patch("/cron/jobs/noop", {"schedule": ""}))

    assert_error(editor.post("/cron/jobs/noop/skip-next"), 409, "nothing_to_skip")

    preview = document(editor.get("/cron/jobs/noop/preview/"))
    assert (preview["expression"], preview["fires"]) == (None, [])
    assert preview["notes"]
    assert_error(editor.get("/cron/jobs/noop/preview?count=0"), 400, "invalid_parameters")


@pytest.mark.django_db(transaction=True)
def test_two_that_make_the_same_job_make_one(django_user_model):
    user = django_user_model.objects.create_superuser("sue")
    token = Token.objects.create(user=user).key
    together = Barrier(4)

    def make(number):
        together.wait()
        try:
            headers = {"Authorization": f"Token {token}"}
            body = {"name": "mine", "definition": "noop", "owner": str(number)}
            return Client().post("/cron/jobs", body, content_type="application/json", headers=headers)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(make, range(4)))

    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]
    (made,) = [document(each) for each in answers if each.status_code == 201]
    assert Job.objects.get(name="mine").owner == made["owner"]
    assert LogEntry.objects.count() == 1
